"""The server's certificate, the clients' certificates, and the policies."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.crypto import cert_gen, security_policies
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from protocols.contract import Refused as CannotBeDone
from protocols.journal import Journal
from protocols.opcua import certificate, shelf
from protocols.opcua.limits import Limits
from protocols.opcua.sightings import Sightings
from protocols.opcua.trust import TrustFolder
from tests.protocols.opcua.attacks import STATE
from tests.protocols.opcua.opcua_wire import NOW, fault
from tests.support.processes import wait_until

POLICIES = ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]
MODES = ["Sign", "SignAndEncrypt"]
URI = "urn:press"


def make(folder: Path, name: str = "press", uri: str = URI, days: int = 10, bits: int = 2_048) -> tuple[Path, Path]:
    """Make a client's certificate and key."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=20))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.der").write_bytes(made.public_bytes(Encoding.DER))
    (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / f"{name}.der", folder / f"{name}.pem"


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


# --- the folder


def seen(folder: TrustFolder, tmp_path: Path, name: str, address: str, minutes: int = 0) -> str:
    found = shelf.load(make(tmp_path, name, bits=1_024)[0])
    folder.see(found, address, NOW + timedelta(minutes=minutes))
    return shelf.fingerprint(found)


@pytest.fixture
def quarantine(tmp_path: Path) -> Callable[..., TrustFolder]:
    def make_folder(**bounds: int) -> TrustFolder:
        made = TrustFolder(tmp_path / "pki", **bounds)
        made.prepare()
        return made

    return make_folder


def test_an_address_fills_its_own_share_of_the_quarantine_only(quarantine, tmp_path: Path) -> None:
    folder = quarantine(most=10, most_per_address=2)
    good = seen(folder, tmp_path, "good", "192.0.2.1")
    for number in range(4):
        last = seen(folder, tmp_path, f"bad{number}", "192.0.2.9", number)
    kept = {one.fingerprint for one in folder.all()}
    assert len(kept) == 3 and {good, last} <= kept


def test_the_quarantine_drops_what_was_seen_longest_ago(quarantine, tmp_path: Path) -> None:
    folder = quarantine(most=3)
    names = [seen(folder, tmp_path, f"one{number}", f"192.0.2.{number}", number) for number in range(5)]
    assert {one.fingerprint for one in folder.all()} == set(names[2:])


def test_a_certificate_that_an_operator_puts_there_is_trusted(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    found = shelf.load(make(tmp_path, "own")[0])
    assert not folder.is_trusted(found)
    (tmp_path / "pki" / "trusted" / "press 7.pem").write_bytes(found.public_bytes(Encoding.PEM))
    assert folder.is_trusted(found)
    (listed,) = folder.all()
    assert listed.trusted and listed.first_seen is None
    assert folder.delete(listed.fingerprint) and not folder.is_trusted(found) and folder.all() == []


def test_one_that_an_operator_put_there_tells_when_it_was_seen(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    found = shelf.load(make(tmp_path, "own")[0])
    (tmp_path / "pki" / "trusted" / "press 7.pem").write_bytes(found.public_bytes(Encoding.PEM))
    folder.see(found, "192.0.2.1", NOW)
    folder.see(found, "192.0.2.2", NOW + timedelta(hours=1))
    (listed,) = folder.all()
    assert (listed.first_seen, listed.last_seen) == (NOW, NOW + timedelta(hours=1))
    assert (listed.trusted, listed.address) == (True, "192.0.2.2")


def test_one_that_is_there_under_several_names_is_not_trusted_any_more_at_once(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    found = shelf.load(make(tmp_path, "own")[0])
    trusted = tmp_path / "pki" / "trusted"
    (trusted / "press.pem").write_bytes(found.public_bytes(Encoding.PEM))
    (trusted / "press copy.der").write_bytes(found.public_bytes(Encoding.DER))
    folder.see(found, "192.0.2.1", NOW)
    assert folder.is_trusted(found) and len(folder.all()) == 1
    assert folder.distrust(shelf.fingerprint(found))
    assert not folder.is_trusted(found) and list(trusted.iterdir()) == []
    (listed,) = folder.all()
    assert not listed.trusted and listed.last_seen == NOW


def test_a_network_of_ipv6_has_one_share_of_the_quarantine(quarantine, tmp_path: Path) -> None:
    folder = quarantine(most=10, most_per_address=2)
    good = seen(folder, tmp_path, "good", "2001:db8:0:1::1")
    last = [seen(folder, tmp_path, f"bad{number}", f"2001:db8:0:2::{number}", number) for number in range(4)]
    assert {one.fingerprint for one in folder.all()} == {good, *last[2:]}


def test_what_changes_in_the_folder_is_noticed_and_nothing_else(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    found = shelf.load(make(tmp_path, "own")[0])
    before = folder.trusted()
    seen(folder, tmp_path, "other", "192.0.2.1")
    assert folder.trusted() is before
    path = tmp_path / "pki" / "trusted" / "press.pem"
    path.write_bytes(found.public_bytes(Encoding.PEM))
    assert folder.trusted() == {shelf.fingerprint(found)}
    path.unlink()
    assert folder.trusted() == before


def test_of_many_new_certificates_of_one_address_few_wait_to_be_noted(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    made = [shelf.load(make(tmp_path, f"one{number}", bits=1_024)[0]) for number in range(6)]

    async def visit() -> None:
        sightings = Sightings(folder, Limits(rejected_per_address=3), Journal("opcua", 10, 0.0))
        for one in made[:5]:
            sightings.see(one, "192.0.2.1", NOW)
        sightings.see(made[5], "192.0.2.2", NOW)
        await sightings.stop()

    asyncio.run(visit())
    kept = {one.fingerprint for one in folder.all()}
    assert kept == {shelf.fingerprint(one) for one in (*made[:3], made[5])}


def test_new_certificates_of_one_address_cost_a_bounded_number_of_log_lines(quarantine, tmp_path: Path, caplog) -> None:
    folder, journal = quarantine(), Journal("opcua", 2, 0.0)
    made = [shelf.load(make(tmp_path, f"one{number}", bits=1_024)[0]) for number in range(5)]

    async def visit() -> None:
        sightings = Sightings(folder, Limits(), journal)
        for one in (*made[:4], made[0]):
            sightings.see(one, "192.0.2.1", NOW)
            await sightings.stop()
        sightings.see(made[4], "192.0.2.2", NOW)
        await sightings.stop()

    asyncio.run(visit())
    expected = [("192.0.2.1", made[0]), ("192.0.2.1", made[1]), ("192.0.2.2", made[4])]
    assert caplog.messages == [
        f"opcua client at {address}: a certificate that nobody trusts yet: {shelf.fingerprint(one)}"
        for address, one in expected
    ]
    journal.sweep(60.0)
    assert caplog.messages[3:] == ["opcua clients at 192.0.2.1: 2 more of such, not logged"]


def test_a_folder_that_cannot_be_written_is_said_with_its_reason(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    found = shelf.load(make(tmp_path, "own", bits=1_024)[0])
    blocked = tmp_path / "pki" / "rejected" / f"{shelf.fingerprint(found)}.new"
    blocked.mkdir()
    assert folder.see(found, "192.0.2.1", NOW) == f"its certificate cannot be noted in {blocked}: Is a directory"


def test_a_certificate_is_listed_with_its_note_or_not_at_all(quarantine, tmp_path: Path, monkeypatch) -> None:
    """Another process looks after each step of its writing."""
    folder, listed = quarantine(), []

    def looked_at(step: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            result = step(*arguments)
            with monkeypatch.context() as undone:
                undone.undo()
                listed.append([one.last_seen for one in TrustFolder(tmp_path / "pki").all()])
            return result

        return run

    made = shelf.load(make(tmp_path, "new")[0])
    for name in ("write_bytes", "write_text", "replace"):
        monkeypatch.setattr(Path, name, looked_at(getattr(Path, name)))
    folder.see(made, "192.0.2.1", NOW)
    assert listed[-1] == [NOW] and all(seen in ([], [NOW]) for seen in listed)


def test_what_is_no_certificate_is_no_trouble(quarantine, tmp_path: Path) -> None:
    folder = quarantine()
    (tmp_path / "pki" / "trusted" / "noise.pem").write_bytes(b"\0noise")
    (tmp_path / "pki" / "rejected" / "noise.der").write_bytes(b"-----BEGIN")
    assert folder.all() == []
    assert not folder.trust("0" * 64) and not folder.delete("0" * 64)


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
