"""The store's file: written in batches, read back whatever has happened to it."""

from __future__ import annotations

import os
import queue
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from protocols.mqtt import salvage
from protocols.mqtt import store as store_module
from protocols.mqtt.store import Batch, Store

Make = Callable[..., "Writing"]


def sealed(number: int, data: bytes) -> bytes:
    return crc32(data, number).to_bytes(4, "little") + data


def is_whole(number: int, data: bytes) -> bool:
    return len(data) > 3 and data == sealed(number, data[4:])


class Writing:
    """A store that is open, whose answers the test takes."""

    def __init__(self, path: Path, **options: str) -> None:
        self.answers: queue.Queue[Callable[[], None]] = queue.Queue()
        self.store = Store(path, is_whole, **options)
        self.found = dict(self.store.open())
        self.said: list[str] = []
        self.store.start(self.answers.put, lambda: self.said.append("done"), lambda: self.said.append("failed"))

    def write(self, puts: dict[int, bytes], gone: tuple[int, ...] = ()) -> str:
        """Write a batch of what is not sealed yet, and return what became of it."""
        self.store.write(Batch({number: sealed(number, data) for number, data in puts.items()}, gone))
        return self.answer()

    def answer(self) -> str:
        self.answers.get(timeout=10)()
        return self.said.pop()

    def limit(self, pages: int) -> None:
        """Let the file have no more than so many pages."""
        assert self.store._db is not None
        self.store._db.execute(f"PRAGMA max_page_count = {pages}")

    def stop(self) -> None:
        self.store.stop(None, 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mqtt.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Make]:
    """Open the store, which is closed at the end."""
    all_of_them: list[Writing] = []

    def make(at: Path = path, **options: str) -> Writing:
        all_of_them.append(Writing(at, **options))
        return all_of_them[-1]

    yield make
    for one in all_of_them:
        one.stop()


