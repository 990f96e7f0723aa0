"""The policies, the clients' certificates at a running server, and the server's own."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.crypto import cert_gen, security_policies
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from protocols.contract import Refused as CannotBeDone
from protocols.opcua import certificate, shelf
from protocols.opcua.trust import TrustFolder
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_pair import URI, make
from tests.protocols.opcua.opcua_wire import NOW, fault
from tests.support.processes import wait_until

POLICIES = ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
MODES = ["Sign", "SignAndEncrypt"]


@pytest.fixture(scope="session")
def press(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make(tmp_path_factory.mktemp("press"))


def read_once(url: str, pair: tuple[Path, Path], policy: str = POLICIES[0], mode: str = "SignAndEncrypt") -> int:
    """Log in over a secured channel, and read the server's state."""

    async def visit() -> int:
        client = Client(url)
        client.set_user("ada")
        client.set_password("right")
        client.application_uri = URI
        found = getattr(security_policies, f"SecurityPolicy{policy}")
        own, key = (str(path) for path in pair)
        await client.set_security(found, own, key, mode=getattr(ua.MessageSecurityMode, mode))
        async with client:
            return int(await client.nodes.server_state.read_value())

    return asyncio.run(visit())


# --- policies


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_lets_a_client_in(start, press, policy: str, mode: str) -> None:
    running = start()
    assert read_once(running.url, press, policy, mode) == 0
    running.presence.wait_for(2)


def test_connections_say_how_they_are_secured(start, press) -> None:
    running = start()
    seen = []

    async def visit() -> None:
        client = Client(running.url)
        client.set_user("ada")
        client.set_password("right")
        client.application_uri, client.name = URI, "Press"
        own, key = press
        await client.set_security(security_policies.SecurityPolicyAes256Sha256RsaPss, str(own), str(key))
        async with client:
            await client.nodes.server_state.read_value()
            seen.extend(running.server.connections(1))

    asyncio.run(visit())
    (info,) = seen
    assert (info.security_policy, info.security_mode) == ("Aes256Sha256RsaPss", "SignAndEncrypt")
    assert (info.application_name, info.application_uri, info.values_read) == ("Press", URI, 1)
    assert info.bytes_in > 0 and info.messages_in > 2


def test_policy_none_can_be_switched_off_and_on_while_the_server_runs(start, press) -> None:
    running = start()
    member = running.client()
    running.do(lambda: running.server.switch({"OPCUA_ALLOW_NONE": False}))
    assert member.is_closed(), "who uses it has to go"
    client = running.wire().open()
    endpoints = client.ask(ua.GetEndpointsRequest()).Endpoints
    assert len(endpoints) == 6 and all(one.SecurityMode != ua.MessageSecurityMode.None_ for one in endpoints)
    assert client.ask(ua.FindServersRequest()).Servers
    assert fault(client.create_session) == ua.StatusCodes.BadSecurityPolicyRejected
    assert read_once(running.url, press) == 0
    running.do(lambda: running.server.switch({"OPCUA_ALLOW_NONE": True}))
    running.client().value(STATE)


def test_endpoints_ask_for_an_encrypted_password_where_the_channel_encrypts_nothing(start) -> None:
    for endpoint in start().wire().open().ask(ua.GetEndpointsRequest()).Endpoints:
        (token,) = endpoint.UserIdentityTokens
        assert token.TokenType == ua.UserTokenType.UserName
        is_encrypted = endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
        assert token.SecurityPolicyUri.endswith("#None") == is_encrypted


@pytest.mark.parametrize("policy", ["Basic256", "Basic128Rsa15"])
def test_old_policies_are_not_offered(start, press, policy: str) -> None:
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        read_once(start().url, press, policy)


# --- clients


def test_an_unknown_certificate_is_let_in_and_listed(start, press, folder: Path) -> None:
    running = start()
    read_once(running.url, press)
    (found,) = wait_until(lambda: TrustFolder(folder).all())
    assert not found.trusted and found.application_uri == URI and found.subject == "CN=press"
    assert found.first_seen == found.last_seen == NOW and found.address == "127.0.0.1"


def test_where_trust_is_required_an_unknown_certificate_waits_for_an_operator(start, press, folder: Path) -> None:
    running = start(switches={"require_trust": True})
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        read_once(running.url, press)
    assert running.door.logins == [], "its password is not looked at"
    operator = TrustFolder(folder)
    (found,) = wait_until(operator.all)
    assert operator.trust(found.fingerprint)
    assert read_once(running.url, press) == 0
    (found,) = operator.all()
    assert found.trusted and found.first_seen == NOW
    assert operator.distrust(found.fingerprint)
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        read_once(running.url, press)


