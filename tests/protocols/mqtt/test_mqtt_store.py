"""The store's file: written in batches, and what of it survives a full disk and kills."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from protocols.mqtt import store as store_module
from protocols.mqtt.store import record_file
from protocols.storage import salvage
from tests.protocols.storage.bed import Make, asides, is_whole, rows, sealed


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
    trouble = store.store.trouble
    assert trouble is not None and trouble.fault == "has hardly any room left on its disk"
    free = 18 << 20
    assert store.write({3: b"three"}) == "done"
    assert not store.store.accepting, "it does not change its mind with each message"
    free = 40 << 20
    deadline = time.monotonic() + 5
    while not store.store.accepting:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert store.store.trouble is None
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "the disk of mqtt.db is nearly full: messages for durable sessions and retained ones are refused for now",
        "the disk of mqtt.db has room again",
    ]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from store_file import Writing
from tests.protocols.storage.bed import rows
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
    environ = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[2]}"}
    subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], env=environ, check=True, timeout=30)
    assert len(opened().found) == 2000
    assert asides(path) == []


# --- kills

KILLED = """
import sys
from pathlib import Path
from store_file import Writing
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
        salvage.recover(record_file(copy, is_whole))
        found = dict(record_file(copy, is_whole).rows())
        assert max(found) in (last, last + 50)
        assert set(found) == set(range(max(1, max(found) - 499), max(found) + 1))
        record_file(copy, is_whole).remove()
    assert asides(path) == []
