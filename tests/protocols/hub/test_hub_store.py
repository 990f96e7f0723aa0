"""Values outlive a restart and a kill; a damaged file and a full disk end nothing."""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.hub.keeper import StoreKeeper
from protocols.hub.store import Store
from tests.protocols.hub.hub_bed import START, Bed, anything
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[3]


class Kept(Bed):
    """A hub with its file; what the store's thread wants done is done when it is waited for."""

    def __init__(self, path: Path, integration_ids: Collection[int] = range(10), **limits: int) -> None:
        self.keeper = StoreKeeper(path)
        super().__init__(self.keeper, **limits)
        self._soon: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.hub.start(self._soon.put, integration_ids)

    def turn(self, seconds: float = 10) -> None:
        self._soon.get(timeout=seconds)()

    def written(self) -> Kept:
        """Wait until everything is written."""
        self.hub.sweep()
        while not self.keeper.is_idle:
            self.turn()
            self.hub.sweep()
        return self

    def all(self) -> list[tuple[str, bytes, bool, int]]:
        return [one[1:5] for one in self.hub.values("", None, 9_999, anything).messages]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


def test_values_come_back_with_all_that_belongs_to_them(path: Path) -> None:
    bed = Kept(path).run("a/b", b"1", b"2", who=7).one("c", b"3", who=8, retain=True).run("ä", b"")
    bed.run("old", b"x").one("late", b"y", expires_in=100).one("early", b"z", expires_in=10)
    before = {topic: bed.hub.get(topic) for topic in ("a/b", "c", "ä", "late")}
    bed.hub.delete("old")
    bed.hub.stop()
    again = Kept(path)
    again.clock.now += 50
    assert {topic: again.hub.get(topic) for topic in before} == before
    assert again.hub.get("early") is again.hub.get("old") is None
    again.clock.now += 50
    assert again.hub.get("late") is None
    assert again.hub.since(bed.hub.number, ["#"], 9)[1], "what came between is not known"
    assert again.hub.publish("a/b", b"").number > max(one.number for one in before.values() if one)
    again.hub.stop()


def test_values_of_integrations_that_were_deleted_meanwhile_are_gone(path: Path) -> None:
    bed = Kept(path).run("a", b"1", who=1).run("b", b"2", who=2).run("c", b"3", who=0).run("d", b"4", who=1)
    bed.hub.stop()
    again = Kept(path, {2, 3})
    assert again.all() == [("b", b"2", False, 2), ("c", b"3", False, 0)]
    again.hub.stop()
    assert [topic for topic, *_ in Kept(path).all()] == ["b", "c"], "also in the file"


def test_a_value_that_is_too_large_by_now_is_let_go_of_at_a_start_and_no_other(path: Path) -> None:
    bed = Kept(path).run("a", b"1").run("large", bytes(60_000)).run("b", b"2")
    bed.hub.stop()
    for _ in range(2):
        again = Kept(path, bytes=65_536)
        assert [topic for topic, *_ in again.all()] == ["a", "b"]
        again.hub.stop()
    assert [topic for topic, *_ in Kept(path).all()] == ["a", "b"]


def test_numbers_grow_although_the_clock_was_set_back(path: Path) -> None:
    bed = Kept(path)
    bed.clock.now = START + 1_000_000
    number = bed.hub.publish("a", b"1").number
    bed.hub.stop()
    again = Kept(path)
    assert again.hub.publish("a", b"2").number > number
    again.hub.stop()


def test_the_order_of_updates_comes_back(path: Path) -> None:
    bed = Kept(path)
    for topic in ("a", "b", "c"):
        bed.run(topic, b"1").written()
    bed.run("a", b"2").hub.stop()
    again = Kept(path, topics=2)
    assert [topic for topic, *_ in again.all()] == ["a", "c"]
    again.hub.stop()
    assert [topic for topic, *_ in Kept(path).all()] == ["a", "c"], "what did not fit is gone from the file"