def test_where_trust_is_required_a_client_must_be_the_one_of_its_certificate(start, tmp_path: Path) -> None:
    running = start(switches={"require_trust": True})
    other = make(tmp_path, "other", uri="urn:other")
    certificate_of_other = shelf.load(other[0])
    running.server.common.trust.see(certificate_of_other, "127.0.0.1", NOW)
    assert running.server.common.trust.trust(shelf.fingerprint(certificate_of_other))
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        read_once(running.url, other)


def test_where_trust_is_required_a_certificate_out_of_its_time_is_refused(start, tmp_path: Path) -> None:
    running = start(switches={"require_trust": True})
    old = make(tmp_path, "old", days=-1)
    found = shelf.load(old[0])
    running.server.common.trust.see(found, "127.0.0.1", NOW)
    running.server.common.trust.trust(shelf.fingerprint(found))
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        read_once(running.url, old)


def test_a_client_whose_trust_is_taken_away_is_cut(start, press, folder: Path) -> None:
    running = start()

    async def visit() -> None:
        client = Client(running.url)
        client.set_user("ada")
        client.set_password("right")
        client.application_uri = URI
        own, key = press
        await client.set_security(security_policies.SecurityPolicyBasic256Sha256, str(own), str(key))
        await client.connect()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(require(), running._loop))
        await asyncio.to_thread(running.presence.wait_for, 2)
        await client.disconnect()

    async def require() -> None:
        running.server.switch({"OPCUA_REQUIRE_TRUST": True})

    asyncio.run(visit())
    assert running.presence.events[1][2] == "the client's certificate is not trusted any more"


def test_a_key_that_the_policies_do_not_take_is_refused(start, tmp_path: Path) -> None:
    with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
        read_once(start().url, make(tmp_path, "odd", bits=1_024))


# --- the server's own


def test_the_key_is_nobody_elses_where_stock_shows_it_to_everybody(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        key, own = tmp_path / "stock.pem", tmp_path / "stock.der"
        asyncio.run(cert_gen.setup_self_signed_certificate(key, own, "urn:stock", "localhost", [], {}))
        certificate.prepare(tmp_path / "new", ["localhost"], NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(key.stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "new" / certificate.KEY).stat().st_mode) == 0o600


def test_the_certificate_is_kept(tmp_path: Path) -> None:
    first = certificate.prepare(tmp_path, ["localhost", "192.0.2.7"], NOW)
    again = certificate.prepare(tmp_path, ["elsewhere"], NOW + timedelta(days=365))
    assert again.fingerprint == first.fingerprint and first.application_uri.startswith("urn:gatehouse:")
    names = first.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_a_renewed_certificate_has_the_same_key_and_uri_and_is_kept(tmp_path: Path) -> None:
    first = certificate.prepare(tmp_path, ["localhost"], NOW)
    later = first.not_after - timedelta(days=59)
    assert certificate.prepare(tmp_path, ["localhost"], later).fingerprint == first.fingerprint, "it asks nobody"
    renewed = certificate.renew(tmp_path, first, ["localhost"], later)
    assert renewed.fingerprint != first.fingerprint and renewed.not_after == later + certificate.VALID
    assert renewed.application_uri == first.application_uri
    assert renewed.key.public_key() == first.key.public_key()
    assert certificate.prepare(tmp_path, ["localhost"], later).fingerprint == renewed.fingerprint


def test_a_running_server_renews_its_certificate(start, press) -> None:
    running = start()
    before, stays = running.server.own.fingerprint, running.client()
    running.now = running.server.own.not_after - timedelta(days=1)
    renewed = running.do(running.server.actions()["renew_certificate"])
    assert renewed == {"before": before, "after": running.server.own.fingerprint}
    assert renewed["after"] == running.do(running.server.actions()["certificate"])["fingerprint"] != before
    (endpoint, *_) = running.wire().open().ask(ua.GetEndpointsRequest()).Endpoints
    found = x509.load_der_x509_certificate(endpoint.ServerCertificate)
    assert found.fingerprint(hashes.SHA256()).hex(":").upper() == running.server.own.fingerprint
    running.client().value(STATE)
    assert read_once(running.url, press) == 0
    stays.value(STATE)


def test_a_certificate_that_cannot_be_kept_is_refused_and_the_last_one_holds(start, folder: Path) -> None:
    running = start()
    before = running.server.own
    (folder / f"{certificate.CERTIFICATE}.new" / "in the way").mkdir(parents=True)
    with pytest.raises(CannotBeDone, match="cannot be kept: .*server.pem.new: Is a directory"):
        running.do(running.server.actions()["renew_certificate"])
    assert running.server.own is before


@pytest.mark.parametrize("name", [certificate.KEY, certificate.CERTIFICATE])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    certificate.prepare(tmp_path, ["localhost"], NOW)
    (tmp_path / name).write_text("noise")
    with pytest.raises(certificate.CertificateError, match=name):
        certificate.prepare(tmp_path, ["localhost"], NOW)
