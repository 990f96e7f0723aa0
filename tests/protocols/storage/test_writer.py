"""Records written in batches, whatever the disk says."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from protocols.storage.batch import Batch
from tests.protocols.storage.bed import Make, Plain, asides, filled, plain, record_file, rows, sealed


def test_a_batch_is_there_after_a_restart(path: Path, opened: Make) -> None:
    store = opened()
    assert store.found == {}
    assert store.write({1: b"one", 2: b"two", 3: b""}) == "done"
    assert store.write({2: b"new", 2**40: b"far"}, (1,)) == "done"
    assert store.write({}, (3, 99)) == "done"
    store.stop()
    assert opened().found == {2: sealed(2, b"new"), 2**40: sealed(2**40, b"far")}
    assert not path.with_name("records.db.new").exists()


def test_a_batch_larger_than_a_statement_takes(opened: Make) -> None:
    store = opened()
    large = {number: os.urandom(6 << 20) for number in range(1, 8)}
    batch = Batch({number: sealed(number, data) for number, data in large.items()}, ())
    assert len(batch.insertions) == 3
    store.store.write(batch)
    assert store.answer() == "done"
    store.stop()
    assert opened().found == batch.puts


def test_the_last_batch_is_written_when_it_stops(opened: Make) -> None:
    store = opened()
    store.store.stop(Batch({5: sealed(5, b"last")}, ()), 10)
    assert opened().found == {5: sealed(5, b"last")}


def test_a_full_disk_is_said_and_tried_again(opened: Make, caplog: pytest.LogCaptureFixture) -> None:
    store = opened()
    assert store.write({1: b"one"}) == "done"
    store.limit(1)
    start = time.monotonic()
    assert store.write(rows(500)) == "failed"
    assert store.write(rows(500)) == "failed"
    assert time.monotonic() - start > 1.5, "each try waits for a second"
    assert store.store.is_failing
    store.limit(1_000_000)
    assert store.write(rows(500)) == "done"
    assert not store.store.is_failing
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "records.db cannot be written (database or disk is full)" in said[0]
    assert said[1] == "records.db can be written again"
    store.stop()
    assert len(opened().found) == 500


def test_a_file_out_of_reach_is_waited_for(tmp_path: Path, opened: Make, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "later"
    store = opened(folder / "records.db")
    assert store.store.is_failing
    assert store.write({2: b"two"}) == "failed"
    folder.mkdir()
    assert store.write({2: b"two"}) == "done"
    assert not store.store.is_failing
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    store.stop()
    assert opened(folder / "records.db").found == {2: sealed(2, b"two")}


def test_a_file_that_could_not_be_read_is_not_mixed_with_a_new_one(path: Path, opened: Make) -> None:
    filled(path)
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("PRAGMA locking_mode = EXCLUSIVE")
    locker.execute("BEGIN EXCLUSIVE")
    try:
        store = opened()  # waits for as long as SQLite is told to
        assert store.store.is_failing
        assert store.found == {}
    finally:
        locker.close()
    assert store.write({1: b"one"}) == "done"
    store.stop()
    assert opened().found == {1: sealed(1, b"one")}
    assert len(asides(path)) == 1


@pytest.mark.parametrize("leave", [("",), ("", "-wal", "-shm")], ids=["the file", "all of it"])
def test_a_file_that_is_deleted_while_it_is_written_is_begun_anew(
    path: Path, leave: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    store = plain(path)
    store.write({1: b"one"})
    for suffix in leave:
        path.with_name(path.name + suffix).unlink()
    assert store.write({2: b"two"}) == "done"
    assert store.store.recoveries == 1 and "deleted or replaced" in caplog.text
    assert store.write({3: b"three"}) == "done"
    assert store.store.recoveries == 1
    store.stop()
    assert plain(path).found == {2: sealed(2, b"two"), 3: sealed(3, b"three")}


def test_a_file_that_is_replaced_is_put_aside_and_not_written_to(path: Path) -> None:
    store, other = plain(path), path.with_name("other.db")
    store.write({1: b"one"})
    filled(other, 2)
    content = other.read_bytes()
    other.rename(path)
    assert store.write({3: b"three"}) == "done"
    store.stop()
    assert plain(path).found == {3: sealed(3, b"three")}
    assert [path.with_name(name).read_bytes() for name in asides(path)] == [content]


def test_a_store_that_was_never_started_can_be_stopped(path: Path) -> None:
    filled(path, 3)
    store = Plain(record_file(path), "test-store")
    assert len(list(store.open())) == 3
    store.stop(None, 10)


def test_a_file_that_is_busy_when_it_has_been_read_does_not_lose_its_records(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(path, 3)

    def busy(self: Plain) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(Plain, "_connect", busy)
        store = plain(path)
    assert store.found == before and store.store.is_failing
    assert store.write({4: b"four"}) == "done"
    store.stop()
    again = plain(path)
    again.stop()
    assert again.found == before | {4: sealed(4, b"four")}
    assert asides(path) == []
