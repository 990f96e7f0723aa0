"""A file of records, read back whatever has happened to it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from protocols.storage import salvage
from tests.protocols.storage.bed import VERSION, Make, asides, filled, plain, record_file, rows, sealed


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def tear(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 1234)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(9_000, len(data), 50_000):
        data[at] ^= 0x40
    path.write_bytes(data)


def overwrite_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for page in range(5, len(data) // 4096, 11):
        data[page * 4096 : page * 4096 + 4096] = os.urandom(4096)
    path.write_bytes(data)


def zero_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40_960 : 40_960 + 8 * 4096] = bytes(8 * 4096)
    path.write_bytes(data)


def spoil_header(path: Path) -> None:
    path.write_bytes(os.urandom(100) + path.read_bytes()[100:])


def spoil_root(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:100] + os.urandom(3 * 4096) + data[100 + 3 * 4096 :])


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(200_000))


def text(path: Path) -> None:
    path.write_text("this is no database\n" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def run(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def drop_table(path: Path) -> None:
    run(path, "DROP TABLE record")


def other_table(path: Path) -> None:
    run(path, "DROP TABLE record", "CREATE TABLE record (name TEXT, data TEXT)", "INSERT INTO record VALUES ('a', 'b')")


def other_program(path: Path) -> None:
    run(path, "PRAGMA application_id = 1")


def newer(path: Path) -> None:
    run(path, f"PRAGMA user_version = {VERSION + 1}")


def other_values(path: Path) -> None:
    run(path, "UPDATE record SET data = 'text' WHERE id % 7 = 0", "UPDATE record SET data = 17 WHERE id % 7 = 1")


HARM = [truncate, tear, flip, overwrite_pages, zero_pages, spoil_header, spoil_root, garbage, text, empty]
HARM += [drop_table, other_table, other_program, newer, other_values]
SOME_IS_WHOLE = {truncate, tear, flip, overwrite_pages, zero_pages, other_values}


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_a_damaged_file_is_put_aside_and_what_is_whole_goes_on(
    harm: Callable[[Path], None], path: Path, opened: Make, caplog: pytest.LogCaptureFixture
) -> None:
    before = filled(path)
    harm(path)
    damaged = path.read_bytes()
    store = opened()
    assert store.found.items() <= before.items()
    if harm in SOME_IS_WHOLE:
        assert 500 < len(store.found) < 2000
    (aside,) = asides(path)
    assert path.with_name(aside).read_bytes() == damaged
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("records.db was damaged (")
    assert f"{len(store.found)} records are whole and kept" in said
    assert aside in said
    assert store.write({1: b"one", 5000: b"new"}) == "done"
    store.stop()
    again = opened()
    assert again.found == store.found | {1: sealed(1, b"one"), 5000: sealed(5000, b"new")}
    assert asides(path) == [aside]


def unfinished(path: Path, at: Path) -> dict[int, bytes]:
    """Make what a kill leaves: a file of which much is only in the log."""
    store = plain(path)
    for number in range(1, 200):
        assert store.write({number: b"%d" % number * 100}) == "done"
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{at}{suffix}")
    store.stop()
    return {number: sealed(number, b"%d" % number * 100) for number in range(1, 200)}


def test_what_is_only_in_the_log_is_read(tmp_path: Path, path: Path, opened: Make) -> None:
    expected = unfinished(tmp_path / "first.db", path)
    assert opened().found == expected
    assert asides(path) == []


def test_a_torn_log_ends_at_its_last_whole_batch(tmp_path: Path, path: Path, opened: Make) -> None:
    expected = unfinished(tmp_path / "first.db", path)
    log = Path(f"{path}-wal")
    os.truncate(log, log.stat().st_size // 2)
    found = opened().found
    assert 50 < len(found) < 150
    assert found.items() <= expected.items()
    assert set(found) == set(range(1, len(found) + 1)), "batches are lost from the end on only"


@pytest.mark.parametrize("harm", [garbage, empty, Path.unlink], ids=["garbage", "empty", "missing"])
def test_a_log_that_is_gone_leaves_what_was_in_the_file(
    harm: Callable[[Path], None], tmp_path: Path, path: Path, opened: Make
) -> None:
    unfinished(tmp_path / "first.db", path)
    harm(Path(f"{path}-wal"))
    store = opened()
    assert store.write({1: b"one"}) == "done"


def test_a_log_without_its_file_is_put_aside(path: Path, opened: Make, tmp_path: Path) -> None:
    unfinished(tmp_path / "first.db", path)
    path.unlink()
    store = opened()
    assert store.found == {}
    assert store.write({1: b"one"}) == "done"
    assert len(asides(path, "-wal")) == 1


def test_random_damage_never_keeps_it_from_starting(path: Path) -> None:
    before = filled(path, 300)
    whole = path.read_bytes()
    chance = random.Random(4)
    for round_number in range(30):
        folder = path.parent / str(round_number)
        folder.mkdir()
        data = bytearray(whole)
        for _ in range(chance.choice([1, 3, 30, 300])):
            at = chance.randrange(len(data))
            data[at : at + chance.choice([1, 1, 16, 4096])] = chance.randbytes(chance.choice([1, 1, 16, 4096]))
        (folder / "records.db").write_bytes(data[: chance.choice([len(data), len(data), chance.randrange(len(data))])])
        store = plain(folder / "records.db")
        try:
            assert store.found.items() <= before.items()
            assert not store.store.is_failing
            assert store.write({1000: b"new"}) == "done"
        finally:
            store.stop()


def test_damage_while_it_runs_is_repaired(path: Path, opened: Make, caplog: pytest.LogCaptureFixture) -> None:
    store = opened()
    assert store.write(rows(2000)) == "done"
    store.stop()
    store = opened()
    overwrite_pages(path)
    said = store.write({}, tuple(range(1, 2001, 3)))
    assert said == "failed"
    assert store.write({3000: b"new"}, tuple(range(1, 2001, 3))) == "done"
    assert len(asides(path)) == 1
    store.stop()
    found = opened().found
    assert found[3000] == sealed(3000, b"new")
    assert all(number % 3 != 1 for number in found)
    assert "was damaged" in caplog.text


@pytest.mark.parametrize("step", range(4))
def test_a_kill_while_a_damaged_file_is_replaced_loses_nothing(
    step: int, path: Path, opened: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = filled(path)
    flip(path)
    Path(f"{path}-wal").write_bytes(b"torn" * 100)

    class Killed(Exception):
        pass

    steps = 0
    rename = Path.rename

    def counted(self: Path, target: Path) -> Path:
        nonlocal steps
        if steps == step:
            raise Killed
        steps += 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", counted)
    try:
        salvage.recover(record_file(path))
        assert step == 3, "file, log and new file"
    except Killed:
        pass
    monkeypatch.undo()
    found = opened().found
    assert 500 < len(found) < 2000
    assert found.items() <= before.items()
    assert not path.with_name("records.db.new").exists()


def test_the_newest_three_damaged_files_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    file = record_file(tmp_path / "records.db")
    for number in range(12):  # within one second, too
        file.path.write_text(f"damaged {number}")
        file.beside("-wal").write_text(f"log {number}")
        last = file.put_aside()
    other = tmp_path / "records.db.damaged-by-me"
    other.write_text("somebody's own")
    older = tmp_path / "records.db.damaged-20200101T000000Z"
    older.write_text("old")
    file.path.write_text("damaged 12")
    last = file.put_aside()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found.pop(other.name) == "somebody's own"
    assert found[last] == "damaged 12"
    expected = [f"damaged {number}" for number in (10, 11, 12)] + ["log 10", "log 11"]
    assert sorted(found.values()) == sorted(expected)
