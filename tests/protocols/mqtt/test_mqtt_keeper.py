"""The engine's durable state in the store and back, committed turn by turn."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mqtt_wire as wire
import pytest
from keeping_model import Running, Session, describe_model, describe_stored, entry_of, message

from protocols.mqtt import records
from protocols.mqtt.backlog import RELEASED, SENT, Entry
from protocols.mqtt.keeping import Stored, Will
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.routes import Subscription
from protocols.mqtt.timeline import Clocks

Make = Callable[..., Running]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mqtt.db"


@pytest.fixture
def start(path: Path) -> Iterator[Make]:
    """Start keepers, which are stopped at the end."""
    running: list[Running] = []

    def begin(**options: Any) -> Running:
        running.append(Running(options.pop("path", path), **options))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


def rows(path: Path) -> int:
    """Return how many records there are besides the stamp."""
    db = sqlite3.connect(path)
    (count,) = db.execute("SELECT count(*) FROM record").fetchone()
    db.close()
    return int(count) - 1


# --- what is committed, and when


def test_what_was_recorded_is_there_after_a_restart(start: Make) -> None:
    running = start()
    keeper, session = running.keeper, Session(ends_at=700.0)
    session.will = Will(message("w", b"bye", 2, expires_at=None), 30, 60, 650.0)
    session.subscriptions["a/#"] = Subscription(Filter("a/#", 2, no_local=True), 7)
    keeper.session(session)
    keeper.subscription(session, "a/#")
    first = Entry(message(payload=b"x" * 5000, expires_at=99.5), (7, 8), "$share/g/a/#")
    first.state, first.packet_id = SENT, 12
    keeper.entry(session, first)
    keeper.received(session, 40_000)
    keeper.retained(message("r", b"kept", retain=True))
    session.entries.append(first)
    session.received.add(40_000)
    running.settle()
    running.stop()
    expected = describe_model([session], {"r": message("r", b"kept", retain=True)})
    assert describe_stored(start().stored) == expected


def test_whose_retained_messages_are_is_there_after_a_restart(start: Make) -> None:
    running = start()
    for topic, owner in (("a", 7), ("b", 8), ("c", 9), ("d", 0)):
        running.keeper.retained(message(topic, b"kept", retain=True), owner)
    running.keeper.retained(message("b", b"anybody's", retain=True))
    running.keeper.drop_retained("c")
    running.settle()
    running.stop()
    stored = start().stored
    assert stored.owners == {"a": 7} and stored.integration_ids() == {7}
    assert sorted(one.topic for one in stored.retained) == ["a", "b", "d"]


def test_an_act_waits_for_the_commit(start: Make) -> None:
    running = start()
    running.settle()
    keeper, done = running.keeper, list[str]()
    keeper.after(lambda: done.append("nothing pending"))
    assert done == ["nothing pending"]
    keeper.session(Session())
    assert keeper.pending
    keeper.after(lambda: done.append("first"))
    running.turn()  # hands the batch over
    keeper.after(lambda: done.append("first, too"))
    keeper.retained(message())
    keeper.after(lambda: done.append("second"))
    assert done == ["nothing pending"]
    running.settle()
    assert done == ["nothing pending", "first", "first, too", "second"]


def test_acts_keep_their_order_when_one_asks_for_another(start: Make) -> None:
    running = start()
    running.settle()
    keeper, done = running.keeper, list[int]()

    def first() -> None:
        done.append(1)
        keeper.after(lambda: done.append(3))

    keeper.session(Session())
    keeper.after(first)
    keeper.after(lambda: done.append(2))
    running.settle()
    assert done == [1, 2, 3]


def test_what_comes_and_goes_in_one_turn_is_never_written(start: Make, path: Path) -> None:
    running = start()
    keeper, session = running.keeper, Session()
    keeper.session(session)
    running.settle()
    commits, done = keeper._store.commits, list[int]()
    one = entry_of(payload=b"x" * 1000)
    keeper.entry(session, one)
    keeper.drop_entry(session, one)
    keeper.received(session, 5)
    keeper.drop_received(session, 5)
    keeper.retained(message())
    keeper.drop_retained("a/b")
    keeper.after(lambda: done.append(1))
    running.settle()
    assert done == [1]
    assert keeper._store.commits == commits
    assert rows(path) == 1


def test_only_what_recorded_something_counts_as_a_change(start: Make) -> None:
    running = start()
    keeper, session = running.keeper, Session()
    before = keeper.changes
    keeper.drop_entry(session, entry_of())
    keeper.drop_session(session)
    keeper.drop_subscription(session, "a")
    keeper.drop_received(session, 3)
    keeper.drop_retained("a")
    assert keeper.changes == before
    keeper.session(session)
    assert keeper.changes == before + 1


def test_a_large_message_is_stored_once_for_many_sessions(start: Make, path: Path) -> None:
    running = start()
    keeper, sessions = running.keeper, [Session(f"c{number}") for number in range(50)]
    payload = b"x" * 100_000
    for number, session in enumerate(sessions):
        keeper.session(session)
        session.entries.append(entry_of("big", payload, 1 + number % 2))
        keeper.entry(session, session.entries[0])
    running.settle()
    assert rows(path) == 50 + 50 + 1
    running.stop()
    assert path.stat().st_size < 400_000
    again = start()
    assert describe_stored(again.stored) == describe_model(sessions, {})
    found = [stored.entries[0] for stored in again.stored.sessions]
    assert len({id(one.message) for one in found}) == 2, "one object for each QoS"
    for stored, one in zip(again.stored.sessions[:49], found, strict=False):
        again.keeper.drop_entry(stored, one)  # type: ignore[arg-type]
    again.settle()
    assert rows(path) == 50 + 1 + 1
    again.keeper.drop_session(again.stored.sessions[49])  # type: ignore[arg-type]
    again.settle()
    assert rows(path) == 49, "the message went with the last entry"


def test_released_messages_come_back_in_the_order_of_their_pubrecs(start: Make) -> None:
    running = start()
    keeper, session = running.keeper, Session()
    for packet_id in (1, 2, 3, 4):
        one = entry_of(qos=2)
        one.state, one.packet_id = SENT, packet_id
        keeper.entry(session, one)
        session.entries.append(one)
    running.settle()
    for at in (2, 0):
        one = session.entries[at]
        one.state, one.message = RELEASED, Message("", b"", 2)
        keeper.entry(session, one)
    running.settle()
    running.stop()
    (found,) = start().stored.sessions
    assert [(one.packet_id, one.state) for one in found.entries] == [(2, SENT), (4, SENT), (3, RELEASED), (1, RELEASED)]


def test_a_session_goes_with_all_that_it_holds(start: Make, path: Path) -> None:
    running = start()
    keeper, other = running.keeper, Session("other")
    keeper.session(other)
    running.settle()
    session = Session()
    for half in range(2):
        session.subscriptions[f"{half}"] = Subscription(Filter(f"{half}", 1))
        keeper.subscription(session, f"{half}")
        keeper.entry(session, entry_of(payload=b"x" * 1000))
        keeper.received(session, 5 + 1000 * half)
        if not half:
            running.settle()
    session.subscriptions.clear()
    keeper.drop_session(session)
    assert session.record == 0
    running.settle()
    assert rows(path) == 1


def test_deadlines_go_on(start: Make) -> None:
    running = start(now=1000.0)
    running.keeper.session(Session(ends_at=1600.0))
    running.keeper.retained(message(expires_at=1060.0))
    running.stop()
    later = Clocks(lambda: 0.0, lambda: 50.0 + 25, lambda: "boot")  # the wall clock was set back meanwhile
    stored = start(now=7.0, clocks=later).stored
    assert stored.sessions[0].ends_at == pytest.approx(7.0 + 575, abs=1)
    assert stored.retained[0].expires_at == pytest.approx(7.0 + 35, abs=1)


def test_what_belongs_to_nothing_is_let_go_of(start: Make, path: Path) -> None:
    running = start()
    keeper, session = running.keeper, Session()
    session.subscriptions["a"] = Subscription(Filter("a", 1))
    keeper.subscription(session, "a")
    keeper.entry(session, entry_of())
    keeper.entry(session, entry_of(payload=b"x" * 1000))
    keeper.received(session, 9)
    keeper.session(other := Session("other"))
    keeper.entry(other, entry_of(payload=b"y" * 1000))
    running.settle()
    running.stop()
    db = sqlite3.connect(path, isolation_level=None)
    bodies = [
        number
        for number, data in db.execute("SELECT id, data FROM record WHERE id > 1").fetchall()
        if isinstance(records.decode(number, data), records.BodyRecord)
    ]
    db.execute("DELETE FROM record WHERE id IN (?, ?)", (session.record, bodies[-1]))
    db.close()
    again = start()
    assert describe_stored(again.stored) == describe_model([replace(other, entries=[])], {})
    again.settle()
    assert rows(path) == 1


# --- a disk that cannot be written


def limit(running: Running, pages: int) -> None:
    db = running.keeper._store._db
    assert db is not None
    db.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_keeps_acts_waiting_and_loses_nothing(start: Make) -> None:
    running = start()
    keeper, session, done = running.keeper, Session(), list[int]()
    keeper.session(session)
    running.settle()
    limit(running, 1)
    kept = [entry_of(payload=b"%d" % number * 500) for number in range(100)]
    for one in kept:
        keeper.entry(session, one)
    keeper.after(lambda: done.append(1))
    running.turn()
    wait_for(lambda: not keeper.accepting)
    keeper.drop_entry(session, kept[0])
    keeper.retained(message())
    keeper.after(lambda: done.append(2))
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        running.turn()
        time.sleep(0.01)
    assert done == []
    assert keeper.pending
    limit(running, 1_000_000)
    running.settle()
    assert keeper.accepting
    assert done == [1, 2]
    running.stop()
    session.entries = kept[1:]
    assert describe_stored(start().stored) == describe_model([session], {"a/b": message()})


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_folder_the_engine_runs_and_takes_nothing_durable(tmp_path: Path, start: Make) -> None:
    running = start(path=tmp_path / "missing" / "mqtt.db")
    assert running.stored == Stored()
    assert not running.keeper.accepting
    running.stop()


def test_a_damaged_file_leaves_what_is_whole(start: Make, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    running = start()
    sessions = [Session(f"c{number}") for number in range(300)]
    for session in sessions:
        running.keeper.session(session)
        for _ in range(5):
            running.keeper.entry(session, entry_of(payload=b"p" * 100))
    running.stop()
    data = bytearray(path.read_bytes())
    data[4096 * 20 : 4096 * 24] = bytes(4096 * 4)
    path.write_bytes(data)
    again = start()
    assert 100 < len(again.stored.sessions) < 300
    assert "was damaged" in caplog.text
    again.settle()
    again.stop()
    caplog.clear()
    assert len(start().stored.sessions) == len(again.stored.sessions)
    assert caplog.text == ""


# --- with the engine


def test_a_broker_goes_on_where_it_was(start: Make) -> None:
    """A durable subscriber is away; what it gets after a restart is what was acknowledged."""
    running = start()
    broker = wire.broker(keeper=running.keeper)
    away = wire.joined(broker, "away", clean=False)
    away.send(wire.subscribe(("plant/+", 2)))
    running.settle()
    assert [head for head, _ in settled(running, away)] == [0x90]
    away.connection.close("gone")
    publisher = wire.joined(broker, "publisher", clean=False)
    publisher.send(wire.publish("plant/1", b"first", 1, 5), wire.publish("plant/2", b"second", 2, 6, retain=True))
    assert publisher.received() == [], "nothing is acknowledged before the commit"
    assert settled(running, publisher) == [(0x40, b"\0\5"), (0x50, b"\0\6")]
    running.stop()

    again = start()
    broker = wire.broker(keeper=again.keeper)
    broker.restore(again.stored, 0.0)
    back = wire.Peer(broker).send(wire.connect("away", clean=False))
    got = settled(again, back)
    assert got[0] == wire.connack(present=True)
    assert [wire.message(one)[:3] for one in got[1:]] == [("plant/1", b"first", 1), ("plant/2", b"second", 2)]
    publisher = wire.Peer(broker).send(wire.connect("publisher", clean=False))
    publisher.send(wire.publish("plant/2", b"second", 2, 6, retain=True, dup=True), wire.pubrel(6))
    assert settled(again, publisher) == [wire.connack(present=True), (0x50, b"\0\6"), (0x70, b"\0\6")]
    assert settled(again, back) == [], "the duplicate was known"
    reader = wire.joined(broker, "reader")
    reader.send(wire.subscribe(("plant/#", 0)))
    assert wire.message(settled(again, reader)[1])[:2] == ("plant/2", b"second")


def settled(running: Running, peer: wire.Peer) -> list[wire.Received]:
    """Return what a peer gets once everything is committed."""
    peer.connection.gate.settle()
    running.settle()
    return peer.received()


# --- size


def test_much_is_read_back(start: Make, path: Path) -> None:
    running = start()
    keeper = running.keeper
    for number in range(100):
        session = Session(f"c{number}")
        keeper.session(session)
        for _ in range(1000):
            keeper.entry(session, entry_of(payload=b"x" * 64))
    for number in range(50_000):
        keeper.retained(message(f"plant/{number}", b"x" * 64, retain=True))
    running.settle()
    running.stop()
    assert rows(path) == 150_100
    stored = start().stored
    assert sum(len(one.entries) for one in stored.sessions) == 100_000
    assert len(stored.retained) == 50_000
