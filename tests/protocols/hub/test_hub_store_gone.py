"""What is gone from the hub goes from its file too, and does not come back with a restart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from protocols.hub import records
from tests.protocols.hub.hub_bed import START
from tests.protocols.hub.test_hub_store import Kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


def rows(path: Path) -> int:
    """Return how many records a file has."""
    with sqlite3.connect(path) as db:
        [(count,)] = db.execute("SELECT count(*) FROM record")
    db.close()
    return int(count)


def came_back(path: Path) -> list[str]:
    """Return the topics that have a value after a restart."""
    again = Kept(path)
    found = [topic for topic, *_ in again.all()]
    again.hub.stop()
    return found


def test_values_of_deleted_integrations_do_not_come_back(path: Path) -> None:
    bed = Kept(path).run("a", b"1", who=1).run("b", b"2", who=2).written()
    bed.hub.forget({1})
    bed.hub.settle()
    bed.written().hub.stop()
    assert (rows(path), came_back(path)) == (1, ["b"])


def test_a_value_that_has_expired_leaves_the_file(path: Path) -> None:
    bed = Kept(path).one("a", b"1", expires_in=10).run("b", b"2").written()
    assert rows(path) == 2
    bed.clock.now += 10
    bed.written()
    assert rows(path) == 1
    bed.hub.stop()


def test_a_value_that_was_deleted_while_the_disk_was_full_does_not_come_back(path: Path) -> None:
    bed = Kept(path).run("a", b"1").run("b", b"2").written()
    db = bed.keeper._store._db
    assert db is not None
    [(pages,)] = db.execute("PRAGMA page_count").fetchall()
    db.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    bed.hub.delete("b")
    bed.run("a", bytes(100_000)).hub.sweep()
    bed.turn()
    assert bed.keeper._store.is_failing
    db.execute("PRAGMA max_page_count = 1000000").fetchall()
    bed.written().hub.stop()
    assert (rows(path), came_back(path)) == (1, ["a"])


def test_of_two_records_of_a_topic_the_older_one_is_let_go_of(path: Path) -> None:
    Kept(path).run("a", b"new").hub.stop()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO record VALUES (9, ?)", (records.encode(9, (1, "a", b"old", False, 1, START), None),))
    db.close()
    bed = Kept(path)
    assert [payload for _, payload, *_ in bed.all()] == [b"new"]
    bed.written().hub.stop()
    assert rows(path) == 1
