"""Calls, deadlines and the buffer: with threads, and without sockets."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_connector import jobs
from edge_connector.errors import Busy
from edge_connector.jobs import Job
from edge_connector.lanes import Lane
from edge_connector.outbox import InUse, Message, Outbox
from edge_connector.pauses import LONGEST, Pauses
from edge_connector.timetable import Timetable
from edge_connector.wire import Request
from tests.support.processes import wait_until

REQUEST = Request("Files", "box", "read", [], "d/pc/1", "n-1")


@pytest.fixture
def timetable() -> Iterator[Timetable]:
    found = Timetable()
    found.start()
    yield found
    found.stop()


class Replies(list):
    def take(self, client: str, payload: bytes) -> None:
        assert client == REQUEST.client
        self.append(json.loads(payload))


def test_a_lane_that_hangs_says_that_it_is_busy_and_does_not_keep_the_process() -> None:
    lane, release, begun = Lane("plc", 2, 3), threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        release.wait(10)

    for _ in range(2):
        lane.submit(hang)
        assert begun.acquire(timeout=20)
    for _ in range(3):
        lane.submit(hang)
    with pytest.raises(Busy, match="plc is busy: 5 calls"):
        lane.submit(hang)
    lane.close(0.01)
    with pytest.raises(Busy, match="ending"):
        lane.submit(hang)
    release.set()


def test_a_quick_call_is_answered_once(timetable: Timetable) -> None:
    replies = Replies()
    job = Job(REQUEST, replies.take, timetable, 30, 1000)
    job.answer([1])
    job.fail("too late")
    assert replies == [{"r": [1], "i": "n-1", "v": 3}]


def test_a_slow_call_is_promised_and_answered_by_its_promise(
    timetable: Timetable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SLOW", 0.01)
    replies = Replies()
    job = Job(REQUEST, replies.take, timetable, 30, 1000)
    wait_until(lambda: replies)
    promise = replies[0]["r"]
    assert promise.startswith("__p__read-")
    job.answer("done")
    assert replies[1] == {"r": "done", "i": promise, "v": 3}


def test_a_call_that_takes_too_long_is_answered_all_the_same(timetable: Timetable) -> None:
    replies = Replies()
    job = Job(REQUEST, replies.take, timetable, 0.05, 1000)
    wait_until(lambda: replies)
    job.answer("too late")
    assert replies == [{"e": {"message": "read took longer than 0.05 s"}, "i": "n-1", "v": 3}]


def test_a_result_that_is_too_large_is_refused(timetable: Timetable) -> None:
    replies = Replies()
    Job(REQUEST, replies.take, timetable, 30, 100).answer("x" * 101)
    assert "at most 100 are sent" in replies[0]["e"]["message"]


def test_what_is_due_is_done_in_order_and_what_is_cancelled_is_not() -> None:
    now, done = [100.0], []
    timetable = Timetable(lambda: now[0])
    timetable.after(2, lambda: done.append("second"))
    timetable.after(1, lambda: done.append("first"))
    timetable.after(1.5, lambda: done.append("cancelled")).cancel()
    timetable.after(50, lambda: done.append("later"))
    now[0] = 110
    timetable.start()
    wait_until(lambda: len(done) == 2)
    timetable.stop()
    assert done == ["first", "second"]


def test_pauses_grow_to_a_bound_and_differ() -> None:
    pauses = Pauses(lambda: 1.0)
    lengths = [pauses.next() for _ in range(10)]
    assert lengths[:4] == [1, 2, 4, 8]
    assert lengths[-1] == LONGEST
    pauses.reset()
    assert Pauses(lambda: 0.0).next() == 0.5 < pauses.next()


def message(value: int, size: int = 1) -> Message:
    return Message("t", f"{value:0{size}d}".encode(), False, "")


def test_the_buffer_keeps_order_and_numbers_over_restarts(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", 10_000)
    outbox.add([message(1), message(2), message(3)])
    outbox.remove(outbox.after(0, 3))
    outbox.add([message(4)])
    outbox.close()
    again = Outbox(tmp_path / "outbox.db", 10_000)
    assert [(number, one.payload) for number, one in again.after(0, 10)] == [(4, b"4")]
    assert (again.count, again.bytes) == (1, message(4).size)
    again.remove(again.after(0, 1))
    assert (again.count, again.bytes) == (0, 0)
    again.close()


def test_beyond_its_bound_the_buffer_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", 20 * message(1, 100).size)
    for value in range(50):
        outbox.add([message(value, 100)])
    kept = [int(one.payload) for _, one in outbox.after(0, 100)]
    assert kept == list(range(50 - len(kept), 50))
    assert 18 <= len(kept) <= 20
    assert outbox.dropped == 50 - len(kept)
    outbox.close()


def test_a_damaged_buffer_is_put_aside_and_one_in_use_is_not_shared(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"no database" * 1000)
    outbox = Outbox(path, 10_000)
    assert (tmp_path / "outbox.damaged").exists()
    with pytest.raises(InUse, match="another agent uses"):
        Outbox(path, 10_000)
    outbox.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM message").fetchone() == (0,)
    db.close()
