"""The folder of clients' certificates: who is trusted, and how many wait there for an operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.journal import Journal
from protocols.opcua import shelf
from protocols.opcua.limits import Limits
from protocols.opcua.sightings import Sightings
from protocols.opcua.trust import TrustFolder
from tests.protocols.opcua.opcua_pair import make
from tests.protocols.opcua.opcua_wire import NOW


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
