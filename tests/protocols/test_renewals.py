"""Certificates of Gatehouse's own making: renewed when it is time, announced before, and put on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from portal import activity, certificate, clock, config, presence, renewal
from portal.config import SettingError
from portal.models import Activity
from portal.renewal import Renewed
from protocols import renewals
from protocols.contract import Refused
from protocols.entrance import Book
from protocols.renewals import Own, Renewals

RENEWED = Renewed("AA:BB", "CC:DD")


class Subject:
    """A certificate that ends in some days, with what was recorded of it."""

    def __init__(self, days: float) -> None:
        self.not_after: datetime | None = clock.now() + timedelta(days=days)
        self.renewals = 0
        self.failure: Exception | None = None
        self.recorded: list[tuple[str, Renewed]] = []
        own = Own("opcua", lambda: self.not_after, self.renew)
        self.renewing = Renewals(own, lambda part, renewed: self.recorded.append((part, renewed)))

    def renew(self) -> Renewed:
        if self.failure is not None:
            raise self.failure
        self.renewals += 1
        self.not_after = clock.now() + timedelta(days=1_000)
        return RENEWED

    def look(self, times: int = 3) -> None:
        for _ in range(times):
            self.renewing.look()


def test_one_that_is_due_is_renewed_once_logged_and_recorded(caplog):
    subject = Subject(renewal.BEFORE_END.days - 0.1)
    subject.look()
    assert subject.renewals == 1
    assert subject.recorded == [("opcua", RENEWED)]
    assert caplog.messages == [
        "the certificate of OPC UA was renewed, with the same key; clients that were given it must trust CC:DD"
    ]


def test_it_is_announced_in_the_log_once_in_the_time_before(caplog):
    ahead = renewal.BEFORE_END + renewal.NOTICE
    early = Subject(ahead.days + 0.1)
    early.look()
    assert caplog.messages == []
    soon = Subject(ahead.days - 0.1)
    soon.look()
    (message,) = caplog.messages
    assert f"will be renewed on {(soon.not_after - renewal.BEFORE_END).date()}" in message
    assert early.renewals == soon.renewals == 0 and soon.recorded == []


def test_one_that_is_not_to_be_renewed_is_left_alone(caplog):
    subject = Subject(-10)
    subject.not_after = None
    subject.look()
    assert subject.renewals == 0 and caplog.messages == []


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (SettingError("DATA_DIR: cannot write"), "cannot be renewed: DATA_DIR: cannot write"),
        (Refused("The new certificate cannot be kept."), "cannot be renewed: The new certificate cannot be kept."),
        (TimeoutError(), "it is asked again in an hour"),
    ],
)
def test_one_that_cannot_be_renewed_is_said_not_recorded_and_tried_again(caplog, failure, message):
    subject = Subject(1)
    subject.failure = failure
    subject.look(1)
    assert message in caplog.text and subject.recorded == []
    subject.failure = None
    subject.look(1)
    assert subject.recorded == [("opcua", RENEWED)]


def test_a_renewal_is_on_record_with_both_fingerprints(database):
    presence.start_node("node", clock.now(), {})
    book = Book("node")
    book.start()
    long = Renewed(":".join(["AB"] * 32), ":".join(["CD"] * 32))
    book.renewed("mqtt", long)
    book.stop()
    (row,) = Activity.select().where(Activity.kind == activity.RENEWED)
    assert row.detail == f"MQTT over TLS: {long.after} in the place of {long.before}"
    assert (row.protocol, row.account, row.username) == ("mqtt", None, None)


def test_a_server_is_asked_for_its_own():
    actions = {
        "certificate": lambda: {"not_after": "2031-11-24T10:00:00+00:00", "pem": ""},
        "renew_certificate": lambda: {"before": "AA:BB", "after": "CC:DD"},
    }
    own = renewals.of_server("opcua", actions)
    assert own.not_after() == datetime.fromisoformat("2031-11-24T10:00:00+00:00")
    assert own.renew() == RENEWED


# --- the certificate of the TLS listeners


def loaded(folder: Path) -> tuple[x509.Certificate, object]:
    data = (folder / certificate.FILE).read_bytes()
    return x509.load_pem_x509_certificate(data), load_pem_private_key(data, None).public_key()


def test_the_certificate_for_tls_is_renewed_with_its_key_and_taken_over(tmp_path):
    settings = config.load({"DATA_DIR": str(tmp_path)})
    certificate.prepare(settings, clock.now() - certificate.VALID + timedelta(days=59))
    keeper = certificate.Keeper(settings)
    first, before = keeper.current(), certificate.read(settings)
    _, key = loaded(tmp_path)
    recorded: list[Renewed] = []
    look = Renewals(renewals.of_tls("mqtt", settings), lambda part, renewed: recorded.append(renewed)).look
    look()
    look()
    after = certificate.read(settings)
    assert recorded == [Renewed(before.fingerprint, after.fingerprint)] and before.fingerprint != after.fingerprint
    made, same_key = loaded(tmp_path)
    assert same_key == key == made.public_key()
    assert after.not_after > clock.now() + timedelta(days=3_600) and after.names == before.names
    assert (tmp_path / certificate.FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if ".tls" in path.name] == []
    keeper.refresh()
    keeper.refresh()
    assert keeper.current() is not first


def test_one_that_gatehouse_did_not_make_is_never_touched(tmp_path):
    settings = config.load({"DATA_DIR": str(tmp_path)})
    certificate.prepare(settings, clock.now() - certificate.VALID + timedelta(days=1))
    path = tmp_path / certificate.FILE
    given = replace(settings, tls_certificate=path, tls_key=path)
    before = path.read_bytes()
    own = renewals.of_tls("mqtt", given)
    assert own.not_after() is None and certificate.read(given).renewed_at is None
    with pytest.raises(SettingError, match="certificate of your own"):
        own.renew()
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_named_and_the_certificate_stays(tmp_path, monkeypatch):
    settings = config.load({"DATA_DIR": str(tmp_path)})
    certificate.prepare(settings, clock.now())
    before = certificate.read(settings)

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(certificate, "write_once", full)
    with pytest.raises(SettingError, match=r"DATA_DIR: cannot write .*tls.pem: No space left on device"):
        certificate.renew(settings, clock.now())
    assert certificate.read(settings) == before
