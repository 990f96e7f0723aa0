"""Puts the records of a store together: sessions with what they hold, and retained messages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from protocols.mqtt import records
from protocols.mqtt.keeping import Stored, StoredSession
from protocols.mqtt.packets import Message
from protocols.mqtt.records import (
    BodyRecord,
    DamagedRecord,
    EntryRecord,
    ReceivedRecord,
    Record,
    RetainedRecord,
    SessionRecord,
    SubscriptionRecord,
)
from protocols.mqtt.timeline import Clocks, Stamp, Timeline
from protocols.storage.file import Row

_log = logging.getLogger("protocols.mqtt")


@dataclass(slots=True)
class Kept:
    """The numbers of the records that belong to one session."""

    record: int
    subscriptions: dict[str, int] = field(default_factory=dict)
    entries: set[int] = field(default_factory=set)
    received: dict[int, ReceivedRecord] = field(default_factory=dict)  # by page


@dataclass(slots=True)
class Held:
    """What is in the store, by number."""

    sessions: dict[int, Kept] = field(default_factory=dict)
    retained: dict[str, int] = field(default_factory=dict)  # by topic
    body_of: dict[int, int] = field(default_factory=dict)  # of entries whose message is a record of its own
    references: dict[int, int] = field(default_factory=dict)  # how many entries have this body

    def refer(self, entry: int, body: int) -> None:
        """Note that an entry has this body."""
        self.body_of[entry] = body
        self.references[body] = self.references.get(body, 0) + 1

    def release(self, entry: int) -> int:
        """Note that an entry is gone; return its body if nothing else has that, else 0."""
        body = self.body_of.pop(entry, 0)
        if not body:
            return 0
        self.references[body] -= 1
        if self.references[body]:
            return 0
        del self.references[body]
        return body


@dataclass(slots=True)
class Loaded:
    """What was in the store, and how to go on with it."""

    stored: Stored
    held: Held
    timeline: Timeline
    orphans: list[int]  # records that are of no use, because what they belong to is missing
    next_record: int


def load(rows: Iterable[Row], now: float, clocks: Clocks | None = None) -> Loaded:
    """Put everything together, of rows in the order of their numbers; `now` is the engine's time."""
    loader = _Loader(now, clocks)
    for number, data in rows:
        loader.take(number, data)
    return loader.loaded()


class _Loader:
    def __init__(self, now: float, clocks: Clocks | None) -> None:
        self._now, self._clocks = now, clocks
        self._sessions: dict[int, StoredSession] = {}
        self._retained: dict[str, Message] = {}
        self._owners: dict[str, int] = {}
        self._bodies: dict[int, Message] = {}
        self._variants: dict[tuple[int, int, bool], Message] = {}
        self._topics: dict[str, str] = {}
        self._held = Held()
        self._orphans: list[int] = []
        self._next = records.FIRST
        self._timeline = Timeline(None, now, clocks)
        self._waiting: dict[type[Record], list[tuple[int, Any]]] = {kind: [] for kind in _ORDER}

    def take(self, number: int, data: bytes) -> None:
        """Take a record: those of retained messages at once, for nothing else is needed to make them."""
        self._next = max(self._next, number + 1)
        try:
            record = records.decode(number, data)
        except DamagedRecord as error:
            _log.error("record %d cannot be read and is left out: %s", number, error)
            self._orphans.append(number)
            return
        if isinstance(record, Stamp):  # the first of all
            self._timeline = Timeline(record, self._now, self._clocks)
        elif isinstance(record, RetainedRecord):
            self._note(number, self._add_retained(number, record))
        else:
            self._waiting[type(record)].append((number, record))

    def loaded(self) -> Loaded:
        """Handle what waits kind by kind: what others refer to comes first."""
        for kind, add in _ORDER.items():
            for number, record in self._waiting.pop(kind):
                self._note(number, add(self, number, record))
        self._orphans += self._bodies.keys() - self._held.references.keys()
        stored = Stored(list(self._sessions.values()), list(self._retained.values()), self._owners)
        return Loaded(stored, self._held, self._timeline, self._orphans, self._next)

    def _note(self, number: int, is_of_use: bool) -> None:
        if not is_of_use:
            self._orphans.append(number)

    def _add_session(self, number: int, one: SessionRecord) -> bool:
        will = one.will
        if will is not None:
            will.due_at = self._engine(will.due_at)
        ends_at = self._engine(one.ends_at)
        session = StoredSession(one.grant, one.client_id, one.level, one.expiry, ends_at, will, record=number)
        self._sessions[number] = session
        self._held.sessions[number] = Kept(number)
        return True

    def _add_subscription(self, number: int, one: SubscriptionRecord) -> bool:
        session = self._sessions.get(one.session)
        if session is None:
            return False
        session.subscriptions.append((one.wanted, one.identifier))
        self._held.sessions[one.session].subscriptions[one.wanted.topic_filter] = number
        return True

    def _add_body(self, number: int, one: BodyRecord) -> bool:
        self._bodies[number] = self._timed(one.message)
        return True

    def _add_entry(self, number: int, one: EntryRecord) -> bool:
        entry, session = one.entry, self._sessions.get(one.session)
        if session is None:
            return False
        if one.body:
            body = self._bodies.get(one.body)
            if body is None:
                return False
            entry.message = self._variant(one.body, body, entry.message)
            self._held.refer(number, one.body)
        else:
            self._timed(entry.message)
        entry.record = number
        session.entries.append(entry)
        self._held.sessions[one.session].entries.add(number)
        return True

    def _add_received(self, number: int, one: ReceivedRecord) -> bool:
        session = self._sessions.get(one.session)
        if session is None:
            return False
        one.record = number
        session.received.update(one.packet_ids())
        self._held.sessions[one.session].received[one.page] = one
        return True

    def _add_retained(self, number: int, one: RetainedRecord) -> bool:
        topic = one.message.topic
        if topic in self._held.retained:
            return False
        self._held.retained[topic] = number
        self._retained[topic] = self._timed(one.message)
        if one.owner:
            self._owners[topic] = one.owner
        return True

    def _variant(self, number: int, body: Message, like: Message) -> Message:
        """Return a body's message with another's QoS and RETAIN flag; one object for all that have the same."""
        key = (number, like.qos, like.retain)
        if key not in self._variants:
            self._variants[key] = replace(body, qos=like.qos, retain=like.retain)
        return self._variants[key]

    def _timed(self, message: Message) -> Message:
        message.expires_at = self._engine(message.expires_at)
        message.topic = self._topics.setdefault(message.topic, message.topic)  # many have the same
        return message

    def _engine(self, stored_time: float | None) -> float | None:
        return None if stored_time is None else self._timeline.engine(stored_time)


_ORDER: dict[type[Record], Callable[[_Loader, int, Any], bool]] = {
    SessionRecord: _Loader._add_session,
    BodyRecord: _Loader._add_body,
    SubscriptionRecord: _Loader._add_subscription,
    EntryRecord: _Loader._add_entry,
    ReceivedRecord: _Loader._add_received,
}
