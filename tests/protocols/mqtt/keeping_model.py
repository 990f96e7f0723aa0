"""A keeper on a loop whose turns a test takes, and a model of what it should have kept."""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.contract import Grant
from protocols.mqtt.backlog import QUEUED, RELEASED, SENT, Entry
from protocols.mqtt.keeper import StoreKeeper
from protocols.mqtt.keeping import EXPIRES_NEVER, Stored, Will
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.routes import Subscription
from protocols.mqtt.timeline import Clocks

CLOCKS = Clocks(lambda: 1e9, lambda: 50.0, lambda: "boot")
ADA = Grant(1, "ada", ("a/%c",), ("#", "b/+"))


class Running:
    """A keeper on a loop whose turns the test takes."""

    def __init__(self, path: Path, now: float = 0.0, clocks: Clocks = CLOCKS) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.keeper = StoreKeeper(path, synchronous="off", clocks=clocks)
        self.stored = self.keeper.start(self.calls.put, now)
        self.stopped = False

    def turn(self) -> None:
        """Run what is due now."""
        for _ in range(self.calls.qsize()):
            self.calls.get()()

    def settle(self) -> None:
        """Take turns until everything is committed."""
        deadline = time.monotonic() + 10
        while self.keeper.pending:
            self.calls.get(timeout=deadline - time.monotonic())()

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self.keeper.stop()


@dataclass(eq=False)
class Session:
    """What a keeper reads of a session."""

    client_id: str = "c"
    grant: Grant = ADA
    level: int = 5
    expiry: int = 3600
    ends_at: float | None = None
    will: Will | None = None
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    record: int = 0

    # what the model has of it besides
    entries: list[Entry] = field(default_factory=list)
    received: set[int] = field(default_factory=set)


def message(topic: str = "a/b", payload: bytes = b"1", qos: int = 1, **more: Any) -> Message:
    return Message(topic, payload, qos, **more)


def entry_of(*arguments: Any, **more: Any) -> Entry:
    return Entry(message(*arguments, **more))


def describe_entry(one: Entry) -> tuple[object, ...]:
    text = one.message
    return one.state, one.packet_id, one.identifiers, one.share, describe_message(text)


def describe_message(one: Message) -> tuple[object, ...]:
    expires_at = None if one.expires_at is None else round(one.expires_at, 3)
    return one.topic, one.payload, one.qos, one.retain, one.properties, expires_at


def describe_will(will: Will | None) -> tuple[object, ...] | None:
    return None if will is None else (describe_message(will.message), will.delay, will.expiry, will.due_at)


def describe_session(one: Any, subscriptions: dict[str, object]) -> dict[str, object]:
    return {
        "grant": one.grant,
        "level": one.level,
        "expiry": one.expiry,
        "ends_at": one.ends_at,
        "will": describe_will(one.will),
        "subscriptions": subscriptions,
        "entries": [describe_entry(entry) for entry in one.entries if entry.state != RELEASED],
        "released": [entry.packet_id for entry in one.entries if entry.state == RELEASED],
        "received": set(one.received),
    }


def describe_stored(stored: Stored) -> dict[str, object]:
    """Return all that was read back, to compare."""
    found: dict[str, object] = {}
    for one in stored.sessions:
        wanted = {
            wanted.topic_filter: (wanted.qos, wanted.no_local, wanted.retain_as_published, identifier)
            for wanted, identifier in one.subscriptions
        }
        found[one.client_id] = describe_session(one, wanted)
    for one in stored.retained:
        found[f"retained {one.topic}"] = describe_message(one)
    return found


def describe_model(sessions: list[Session], retained: dict[str, Message]) -> dict[str, object]:
    """Return all that should be read back."""
    found: dict[str, object] = {}
    for one in sessions:
        wanted = {
            name: (wanted.qos, wanted.no_local, wanted.retain_as_published, wanted.identifier)
            for name, wanted in one.subscriptions.items()
        }
        found[one.client_id] = describe_session(one, dict(wanted))
    for topic, kept in retained.items():
        found[f"retained {topic}"] = describe_message(kept)
    return found


