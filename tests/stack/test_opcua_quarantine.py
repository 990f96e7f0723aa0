"""Foreign clients whose certificates an operator has to trust in the portal first."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.opcua import KINDS, URI, WAYS, Fault, Program, identity
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

pytestmark = pytest.mark.stack

REFUSALS = {
    "node-opcua": "rejected by server",
    "asyncua": "BadCertificateUntrusted",
    "opcua": "TimeoutError",  # it is deaf to the server's error, and gives up by itself
}


@pytest.fixture(scope="module")
def portal(stack: Stack, opcua_programs: Callable[[str], Program]) -> Iterator[Session]:
    """An account's session, which has switched on that trust is required."""
    session, probe = Session(stack).log_in(), stack.add("opcua")

    def switch(to: str) -> None:
        assert session.post(f"/server/opcua/switch/OPCUA_REQUIRE_TRUST/{to}").status == 303
        wait_until(lambda: is_switched(to), what=f"trust to be {to}")

    def is_switched(to: str) -> bool:
        with suppress(Fault):  # the switch cuts whoever is just connecting
            return is_refused(opcua_programs, stack, "asyncua", probe) is (to == "on")
        return False

    try:
        switch("on")
        yield session
    finally:
        switch("off")


@pytest.fixture(scope="module")
def plant(stack: Stack) -> dict[str, Any]:
    """An integration that tests share."""
    return stack.add("opcua")


def listed(portal: Session, fingerprint: str) -> str:
    """Return under which heading the server page lists a certificate; nothing if it does not."""
    text = portal.get("/server").text
    found = text.find(f'id="certificate-{fingerprint}"')
    headings = re.findall(r"<h3>(Not trusted|Trusted) ", text[: max(found, 0)])
    return headings[-1] if headings else ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_quarantined_listed_and_trusted_and_then_lets_its_client_in(
    stack, portal, plant, opcua_programs, tmp_path: Path, kind
):
    own = identity(tmp_path)
    fingerprint = hashlib.sha256(Path(own["certificate"]).read_bytes()).hexdigest()
    there = f"/server/opcua/certificates/{fingerprint}"
    ways = [(mode, policy) for one, mode, policy in WAYS if one == kind and mode != "None"]
    logins = f"username = '{plant['username']}' AND detail = '{kind}'"
    try:
        assert is_refused(opcua_programs, stack, kind, plant, **own)
        wait_until(lambda: listed(portal, fingerprint) == "Not trusted", what="the certificate to be listed")
        assert URI in portal.get("/server/opcua/certificates").text
        assert not stack.activity(logins), "its password is not looked at"

        assert portal.post(f"{there}/trust").status == 303
        assert listed(portal, fingerprint) == "Trusted"
        clients = [opcua_programs(kind).connect(stack.opcua_port, plant, *way, **own) for way in ways]
        assert [client.read("i=2259") for client in clients] == [0] * len(ways)

        assert portal.post(f"{there}/distrust").status == 303
        for client in clients:
            client.wait_for_loss()
        assert listed(portal, fingerprint) == "Not trusted"
        assert is_refused(opcua_programs, stack, kind, plant, **own)
        wait_until(lambda: not stack.is_online(plant["username"]), what="nobody online")
    finally:
        portal.post(f"{there}/delete")
    assert listed(portal, fingerprint) == ""


def is_refused(
    programs: Callable[[str], Program], stack: Stack, kind: str, integration: dict[str, Any], **own: str
) -> bool:
    """Tell whether a client is turned away with its certificate; one that is let in leaves again."""
    patience = {"patience": 0.5} if kind == "opcua" else {}
    try:
        programs(kind).connect(stack.opcua_port, integration, "SignAndEncrypt", **own, **patience).close()
    except Fault as fault:
        if REFUSALS[kind] not in str(fault):
            raise
        return True
    return False
