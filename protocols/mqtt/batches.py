"""Gathers what has changed of the engine's durable state: all of one turn of the loop is committed together.

While a batch is committed, the next one gathers.  What is put and deleted before it was handed over is never written,
and nothing is encoded before that.
"""

from __future__ import annotations

from collections.abc import Callable

from protocols.contract import Trouble
from protocols.mqtt import records
from protocols.mqtt.backlog import Entry
from protocols.mqtt.loading import Held, Loaded
from protocols.mqtt.store import Store
from protocols.mqtt.timeline import Timeline
from protocols.storage.batch import Batch
from protocols.storage.writer import Soon

_STAMP = 60.0  # seconds between two stamps
_STOP = 1.0  # seconds to write the last batch in
_INLINE = 256  # bytes from which on a message is stored once for all its entries, and not within each


class Batches:
    """The numbers of records, and which of them the next batch puts and deletes.

    A base and not a part of `StoreKeeper`: what is asked at each packet costs no further call.
    """

    def __init__(self, store: Store) -> None:
        self.changes = 0
        self.pending = False
        self._store = store
        self._soon: Soon
        self._timeline: Timeline
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

    @property
    def trouble(self) -> Trouble | None:
        return self._store.trouble

    def _begin(self, soon: Soon, loaded: Loaded) -> None:
        """Go on from what was read, and write from now on."""
        self._soon = soon
        self._timeline, self._held = loaded.timeline, loaded.held
        self._next = self._unwritten = loaded.next_record
        self._gone = loaded.orphans
        self._others[records.STAMP_RECORD] = self._encode_stamp
        self._store.start(soon, self._committed, self._hand_over)
        self._changed()

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

    # --- what has changed

    def _changed(self) -> None:
        """Have what has changed written: at the end of this turn, or after the batch that is being written."""
        self.changes += 1
        if not self._flushing:
            self._flushing = self.pending = True
            if self._batch is None:
                self._soon(self._flush)

    def _new(self) -> int:
        number = self._next
        self._next = number + 1
        return number

    def _drop(self, number: int) -> None:
        self._entries.pop(number, None)
        self._others.pop(number, None)
        if number < self._unwritten:
            self._gone.append(number)

    # --- one batch after the other

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

    # --- encoding

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

    def _encode_stamp(self) -> bytes:
        return records.stamp(self._timeline.stamp())

    def _stored(self, moment: float | None) -> float | None:
        return None if moment is None else self._timeline.stored(moment)
