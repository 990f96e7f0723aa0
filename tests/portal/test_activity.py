"""Activity: repeats become one row, floods stay small, and old rows go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import activity, db
from portal.activity import LOGIN, REFUSED, LoginLog, LoginNote
from portal.models import Activity

START = datetime(2030, 1, 1, tzinfo=UTC)


def refused(seconds: float = 0, **values) -> LoginNote:
    row = {"username": "turing", "address": "192.0.2.1", "detail": "wrong password", **values}
    return LoginNote(REFUSED, START + timedelta(seconds=seconds), "mqtt", **row)


def write(log: LoginLog, *notes: LoginNote) -> None:
    with db.writing():
        log.write(notes)


def rows() -> list[Activity]:
    return list(Activity.select().order_by(Activity.id))


def test_a_login_note_becomes_a_row(database):
    note = LoginNote(LOGIN, START, "mqtt", "turing", "192.0.2.1", "client-1", 7)
    write(LoginLog(), note)
    (row,) = rows()
    assert (row.at, row.last_at, row.count) == (START, START, 1)
    assert (row.kind, row.protocol, row.username) == (LOGIN, "mqtt", "turing")
    assert (row.address, row.detail, row.integration_id) == ("192.0.2.1", "client-1", 7)
    assert row.account is None


def test_repeats_within_a_batch_become_one_row_with_a_count(database):
    write(LoginLog(), *[refused(second) for second in range(5)])
    (row,) = rows()
    assert (row.count, row.at, row.last_at) == (5, START, START + timedelta(seconds=4))


def test_repeats_across_batches_become_one_row_with_a_count(database):
    log = LoginLog()
    for second in range(5):
        write(log, refused(second))
    (row,) = rows()
    assert (row.count, row.last_at) == (5, START + timedelta(seconds=4))


@pytest.mark.parametrize(
    "other",
    [
        {"username": "hopper"},
        {"username": None},
        {"address": "192.0.2.2"},
        {"detail": "unknown username"},
        {"integration_id": 7},
    ],
)
def test_what_differs_gets_a_row_of_its_own(database, other):
    write(LoginLog(), refused(), refused(**other))
    assert len(rows()) == 2


def test_a_client_that_retries_for_ever_costs_one_row_a_minute(database):
    log = LoginLog()
    for second in range(600):
        write(log, refused(second))
    counts = [row.count for row in rows()]
    assert len(counts) == 10
    assert sum(counts) == 600


def test_ever_new_usernames_cost_a_bounded_number_of_rows_and_none_is_lost(database):
    log = LoginLog()
    for start in range(0, 2000, 500):
        write(log, *[refused(1, username=f"u{n}") for n in range(start, start + 500)])
    found = rows()
    assert len(found) == activity.MAX_REFUSED_PER_WINDOW + 1
    assert sum(row.count for row in found) == 2000
    rest = [row for row in found if row.username is None]
    assert [row.count for row in rest] == [2000 - activity.MAX_REFUSED_PER_WINDOW]
    assert "counted only" in rest[0].detail


def test_a_flood_does_not_hide_accepted_logins(database):
    log = LoginLog()
    write(log, *[refused(username=f"u{n}") for n in range(1000)])
    write(log, LoginNote(LOGIN, START, "mqtt", "hopper", "192.0.2.9", "c", 3))
    assert rows()[-1].username == "hopper"


def test_after_a_flood_refusals_are_listed_again(database):
    log = LoginLog()
    write(log, *[refused(username=f"u{n}") for n in range(1000)])
    write(log, refused(61, username="late"))
    assert rows()[-1].username == "late"


def test_the_memory_of_rows_is_bounded(database, monkeypatch):
    monkeypatch.setattr(activity, "MAX_TRACKED", 10)
    log = LoginLog()
    accepted = [LoginNote(LOGIN, START, "mqtt", f"u{n}", "a", "c", n) for n in range(50)]
    write(log, *accepted)
    assert len(log._rows) == 10


def test_rows_of_a_failed_transaction_are_not_counted_up(database):
    log = LoginLog()
    with pytest.raises(ZeroDivisionError), db.writing():
        log.write([refused()])
        raise ZeroDivisionError
    log.forget()
    write(log, refused(1))
    (row,) = rows()
    assert row.count == 1


def test_texts_are_cut_to_a_length(database):
    long = "x" * 5000
    write(LoginLog(), refused(username=long, detail=long))
    activity.record("account.created", START, account="ada@example.com", detail=long)
    for row in rows():
        assert len(row.detail) == activity.MAX_TEXT
        assert row.username is None or len(row.username) == activity.MAX_TEXT


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31mred", "\ud800", "a\nb", "a\u202eb"])
def test_what_a_client_sent_is_made_fit_to_store_and_to_show(text):
    shown = activity.printable(text)
    assert shown.isprintable() and len(shown) == len(text)
    shown.encode()


def test_printable_text_stays_as_it_is():
    assert activity.printable("plant/line 1: m\u00fcller") == "plant/line 1: m\u00fcller"
    assert len(activity.printable("x" * 100_000)) == activity.MAX_TEXT


def test_prune_deletes_what_is_too_old(database):
    for days in (0, 89, 91, 200):
        activity.record("x", START - timedelta(days=days), detail=str(days))
    assert activity.prune(START) == 2
    assert [row.detail for row in rows()] == ["0", "89"]


def test_prune_keeps_the_newest_of_too_many(database, monkeypatch):
    monkeypatch.setattr(activity, "MAX_ROWS", 3)
    for number in range(5):
        activity.record("x", START, detail=str(number))
    assert activity.prune(START) == 2
    assert [row.detail for row in rows()] == ["2", "3", "4"]
    assert activity.prune(START) == 0


def test_of_integration_returns_its_own_newest_first(database):
    log = LoginLog()
    write(log, *[refused(integration_id=i, detail=str(n)) for n, i in enumerate([1, 2, 1, 1])])
    assert [row.detail for row in activity.of_integration(1, limit=2)] == ["3", "2"]


def test_one_credential_with_ever_new_client_ids_costs_a_bounded_number_of_rows(database):
    log = LoginLog()
    notes = [LoginNote(LOGIN, START, "mqtt", "turing", "192.0.2.1", f"client-{n}", 7) for n in range(500)]
    write(log, *notes, LoginNote(LOGIN, START, "mqtt", "hopper", "192.0.2.1", "client-1", 8))
    of_turing = [row for row in rows() if row.integration_id == 7]
    assert len(of_turing) == activity.MAX_LOGINS_PER_WINDOW + 1
    assert sum(row.count for row in of_turing) == 500
    assert [row.detail for row in rows() if row.integration_id == 8] == ["client-1"]


def test_a_clock_that_is_set_back_loses_no_refusals(database):
    log = LoginLog()
    write(log, refused(3600))
    write(log, refused(0), refused(1, username="hopper"))
    assert [(row.username, row.at) for row in rows()[1:]] == [
        ("turing", START),
        ("hopper", START + timedelta(seconds=1)),
    ]


def test_clients_cannot_push_out_what_accounts_did(database, monkeypatch):
    monkeypatch.setattr(activity, "MAX_ROWS", 10)
    activity.record("integration.deleted", START, account="ada@example.com")
    write(LoginLog(), *[refused(0, username=f"name-{n}") for n in range(50)])
    activity.prune(START)
    assert [row.kind for row in rows()] == ["integration.deleted", *[REFUSED] * 10]
