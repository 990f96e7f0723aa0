"""What an operator switches while clients are on their way in."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.crypto.uacrypto import x509_from_der

from protocols.contract import Grant, Wait
from protocols.opcua.shelf import fingerprint
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import NOW, fault, identity
from tests.support.processes import wait_until

NO_NONE = {"OPCUA_ALLOW_NONE": False}
TRUST = {"OPCUA_REQUIRE_TRUST": True}


def trust(running) -> None:
    """Trust the certificate of the tests' client."""
    folder, found = running.server.common.trust, x509_from_der(identity()[0])
    folder.see(found, "127.0.0.1", NOW)
    assert folder.trust(fingerprint(found))


@pytest.mark.parametrize(
    ("mode", "name", "switches"),
    [("None_", "wire", NO_NONE), ("Sign", "wire", TRUST), ("Sign", "other", TRUST)],
    ids=["none", "untrusted", "another_uri"],
)
@pytest.mark.parametrize("state", ["created", "waiting", "logged_in"])
def test_who_is_not_allowed_any_more_has_to_go_however_far_the_login_is(
    start, mode: str, name: str, switches: dict[str, bool], state: str
) -> None:
    running = start()
    if name == "other":
        trust(running)
    running.door.waits["ada"] = [Wait(20)] if state == "waiting" else []
    client = running.wire(mode).open().create_session(name=name)
    login = client.packed(client.activation(client.sealed("ada", "right")))
    if state != "created":
        client.send(login)
        wait_until(lambda: running.door.logins if state == "waiting" else running.presence.open)
    running.do(lambda: running.server.switch(switches))
    assert client.is_closed()
    assert [event[0] for event in running.presence.events] == ["connected", "disconnected"] * (state == "logged_in")


@pytest.mark.parametrize("mode", ["None_", "Sign", "SignAndEncrypt"])
def test_who_is_still_allowed_stays(start, mode: str) -> None:
    running = start(switches={"allow_plaintext": True})
    trust(running)
    created, member = running.wire(mode).open().create_session(), running.client(mode=mode)
    running.do(lambda: running.server.switch(TRUST | {"OPCUA_ALLOW_PLAINTEXT": False}))
    if mode != "None_":
        running.do(lambda: running.server.switch(NO_NONE))
    member.value(STATE)
    created.activate(created.sealed("ada", "right"))
    created.value(STATE)


@pytest.mark.parametrize(
    ("mode", "stated", "code"),
    [
        ("None_", {"allow_none": False}, ua.StatusCodes.BadSecurityPolicyRejected),
        ("Sign", {"require_trust": True}, ua.StatusCodes.BadCertificateUntrusted),
        ("None_", {"allow_plaintext": False}, ua.StatusCodes.BadIdentityTokenRejected),
    ],
)
def test_a_login_is_held_to_the_switches_as_they_are_when_it_is_accepted(
    start, mode: str, stated: dict[str, bool], code: int
) -> None:
    running = start(switches={"allow_plaintext": True})
    plain = ua.UserNameIdentityToken(UserName="ada", Password=b"right")

    def authenticate(login, waited=0.0):
        for name, on in stated.items():
            setattr(running.server.switches, name, on)
        return Grant(1, "ada")

    running.server.common.authenticate = authenticate
    client = running.wire(mode).open().create_session()
    token = plain if "allow_plaintext" in stated else client.sealed("ada", "right")
    assert fault(lambda: client.activate(token)) == code
    assert client.is_closed() and running.presence.events == []


def test_a_session_that_is_closed_in_the_turn_in_which_its_login_is_accepted_does_not_begin(start) -> None:
    running = start()

    def authenticate(login, waited=0.0):
        (shell,) = running.server._crowd.all
        shell.close("no room")
        return Grant(1, "ada")

    running.server.common.authenticate = authenticate
    client = running.wire().open().create_session()
    client.send(client.packed(client.activation(client.sealed("ada", "right"))))
    assert client.is_closed()
    assert running.presence.events == [] and running.do(lambda: running.server.common.sessions) == {}
