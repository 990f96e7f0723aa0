"""Keeps the engine's durable state in the store: what has changed in one turn of the loop is committed together.

While a batch is committed, the next one gathers.  What is put and deleted before it was handed over is never written,
and nothing is encoded before that.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from protocols.contract import Grant
from protocols.mqtt import loading, records
from protocols.mqtt.backlog import RELEASED, Entry
from protocols.mqtt.keeping import Stored, Will
from protocols.mqtt.loading import Held, Kept
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.records import PAGE, ReceivedRecord, SessionRecord
from protocols.mqtt.store import Batch, Soon, Store
from protocols.mqtt.timeline import Clocks, Timeline

if TYPE_CHECKING:
    from protocols.mqtt.session import Session

_STAMP = 60.0  # seconds between two stamps
_STOP = 1.0  # seconds to write the last batch in
_INLINE = 256  # bytes from which on a message is stored once for all its entries, and not within each


class _Described(Protocol):
    grant: Grant
    client_id: str
    level: int
    expiry: int
    ends_at: float | None
    will: Will | None


class StoreKeeper:
    """`keeping.Keeper` on a file; every method but `start` and `stop` takes a few microseconds."""

    def __init__(self, path: Path, *, synchronous: str = "full", clocks: Clocks | None = None) -> None:
        self.changes = 0
        self.pending = False
        self._store = Store(path, records.is_whole, synchronous=synchronous)
        self._clocks = clocks
        self._timeline: Timeline
        self._soon: Soon
        self._held = Held()
        self._next = records.FIRST
        self._unwritten = self._next  # the first number that no batch had yet
        # What has changed since the last batch: entries with their session's record, others with what encodes them.
        self._entries: dict[int, tuple[int, Entry]] = {}
        self._others: dict[int, Callable[[], bytes]] = {}
        self._gone: list[int] = []
        self._flushing = False  # `_flush` is going to be called
        self._batch: Batch | None = None  # what is being written
        self._acts: list[Callable[[], None]] = []  # that wait for what has changed
        self._batch_acts: list[Callable[[], None]] = []  # that wait for what is being written

    @property
    def accepting(self) -> bool:
        return self._store.accepting

    # --- life

    def start(self, soon: Soon, now: float) -> Stored:
        """Return what was recorded, and begin to write."""
        self._soon = soon
        gc.disable()  # it would look through all that is read again and again, and there is nothing to collect
        try:
            rows = self._store.open()
            loaded = loading.load(rows, now, self._clocks)
        finally:
            gc.enable()
        self._timeline, self._held = loaded.timeline, loaded.held
        self._next = self._unwritten = loaded.next_record
        self._gone = loaded.orphans
        self._others[records.STAMP_RECORD] = self._encode_stamp
        self._store.start(soon, self._committed, self._hand_over)
        self._changed()
        return loaded.stored

    def stop(self) -> None:
        """Write what is pending, if that is possible, and close the file."""
        self._others[records.STAMP_RECORD] = self._encode_stamp
        self._store.stop(self._take(), _STOP)

    def after(self, act: Callable[[], None]) -> None:
        """Run `act` once all that is recorded so far is committed."""
        if self._flushing:
            self._acts.append(act)
        elif self._batch is not None or self._batch_acts:
            self._batch_acts.append(act)
        else:
            act()

    # --- batches

    def _changed(self) -> None:
        """Have what has changed written: at the end of this turn, or after the batch that is being written."""
        self.changes += 1
        if not self._flushing:
            self._flushing = self.pending = True
            if self._batch is None:
                self._soon(self._flush)

    def _flush(self) -> None:
        """Hand over everything that has changed, unless that has happened already."""
        if self._flushing and self._batch is None:
            self._hand_over()

    def _hand_over(self) -> None:
        self._flushing = False
        if self._timeline.is_stamp_due(_STAMP):
            self._others[records.STAMP_RECORD] = self._encode_stamp
        self._batch_acts += self._acts
        self._acts = []
        self._batch = self._take()
        if self._batch is not None:
            self._store.write(self._batch)
        else:
            self._committed()

    def _committed(self) -> None:
        """Do what has waited for a batch, and go on with the next."""
        self._batch = None
        self.pending = self._flushing
        for act in self._batch_acts:  # which may add some
            act()
        self._batch_acts = []
        self._flush()

    def _take(self) -> Batch | None:
        """Encode what has changed, together with a batch that was not committed."""
        puts: dict[int, bytes] = {}
        gone = self._gone
        if self._batch is not None:
            gone = [*self._batch.gone, *gone]
            puts |= self._batch.puts
            for number in self._gone:
                puts.pop(number, None)
        self._encode_entries(puts)
        for number, encode in self._others.items():
            puts[number] = records.seal(number, encode())
        self._entries, self._others, self._gone = {}, {}, []
        self._unwritten = self._next
        return Batch(puts, gone) if puts or gone else None

    def _encode_entries(self, puts: dict[int, bytes]) -> None:
        bodies: dict[tuple[int, str, bytes, float | None], int] = {}
        seal, encode, held = records.seal, records.entry, self._held
        for number, (session, entry) in self._entries.items():
            message = entry.message
            body = held.body_of.get(number, 0)
            if not body and len(message.payload) + len(message.properties) >= _INLINE:
                key = (id(message.payload), message.topic, message.properties, message.expires_at)
                body = bodies.get(key, 0)
                if not body:
                    body = bodies[key] = self._new()
                    puts[body] = seal(body, records.body(message, self._stored(message.expires_at)))
                held.refer(number, body)
            expires_at = None if message.expires_at is None else self._timeline.stored(message.expires_at)
            puts[number] = seal(number, encode(session, entry, body, expires_at))

    def _new(self) -> int:
        number = self._next
        self._next = number + 1
        return number

    def _drop(self, number: int) -> None:
        self._entries.pop(number, None)
        self._others.pop(number, None)
        if number < self._unwritten:
            self._gone.append(number)

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

    def retained(self, message: Message) -> None:
        """Record the retained message of its topic."""
        number = self._held.retained.get(message.topic)
        if number is None:
            number = self._held.retained[message.topic] = self._new()
        self._others[number] = partial(self._encode_retained, message)
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

    def _encode_retained(self, message: Message) -> bytes:
        return records.retained(message, self._stored(message.expires_at))

    def _encode_stamp(self) -> bytes:
        return records.stamp(self._timeline.stamp())

    def _stored(self, moment: float | None) -> float | None:
        return None if moment is None else self._timeline.stored(moment)
