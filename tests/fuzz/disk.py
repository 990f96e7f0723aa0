"""Random clients of a broker that is killed now and then: what was committed comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocols.mqtt.backlog import QUEUED, RELEASED, Entry
from protocols.mqtt.broker import Broker
from protocols.mqtt.keeper import StoreKeeper
from protocols.mqtt.packets import Message
from protocols.mqtt.session import Session
from protocols.mqtt.timeline import Clocks
from protocols.storage.batch import Batch
from tests.fuzz import joined
from tests.fuzz.joined import LIMITS, World
from tests.protocols.mqtt import mqtt_wire as wire

Rows = dict[int, bytes]


class Disk:
    """Stands in for `Store`: a batch is committed when the fuzzer says so, or never."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.accepting = True
        self._batch: Batch | None = None
        self._done: Callable[[], None]
        self._failed: Callable[[], None]

    def open(self) -> list[tuple[int, bytes]]:
        return sorted(self.rows.items())

    def start(self, soon: object, done: Callable[[], None], failed: Callable[[], None]) -> None:
        self._done, self._failed = done, failed

    def write(self, batch: Batch) -> None:
        assert self._batch is None, "a batch before the one before was answered"
        self._batch = batch

    def answer(self, *, works: bool) -> bool:
        """Answer a batch, if there is one."""
        batch, self._batch = self._batch, None
        if batch is None:
            return False
        if works:
            for number in batch.gone:
                self.rows.pop(number, None)
            self.rows.update(batch.puts)
            self._done()
        else:
            self._failed()
        return True


class DiskWorld(World):
    """A world whose broker is killed now and then."""

    most_sessions = 1_000  # a start keeps whoever was connected, and hands no session to the limit for it

    def __init__(self, seed: int) -> None:
        self.rows: Rows = {}
        super().__init__(seed)
        self.actions.append((self._kill, 2))

    def make_broker(self) -> Broker:
        """Start a broker on what was committed."""
        self._turn: list[Callable[[], None]] = []
        self._disk = Disk(self.rows)
        return self._start_on(self._disk, self._turn)

    def _start_on(self, disk: Disk, turn: list[Callable[[], None]]) -> Broker:
        clocks = Clocks(wall=lambda: 1e9 + self.now, up=lambda: self.now, boot=lambda: "boot")
        keeper = StoreKeeper(Path("unused"), clocks=clocks)
        keeper._store = disk  # type: ignore[assignment]
        broker = wire.broker(LIMITS, keeper)
        broker.restore(keeper.start(turn.append, self.now), self.now)
        return broker

    def commit(self) -> None:
        """End the turn, and commit what has been handed over, most of the time."""
        self._disk.accepting = self.random.random() < 0.9
        self._end_turn()
        self._disk.answer(works=self.random.random() < 0.9)
        self._end_turn()

    def commit_all(self) -> None:
        self._end_turn()
        while self._disk.answer(works=True):
            self._end_turn()

    def _end_turn(self) -> None:
        while self._turn:
            self._turn.pop(0)()

    def check_records(self) -> None:
        """See that a start from what is committed finds the same again."""
        self.commit_all()
        compare(snapshot(self._start_on(Disk(dict(self.rows)), [])), snapshot(self.broker))

    def _kill(self) -> None:
        self.commit_all()
        before = snapshot(self.broker)
        for _ in range(self.random.randrange(3)):
            self.send()  # no commit comes for it
        for peer in self.peers:
            peer.closed = True
        self.peers.clear()
        self.start()
        compare(snapshot(self.broker), before)


def snapshot(broker: Broker) -> dict[object, Any]:
    """Return everything that should outlive a broker."""
    found: dict[object, Any] = {
        (session.integration_id, session.client_id): _session(session) for session in broker.sessions if session.expiry
    }
    for name in broker.retained.names("#"):
        message = broker.retained.get(name)
        assert message is not None
        found[name] = {"message": _message(message)}
    return found


def _session(session: Session) -> dict[str, Any]:
    waiting = session._backlog._entries if session._backlog is not None else ()
    will = session.will
    return {
        "grant": (session.grant.publish, session.grant.subscribe),
        "expiry": session.expiry,
        "subscriptions": {
            name: (one.qos, one.no_local, one.retain_as_published, one.identifier)
            for name, one in session.subscriptions.items()
        },
        "received": set(session.received),
        # [MQTT-4.6.0-1] [MQTT-4.6.0-4] no order is asked for between messages and PUBRELs
        "entries": sorted(map(_entry, (*session._inflight.values(), *waiting)), key=lambda entry: entry[0] == RELEASED),
        "will": will and (will.message.topic, will.message.payload, will.delay, will.expiry),
    }


def _entry(entry: Entry) -> tuple[Any, ...]:
    if entry.state == RELEASED:
        return (RELEASED, entry.packet_id)
    packet_id = entry.packet_id if entry.state != QUEUED else 0
    return (entry.state, packet_id, _message(entry.message), entry.identifiers, entry.share)


def _message(message: Message) -> tuple[object, ...]:
    payload = f"{message.payload[:8]!r} of {len(message.payload)} bytes"
    # All times are tenths: none is at the edge of a second, where a lost bit would show.
    expires_at = None if message.expires_at is None else int(message.expires_at + 0.05)
    return (message.topic, payload, message.qos, message.retain, message.properties, expires_at)


def compare(after: dict[object, Any], before: dict[object, Any]) -> None:
    """See that what came back is what there was."""
    assert after.keys() == before.keys(), f"came back: {after.keys()}; was: {before.keys()}"
    for key, was in before.items():
        for name, value in was.items():
            assert after[key][name] == value, f"{key}, {name}: {after[key][name]} came back for {value}"


def run(seed: int) -> None:
    """Run one world; raises what went wrong, with what repeats it."""
    joined.run(seed, world=DiskWorld)
