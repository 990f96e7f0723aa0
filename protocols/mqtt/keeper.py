"""Keeps the engine's durable state in the store: which records there are of each session, and what is in them."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from protocols.contract import Grant
from protocols.mqtt import loading, records
from protocols.mqtt.backlog import RELEASED, Entry
from protocols.mqtt.batches import Batches
from protocols.mqtt.keeping import Stored, Will
from protocols.mqtt.loading import Kept
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.records import PAGE, ReceivedRecord, SessionRecord
from protocols.mqtt.store import Store
from protocols.mqtt.timeline import Clocks
from protocols.storage.writer import Soon

if TYPE_CHECKING:
    from protocols.mqtt.session import Session


class _Described(Protocol):
    grant: Grant
    client_id: str
    level: int
    expiry: int
    ends_at: float | None
    will: Will | None


class StoreKeeper(Batches):
    """`keeping.Keeper` on a file; every method but `start` and `stop` takes a few microseconds."""

    def __init__(self, path: Path, *, synchronous: str = "full", clocks: Clocks | None = None) -> None:
        super().__init__(Store(path, records.is_whole, synchronous=synchronous))
        self._clocks = clocks

    def start(self, soon: Soon, now: float) -> Stored:
        """Return what was recorded, and begin to write."""
        gc.disable()  # it would look through all that is read again and again, and there is nothing to collect
        try:
            rows = self._store.open()
            loaded = loading.load(rows, now, self._clocks)
        finally:
            gc.enable()
        self._begin(soon, loaded)
        return loaded.stored

    # --- sessions and subscriptions

    def session(self, session: Session) -> None:
        """Record a session without what it holds."""
        kept = self._kept(session)
        self._others[kept.record] = partial(self._encode_session, session)
        self._changed()

    def drop_session(self, session: Session) -> None:
        """Forget a session with all that it holds."""
        kept = self._held.sessions.pop(session.record, None)
        session.record = 0
        if kept is None:
            return
        self._drop(kept.record)
        for number in kept.subscriptions.values():
            self._drop(number)
        for page in kept.received.values():
            self._drop(page.record)
        for number in kept.entries:
            self._drop_entry(number)
        self._changed()

    def subscription(self, session: Session, topic_filter: str) -> None:
        """Record a subscription."""
        kept = self._kept(session)
        number = kept.subscriptions.get(topic_filter)
        if number is None:
            number = kept.subscriptions[topic_filter] = self._new()
        one = session.subscriptions[topic_filter]
        wanted = Filter(topic_filter, one.qos, no_local=one.no_local, retain_as_published=one.retain_as_published)
        self._others[number] = partial(records.subscription, kept.record, wanted, one.identifier)
        self._changed()

    def drop_subscription(self, session: Session, topic_filter: str) -> None:
        """Forget a subscription."""
        kept = self._held.sessions.get(session.record)
        number = kept.subscriptions.pop(topic_filter, None) if kept is not None else None
        if number is not None:
            self._drop(number)
            self._changed()

    # --- messages

    def entry(self, session: Session, entry: Entry) -> None:
        """Record an outgoing message and how far it has come."""
        kept = self._held.sessions.get(session.record) or self._kept(session)
        number = entry.record
        if entry.state == RELEASED and number:  # goes on under a new number: in the order of the PUBRECs
            kept.entries.discard(number)
            self._drop_entry(number)
            number = 0
        if not number:
            number = entry.record = self._next
            self._next = number + 1
            kept.entries.add(number)
        self._entries[number] = (kept.record, entry)
        self._changed()

    def drop_entry(self, session: Session, entry: Entry) -> None:
        """Forget an outgoing message."""
        number = entry.record
        kept = self._held.sessions.get(session.record)
        if number and kept is not None and number in kept.entries:
            kept.entries.remove(number)
            self._drop_entry(number)
            self._changed()

    def _drop_entry(self, number: int) -> None:
        self._drop(number)
        body = self._held.release(number)
        if body:
            self._drop(body)

    def received(self, session: Session, packet_id: int) -> None:
        """Record that a QoS 2 PUBLISH has arrived."""
        kept = self._kept(session)
        number, bit = divmod(packet_id, PAGE)
        page = kept.received.get(number)
        if page is None:
            page = kept.received[number] = ReceivedRecord(kept.record, number, record=self._new())
        page.bits |= 1 << bit
        self._others[page.record] = partial(records.received, page)
        self._changed()

    def drop_received(self, session: Session, packet_id: int) -> None:
        """Forget that a QoS 2 PUBLISH has arrived."""
        kept = self._held.sessions.get(session.record)
        number, bit = divmod(packet_id, PAGE)
        page = kept.received.get(number) if kept is not None else None
        if kept is None or page is None or not page.bits >> bit & 1:
            return
        page.bits ^= 1 << bit
        if page.bits:
            self._others[page.record] = partial(records.received, page)
        else:
            del kept.received[number]
            self._drop(page.record)
        self._changed()

    def retained(self, message: Message, owner: int = 0) -> None:
        """Record the retained message of its topic."""
        number = self._held.retained.get(message.topic)
        if number is None:
            number = self._held.retained[message.topic] = self._new()
        self._others[number] = partial(self._encode_retained, message, owner)
        self._changed()

    def drop_retained(self, topic: str) -> None:
        """Forget the retained message of a topic."""
        number = self._held.retained.pop(topic, None)
        if number is not None:
            self._drop(number)
            self._changed()

    # --- encoding

    def _kept(self, session: Session) -> Kept:
        """Return what is held of a session; one that is new is recorded first."""
        kept = self._held.sessions.get(session.record)
        if kept is None:
            session.record = number = self._new()
            kept = self._held.sessions[number] = Kept(number)
            self._others[number] = partial(self._encode_session, session)
        return kept

    def _encode_session(self, session: _Described) -> bytes:
        will = session.will
        if will is not None:
            will = Will(will.message, will.delay, will.expiry, self._stored(will.due_at))
        ends_at = self._stored(session.ends_at)
        one = SessionRecord(session.grant, session.client_id, session.level, session.expiry, ends_at, will)
        return records.session(one)

    def _encode_retained(self, message: Message, owner: int) -> bytes:
        return records.retained(message, self._stored(message.expires_at), owner)
