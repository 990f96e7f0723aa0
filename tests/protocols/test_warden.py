"""The guard's thread: bans reach the database and other nodes, also after the database was away."""

from __future__ import annotations

import sqlite3

import pytest

from portal import bans, clock, db
from portal.attempt import Attempt
from portal.guard import Guard, Rules
from protocols import warden
from protocols.warden import Warden
from tests.support.processes import wait_until

HERE = "192.0.2.7"


@pytest.fixture
def guard() -> Guard:
    return Guard(Rules(per_address=3, per_username=3))


@pytest.fixture
def running(database, guard, monkeypatch):
    monkeypatch.setattr(warden, "STEP", 0.02)
    made = Warden(guard)
    made.read()
    made.start()
    yield made
    made.stop(7)


def approach(guard: Guard) -> float | None:
    return guard.approach(Attempt("mqtt", "turing", b"right", HERE), clock.now().timestamp())


def guess(guard: Guard, count: int = 3) -> None:
    now = clock.now().timestamp()
    for number in range(count):
        attempt = Attempt("mqtt", "turing", b"guess-%d" % number, HERE)
        guard.guessed(attempt, now)
        guard.refused(attempt, now)


def test_a_ban_is_written_soon_and_a_lifted_one_is_over_soon(running, guard, actor):
    guess(guard)
    (ban,) = wait_until(lambda: bans.current(clock.now()))
    assert approach(guard) is None
    bans.lift(ban.id, actor)
    wait_until(lambda: approach(guard) == 0)


def test_what_is_decided_last_is_written_when_it_stops(running, guard):
    guess(guard)
    running.stop(20)
    assert [ban.name for ban in bans.current(clock.now())] == [HERE]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_bans_hold_while_the_database_is_locked_and_are_written_afterwards(running, guard, database, tmp_path, caplog):
    holder = sqlite3.connect(tmp_path / "gatehouse.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        guess(guard)
        assert approach(guard) is None
        wait_until(lambda: "bans cannot be kept or followed" in caplog.text)
    finally:
        holder.close()
    wait_until(lambda: bans.current(clock.now()))
    wait_until(lambda: "bans are kept and followed again" in caplog.text)


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_bans_are_written_after_the_server_ended_its_connections(running, guard, database):
    wait_until(lambda: running._thread.is_alive())
    db.database.close()
    database.disconnect()
    guess(guard)

    def written() -> bool:
        with db.connected():
            return bool(bans.current(clock.now()))

    wait_until(written)
    db.database.connect(reuse_if_open=True)