def rows(count: int, size: int = 200) -> dict[int, bytes]:
    """Return records that differ."""
    return {number: b"%d " % number * (size // len(b"%d " % number)) for number in range(1, count + 1)}


def filled(path: Path, count: int = 2000) -> dict[int, bytes]:
    """Make a store that holds records, closed in order."""
    store = Writing(path)
    assert store.write(rows(count)) == "done"
    store.stop()
    return {number: sealed(number, data) for number, data in rows(count).items()}


def asides(path: Path, suffix: str = "Z") -> list[str]:
    return sorted(one.name for one in path.parent.glob(f"{path.name}.damaged-*{suffix}"))


# --- batches


def test_a_batch_is_there_after_a_restart(path: Path, opened: Make) -> None:
    store = opened()
    assert store.found == {}
    assert store.write({1: b"one", 2: b"two", 3: b""}) == "done"
    assert store.write({2: b"new", 2**40: b"far"}, (1,)) == "done"
    assert store.write({}, (3, 99)) == "done"
    store.stop()
    assert opened().found == {2: sealed(2, b"new"), 2**40: sealed(2**40, b"far")}
    assert not path.with_name("mqtt.db.new").exists()


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


def test_commits_are_as_durable_as_was_asked_for(opened: Make, tmp_path: Path) -> None:
    for name, number in (("full", 2), ("normal", 1)):
        store = opened(tmp_path / name, synchronous=name)
        assert store.store._db is not None
        assert store.store._db.execute("PRAGMA synchronous").fetchone() == (number,)


def test_log_and_file_stay_small(path: Path, opened: Make) -> None:
    store = opened(synchronous="off")
    data = os.urandom(1000)
    first = 1
    for _ in range(150):
        numbers = range(first, first + 500)
        assert store.write(dict.fromkeys(numbers, data), tuple(range(first - 1000, first - 500))) == "done"
        first += 500
    assert os.stat(f"{path}-wal").st_size < 50 << 20, "75 MB were written"
    assert path.stat().st_size < 5 << 20, "what was deleted is used again"


def test_the_file_shrinks_when_there_is_time(path: Path, opened: Make) -> None:
    store = opened(synchronous="off")
    assert store.write(rows(20_000, 500)) == "done"
    assert store.write({1: b"one"}, tuple(range(2, 20_001))) == "done"
    deadline = time.monotonic() + 10
    while not path.stat().st_size or path.stat().st_size > 4 << 20:
        assert time.monotonic() < deadline, f"{path.stat().st_size} bytes"
        time.sleep(0.05)
    assert store.write({2: b"two"}) == "done"
    store.stop()
    assert opened().found == {1: sealed(1, b"one"), 2: sealed(2, b"two")}


# --- a full disk


def test_a_full_disk_is_said_and_tried_again(opened: Make, caplog: pytest.LogCaptureFixture) -> None:
    store = opened()
    assert store.write({1: b"one"}) == "done"
    store.limit(1)
    start = time.monotonic()
    assert store.write(rows(500)) == "failed"
    assert store.write(rows(500)) == "failed"
    assert 1.5 < time.monotonic() - start < 10, "each try waits for a second"
    assert store.store.failing
    store.limit(1_000_000)
    assert store.write(rows(500)) == "done"
    assert not store.store.failing
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "mqtt.db cannot be written (database or disk is full)" in said[0]
    assert said[1] == "mqtt.db can be written again"
    store.stop()
    assert len(opened().found) == 500


def test_before_the_disk_is_full_nothing_more_is_taken(
    opened: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free = 1 << 40
    monkeypatch.setattr(store_module, "free_bytes", lambda folder: free)
    monkeypatch.setattr(store_module, "_LOOK", 0.05)
    store = opened()
    assert store.write({1: b"one"}) == "done"
    assert store.store.accepting
    free = 10 << 20
    assert store.write({2: b"two"}, (1,)) == "done", "what is there can still change"
    assert not store.store.accepting
    free = 18 << 20
    assert store.write({3: b"three"}) == "done"
    assert not store.store.accepting, "it does not change its mind with each message"
    free = 40 << 20
    deadline = time.monotonic() + 5
    while not store.store.accepting:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "the disk of mqtt.db is nearly full: messages for durable sessions and retained ones are refused for now",
        "the disk of mqtt.db has room again",
    ]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.protocols.mqtt.test_mqtt_store import Writing, rows
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Writing(Path(sys.argv[1]))
assert store.write({1: b"one"}) == "done"
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
assert store.write(rows(2000)) == "failed"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.write(rows(2000)) == "done"
store.stop()
"""


def test_a_file_that_cannot_grow_recovers(path: Path, opened: Make) -> None:
    here = Path(__file__).parent
    code = FULL_DISK.replace("tests.protocols.mqtt.", "")
    environ = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[2]}"}
    subprocess.run([sys.executable, "-c", code, str(path)], env=environ, check=True, timeout=30)
    assert len(opened().found) == 2000
    assert asides(path) == []


# --- damage


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
    run(path, f"PRAGMA user_version = {salvage.VERSION + 1}")


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
    assert said.startswith("mqtt.db was damaged (")
    assert f"{len(store.found)} records are whole and kept" in said
    assert aside in said
    assert store.write({1: b"one", 5000: b"new"}) == "done"
    store.stop()
    again = opened()
    assert again.found == store.found | {1: sealed(1, b"one"), 5000: sealed(5000, b"new")}
    assert asides(path) == [aside]


def unfinished(path: Path, at: Path) -> dict[int, bytes]:
    """Make what a kill leaves: a file of which much is only in the log."""
    store = Writing(path)
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
        (folder / "mqtt.db").write_bytes(data[: chance.choice([len(data), len(data), chance.randrange(len(data))])])
        store = Writing(folder / "mqtt.db")
        try:
            assert store.found.items() <= before.items()
            assert not store.store.failing
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
        salvage.recover(path, is_whole)
        assert step == 3, "file, log and new file"
    except Killed:
        pass
    monkeypatch.undo()
    found = opened().found
    assert 500 < len(found) < 2000
    assert found.items() <= before.items()
    assert not path.with_name("mqtt.db.new").exists()


# --- out of reach


def test_a_file_out_of_reach_is_waited_for(tmp_path: Path, opened: Make, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "later"
    store = opened(folder / "mqtt.db")
    assert store.store.failing
    assert store.write({2: b"two"}) == "failed"
    folder.mkdir()
    assert store.write({2: b"two"}) == "done"
    assert not store.store.failing
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    store.stop()
    assert opened(folder / "mqtt.db").found == {2: sealed(2, b"two")}


def test_a_file_that_could_not_be_read_is_not_mixed_with_a_new_one(path: Path, opened: Make) -> None:
    filled(path)
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("PRAGMA locking_mode = EXCLUSIVE")
    locker.execute("BEGIN EXCLUSIVE")
    try:
        store = opened()  # waits for as long as SQLite is told to
        assert store.store.failing
        assert store.found == {}
    finally:
        locker.close()
    assert store.write({1: b"one"}) == "done"
    store.stop()
    assert opened().found == {1: sealed(1, b"one")}
    assert len(asides(path)) == 1


# --- kills

KILLED = """
import sys
from pathlib import Path
from test_mqtt_store import Writing
store = Writing(Path(sys.argv[1]))
first = max(store.found, default=0) + 1
while True:
    numbers = range(first, first + 50)
    assert store.write({n: b"%d" % n * 20 for n in numbers}, tuple(n - 500 for n in numbers)) == "done"
    first += 50
    sys.stdout.write(f"{first - 1}\\n")
    sys.stdout.flush()
"""


def test_nothing_committed_is_lost_by_kills(path: Path) -> None:
    here = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[2]}"}
    chance = random.Random(1)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], env=environ, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.4))
        process.kill()
        last = int(process.stdout.read().split()[-1])
        process.wait()
        process.stdout.close()
        copy = path.with_name("copy.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
        found = dict(salvage.recover(copy, is_whole))
        assert max(found) in (last, last + 50)
        assert set(found) == set(range(max(1, max(found) - 499), max(found) + 1))
        salvage._remove(copy)
    assert asides(path) == []