class Model:
    """Does random things to a keeper, and knows what should come of them."""

    def __init__(self, keeper: StoreKeeper, chance: random.Random) -> None:
        self.keeper = keeper
        self.chance = chance
        self.sessions: list[Session] = []
        self.retained: dict[str, Message] = {}
        self._count = 0

    def act(self) -> None:
        """Do something."""
        acts = (self.join, self.change, self.leave, self.subscribe, self.queue, self.queue, self.advance, self.receive)
        self.chance.choice((*acts, self.retain, self.queue, self.advance, self.advance))()

    def some(self) -> Session:
        if not self.sessions:
            self.join()
        return self.chance.choice(self.sessions)

    def join(self) -> None:
        self._count += 1
        self.sessions.append(Session(f"client {self._count}", level=self.chance.choice((4, 5))))
        self.keeper.session(self.sessions[-1])

    def change(self) -> None:
        one = self.some()
        one.expiry = self.chance.choice((60, EXPIRES_NEVER))
        one.ends_at = self.chance.choice((None, 77.0))
        one.will = self.chance.choice((None, Will(Message("will", b"gone", 1), 5, None, None)))
        self.keeper.session(one)

    def leave(self) -> None:
        if len(self.sessions) > 3:
            one = self.sessions.pop(self.chance.randrange(len(self.sessions)))
            self.keeper.drop_session(one)

    def subscribe(self) -> None:
        one, name = self.some(), self.chance.choice("abcd")
        if name in one.subscriptions and self.chance.random() < 0.6:
            self.keeper.drop_subscription(one, name)
            del one.subscriptions[name]
            return
        wanted = Filter(name, self.chance.randrange(3), retain_as_published=self.chance.random() < 0.5)
        one.subscriptions[name] = Subscription(wanted, self.chance.randrange(9))
        self.keeper.subscription(one, name)

    def queue(self) -> None:
        self._count += 1
        payload = b"%d " % self._count * self.chance.choice((1, 10, 200))
        expires_at = self.chance.choice((None, 50.0))
        for one in self.chance.sample(self.sessions, min(len(self.sessions), self.chance.choice((1, 1, 3)))):
            qos = self.chance.choice((1, 2))
            one.entries.append(entry_of("t", payload, qos, expires_at=expires_at, properties=b"\x01\x01"))
            self.keeper.entry(one, one.entries[-1])

    def advance(self) -> None:
        """Send the oldest message of a session, or hear of one that was sent."""
        one = self.some()
        queued = [entry for entry in one.entries if entry.state == QUEUED]
        others = [entry for entry in one.entries if entry.state != QUEUED]
        if queued and (not others or self.chance.random() < 0.5):
            self._count += 1
            queued[0].state, queued[0].packet_id = SENT, self._count % 65_535 + 1
            self.keeper.entry(one, queued[0])
        elif others:
            self._hear(one, self.chance.choice(others))

    def _hear(self, one: Session, entry: Entry) -> None:
        one.entries.remove(entry)
        if entry.state == SENT and entry.message.qos == 2 and self.chance.random() < 0.8:
            entry.state, entry.message = RELEASED, Message("", b"", 2)
            one.entries.append(entry)
            self.keeper.entry(one, entry)
        else:
            self.keeper.drop_entry(one, entry)

    def receive(self) -> None:
        one, packet_id = self.some(), self.chance.randrange(1, 600)
        if packet_id in one.received:
            one.received.remove(packet_id)
            self.keeper.drop_received(one, packet_id)
        else:
            one.received.add(packet_id)
            self.keeper.received(one, packet_id)

    def retain(self) -> None:
        self._count += 1
        topic = self.chance.choice("uvwxyz")
        if topic in self.retained and self.chance.random() < 0.4:
            del self.retained[topic]
            self.keeper.drop_retained(topic)
        else:
            self.retained[topic] = message(topic, b"%d" % self._count, retain=True)
            self.keeper.retained(self.retained[topic])

    def describe(self) -> dict[str, object]:
        return describe_model(self.sessions, self.retained)