@settings(max_examples=30)
@given(
    acts=st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abcdef"), st.sampled_from([b"", b"1", b"22"]), st.booleans()),
            st.sampled_from(["sweep", "turn", "restart"]),
        ),
        max_size=40,
    )
)
def test_whatever_is_written_when_the_same_comes_back(
    acts: list[tuple[str, bytes, bool] | str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("hub") / "hub.db"
    bed = Kept(path, topics=4)
    for act in acts:
        if isinstance(act, tuple):
            topic, payload, retain = act
            bed.one(topic, payload, retain=retain).hub.settle()
        elif act == "sweep":
            bed.hub.sweep()
        elif act == "turn" and bed.keeper._under_way is not None:
            bed.turn()
        elif act == "restart":
            before = bed.all()
            bed.hub.stop()
            bed = Kept(path, topics=4)
            assert bed.all() == before
    before = bed.written().all()
    bed.hub.stop()
    with sqlite3.connect(path) as db:
        [(count,)] = db.execute("SELECT count(*) FROM record")
    db.close()
    assert count == len(before), "one record for each value, and no others"


def test_a_damaged_record_is_left_out_and_the_file_is_put_aside(path: Path) -> None:
    Kept(path).run("a", b"1").run("b", b"2").hub.stop()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE record SET data = data || x'00' WHERE id = 1")
    db.close()
    bed = Kept(path)
    assert [topic for topic, *_ in bed.all()] == ["b"]
    assert list(path.parent.glob("hub.db.damaged-*"))
    bed.run("a", b"3").hub.stop()
    assert len(Kept(path).all()) == 2


def test_a_file_that_is_none_ends_nothing(path: Path) -> None:
    path.write_bytes(os.urandom(10_000))
    bed = Kept(path).run("a", b"1")
    bed.written().hub.stop()
    assert [topic for topic, *_ in Kept(path).all()] == ["a"]


def test_damage_while_it_runs_loses_nothing_that_is_in_memory(path: Path) -> None:
    bed = Kept(path)
    for number in range(50):
        bed.run(f"t{number}", bytes(500))
    bed.written()
    path.with_name("hub.db-wal").unlink()
    path.with_name("hub.db-shm").unlink()
    path.write_bytes(b"SQLite format 3\0" + os.urandom(40_000))
    bed.run("t0", b"new")
    bed.hub.sweep()
    for _ in range(100):
        if bed.written().keeper._store.recoveries:
            break
        bed.run("t0", b"new")
    bed.written()
    before = bed.all()
    bed.hub.stop()
    assert Kept(path).all() == before


@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_file_that_is_deleted_is_written_anew(path: Path, monkeypatch: pytest.MonkeyPatch, is_quiet: bool) -> None:
    monkeypatch.setattr(Store, "idle", 0.05)
    bed = Kept(path).run("a", b"1").run("b", b"2").written()
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"hub.db{suffix}").unlink(missing_ok=True)
    if is_quiet:
        wait_until(lambda: bed.keeper._store.recoveries)
    else:
        bed.run("a", b"3").written()
    bed.written()
    before = bed.all()
    with sqlite3.connect(path) as db:  # as a kill would leave it
        assert db.execute("SELECT count(*) FROM record").fetchone() == (2,)
    bed.hub.stop()
    assert Kept(path).all() == before


def test_a_full_disk_goes_on_in_memory_and_is_written_later(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bed = Kept(path).run("a", b"1").written()
    db = bed.keeper._store._db
    assert db is not None
    [(pages,)] = db.execute("PRAGMA page_count").fetchall()
    db.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    bed.run("a", bytes(100_000)).run("b", b"2")
    bed.hub.sweep()
    bed.turn()
    assert bed.keeper._store.is_failing
    trouble = bed.hub.trouble
    assert trouble is not None and trouble.file == "hub.db"
    assert trouble.fault == "cannot be written (database or disk is full)"
    assert trouble.meanwhile == "last values are kept in memory only"
    assert [topic for topic, *_ in bed.all()] == ["a", "b"]
    db.execute("PRAGMA max_page_count = 1000000").fetchall()
    bed.hub.delete("b")
    bed.run("c", b"3")
    with caplog.at_level(logging.WARNING):
        before = bed.written().all()
    assert "can be written again" in caplog.text and bed.hub.trouble is None
    bed.hub.stop()
    assert Kept(path).all() == before


_WRITER = """
import queue, sys, time
from tests.protocols.hub.test_hub_store import Kept
from pathlib import Path

bed = Kept(Path(sys.argv[1]))
bed.clock = time.time
number = 0
while True:
    for topic in range(50):
        bed.run(f"t{topic}", b"%06d" % number)
    bed.hub.settle()
    print(number, flush=True)
    number += 1
    time.sleep(0.02)
    if number % 25 == 0:
        bed.hub.sweep()
    while not bed._soon.empty():
        bed.turn()
"""


def test_a_kill_loses_the_last_second_at_most(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while process.stdout.readline() != "120\n":
            pass
        process.kill()
        last = int(f"120 {process.stdout.read()}".split()[-1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    found = Kept(path).all()
    assert len(found) == 50
    assert not list(path.parent.glob("hub.db.damaged-*"))
    for _, payload, *_ in found:
        assert int(payload) >= last - 50, "50 rounds take it a second at least"
