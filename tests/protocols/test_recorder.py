"""The presence thread: batches, a database that fails and comes back, and events that cannot be written."""

from __future__ import annotations

import threading

import pytest

from protocols import recorder as module
from protocols.recorder import Recorder
from tests.support.processes import wait_until


class Unavailable(Exception):
    pass


class Rejected(Exception):
    pass


class Store:
    """Stands for the database: what was written, and what to raise."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.repaired = 0
        self.raises: Exception | None = None
        self.repair_raises: Exception | None = None
        self.poison: int | None = None
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()

    def write(self, batch: list[int]) -> None:
        self.attempts += 1
        self.gate.wait(20)
        if self.raises:
            raise self.raises
        if self.poison in batch:
            raise Rejected("poison")
        self.batches.append(batch)

    def repair(self) -> None:
        self.gate.wait(20)
        if self.repair_raises:
            raise self.repair_raises
        self.repaired += 1

    @property
    def events(self) -> list[int]:
        return [event for batch in self.batches for event in batch]


@pytest.fixture
def store(monkeypatch) -> Store:
    monkeypatch.setattr(module, "RETRY", 0.02)
    return Store()


@pytest.fixture
def make(store):
    made: list[Recorder] = []

    def start(**options) -> Recorder:
        recorder = Recorder(
            store.write,
            store.repair,
            unavailable=(Unavailable,),
            rejected=(Rejected,),
            **options,
        )
        recorder.start()
        made.append(recorder)
        return recorder

    yield start
    store.gate.set()
    for recorder in made:
        recorder.stop(20)
        assert not recorder._thread.is_alive()


def put(recorder: Recorder, *events: int) -> None:
    for event in events:
        recorder.put(event)


def test_events_are_written_in_order_and_gathered(store, make):
    put(make(), *range(100))
    wait_until(lambda: len(store.events) == 100)
    assert store.events == list(range(100))
    assert len(store.batches) < 10


def test_an_event_is_written_though_no_other_follows(store, make):
    recorder = make()
    for event in range(5):
        put(recorder, event)
        wait_until(lambda event=event: event in store.events)


def test_events_put_by_many_threads_are_all_written(store, make):
    recorder = make()
    threads = [threading.Thread(target=put, args=(recorder, *range(n * 1000, n * 1000 + 1000))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(store.events) == 4000)
    assert sorted(store.events) == list(range(4000))


def test_a_batch_is_bounded(store, make, monkeypatch):
    monkeypatch.setattr(module, "MAX_BATCH", 10)
    store.gate.clear()
    recorder = make()
    put(recorder, *range(35))
    store.gate.set()
    wait_until(lambda: len(store.events) == 35)
    assert max(map(len, store.batches)) == 10


def test_putting_never_waits_for_the_database(store, make):
    store.gate.clear()
    recorder = make()
    put(recorder, 0)
    wait_until(lambda: store.attempts)
    put(recorder, *range(1, 1000))  # would hang here
    store.gate.set()
    wait_until(lambda: len(store.events) == 1000)


def test_events_wait_while_the_database_is_unavailable(store, make, caplog):
    store.raises = Unavailable("locked")
    recorder = make()
    put(recorder, 1, 2)
    wait_until(lambda: store.attempts >= 3)
    put(recorder, 3)
    assert store.events == []
    store.raises = None
    wait_until(lambda: store.events == [1, 2, 3])
    assert store.repaired == 0
    wait_until(lambda: len(caplog.records) == 2)
    messages = [record.message for record in caplog.records]
    assert messages == [
        "presence cannot be written, and waits until it can be: locked",
        "presence can be written again",
    ]


def test_too_many_waiting_events_are_replaced_by_the_present_state(store, make, caplog):
    store.raises = Unavailable("locked")
    recorder = make(max_pending=10)
    put(recorder, *range(50))
    assert len(recorder._pending) <= 10
    store.raises = None
    wait_until(lambda: store.repaired == 1)
    put(recorder, 99)
    wait_until(lambda: 99 in store.events)
    assert "rebuilt from the open connections" in caplog.text


def test_an_event_that_is_dropped_during_a_repair_causes_another_one(store, make):
    """The repair may have read the present state before the dropped event changed it."""
    store.raises = Unavailable("locked")
    recorder = make(max_pending=2)
    put(recorder, *range(5))
    reading = threading.Event()
    original = store.repair

    def repair() -> None:
        reading.set()
        original()

    recorder._repair = repair
    store.gate.clear()
    store.raises = None
    assert reading.wait(20)
    put(recorder, *range(10, 20))
    store.gate.set()
    wait_until(lambda: store.repaired >= 2 or 19 in store.events, what="the dropped event")


def test_a_batch_that_can_never_be_written_is_replaced_by_the_present_state(store, make, caplog):
    store.poison = 7
    recorder = make()
    put(recorder, 7)
    wait_until(lambda: store.repaired == 1)
    put(recorder, 8)
    wait_until(lambda: store.events == [8])
    assert "presence events cannot be written: poison" in caplog.text


def test_a_repair_that_fails_is_tried_again(store, make):
    store.poison = 7
    store.repair_raises = Unavailable("locked")
    recorder = make()
    put(recorder, 7)
    wait_until(lambda: store.attempts)
    put(recorder, 8)
    store.repair_raises = Rejected("node gone")
    threading.Event().wait(0.1)
    assert store.repaired == 0
    store.repair_raises = None
    wait_until(lambda: store.repaired == 1)


def test_what_is_queued_is_written_when_it_stops(store, make):
    store.gate.clear()
    recorder = make()
    put(recorder, *range(10))
    store.gate.set()
    recorder.stop(20)
    assert store.events == list(range(10))


def test_more_than_one_batch_is_written_when_it_stops(store, make, monkeypatch):
    monkeypatch.setattr(module, "MAX_BATCH", 10)
    store.gate.clear()
    recorder = make()
    put(recorder, *range(95))
    threading.Timer(0.05, store.gate.set).start()
    recorder.stop(20)
    assert store.events == list(range(95))


def test_stopping_does_not_hang_on_a_database_that_is_unavailable(store, make):
    store.raises = Unavailable("locked")
    recorder = make()
    put(recorder, 1)
    recorder.stop(20)
    assert not recorder._thread.is_alive()
