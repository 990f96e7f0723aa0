"""Followers of the counters: they hear of every change, and ask nothing while there is none."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from portal import db
from portal.changes import Changes
from portal.models import Revision
from tests.support.databases import counted_queries


@pytest.fixture
def changes(database):
    made = Changes()
    yield made
    made.close()


def told(changes: Changes) -> list[int]:
    """Return the counter of each time that the follower is called."""
    seen: list[int] = []
    changes.tell(lambda counters: seen.append(counters["integrations"]))
    return seen


def test_the_first_look_always_tells(changes):
    assert told(changes) == [0]


def test_what_another_thread_writes_is_told(changes):
    told(changes)
    for number in (1, 2):
        writer = threading.Thread(target=_count_one)
        writer.start()
        writer.join()
        assert told(changes) == [number]


def test_what_the_thread_itself_writes_is_told(changes):
    told(changes)
    _count_one()
    assert told(changes) == [1]


def _count_one() -> None:
    with db.connected(), db.writing():
        Revision.bump("integrations")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_while_nothing_is_written_nothing_is_asked(changes):
    told(changes)
    with counted_queries() as statements:
        assert (told(changes), statements) == ([], [])


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
def test_postgresql_is_asked_each_time(changes):
    assert (told(changes), told(changes)) == ([0], [0])


def test_a_follower_that_failed_is_told_again(changes):
    def fail(counters: object) -> None:
        raise db.Unavailable[0]("away")

    with pytest.raises(db.Unavailable):
        changes.tell(fail)
    assert told(changes) == [0]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_connection_that_fails_is_made_anew_and_misses_nothing(changes):
    told(changes)
    assert isinstance(changes._connection, sqlite3.Connection)
    changes._connection.close()
    _count_one()
    assert told(changes) == [1]
    assert told(changes) == [1]  # what the new connection has seen first is not what the old one had
    assert told(changes) == []
