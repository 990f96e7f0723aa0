"""What is done from time to time: each in its turn, and by which part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from portal import activity, clock, db, presence
from portal.models import Activity, Node
from protocols import housekeeping
from protocols.housekeeping import Housekeeping
from protocols.ledger import OnlineTimes
from protocols.servers import Servers
from tests.support.processes import wait_until


@pytest.fixture
def house(database, monkeypatch) -> Iterator[Housekeeping]:
    monkeypatch.setattr(housekeeping, "SWEEP", 0.05)
    monkeypatch.setattr(housekeeping, "PRUNE", 0.05)
    made = Housekeeping(Servers(), OnlineTimes())
    yield made
    made._jobs.shutdown(wait=True)  # the next test has another database


@pytest.fixture
def leftovers(database) -> None:
    """A node that is long gone, and an entry that is too old."""
    presence.start_node("gone", clock.now() - timedelta(days=1), {})
    with db.writing():
        activity.record("account.created", clock.now() - activity.MAX_AGE - timedelta(days=1))


def left() -> tuple[int, int]:
    return Node.select().count(), Activity.select().count()


def test_the_main_part_sweeps_and_prunes(house, leftovers):
    assert left() == (1, 1)
    house.start(is_main=True)
    wait_until(lambda: left() == (0, 0), what="what is left to go")


def test_another_part_leaves_that_to_it(house, leftovers):
    turns = threading.Semaphore(0)
    house.every(0.05, turns.release)
    house.start(is_main=False)
    for _ in range(4):
        assert turns.acquire(timeout=20)
    assert left() == (1, 1)


def test_one_thing_is_done_at_a_time(house):
    second, seen = threading.Event(), []
    house.soon(lambda: seen.append(second.wait(0.5)))
    house.soon(second.set)
    house.start(is_main=False)
    assert second.wait(20) and seen == [False]


def test_what_cannot_wait_is_done_at_once_and_what_fails_is_done_again(house):
    tried = threading.Semaphore(0)

    def fail() -> None:
        tried.release()
        raise ValueError("as it may")

    house.every(3_600, tried.release, at_once=True)
    house.start(is_main=False)
    assert tried.acquire(timeout=20)
    house.every(0.05, fail)
    for _ in range(2):
        assert tried.acquire(timeout=20)
