"""Brings the last values through a restart: what has changed is gathered, and handed to the store in batches.

Of a topic that changes often only the last value is written.  What came in the last moments before a kill is lost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from protocols.contract import Trouble
from protocols.hub import records
from protocols.hub.entries import Entry
from protocols.hub.keeping import Kept, Soon
from protocols.hub.messages import PAYLOAD
from protocols.hub.store import Changes, Store

_BATCH = 2 << 20  # bytes of values and topics, of which each takes 128 at least
_COST = 128
_REST = 8  # flushes that are left out for each second that the last batch took: a fifth of a core at most


class StoreKeeper:
    """`keeping.Keeper` on a file."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path)
        self._number = 0
        self._changed: dict[Entry, None] = {}
        self._gone: dict[int, None] = {}
        self._under_way: Changes | None = None
        self._written: dict[int, Entry] = {}  # of what is under way
        self._rests = 0
        self._recoveries = 0
        self._everything: Callable[[], Iterable[Entry]]

    def start(self, soon: Soon, everything: Callable[[], Iterable[Entry]]) -> list[Kept]:
        """Return what was kept, in the order in which it came, and begin to write."""
        self._everything = everything
        found: dict[str, Kept] = {}
        for kept in sorted(records.decode(number, data) for number, data in self._store.open()):
            if (older := found.pop(kept.message.topic, None)) is not None:
                self._gone[older.record] = None
            found[kept.message.topic] = kept
            self._number = max(self._number, kept.record)
        self._store.start(soon, self._done, self._failed)
        return list(found.values())

    @property
    def trouble(self) -> Trouble | None:
        """Return what keeps it from writing, if anything does."""
        return self._store.trouble

    @property
    def is_idle(self) -> bool:
        """Say whether everything is written."""
        return not self._changed and not self._gone and self._under_way is None

    def changed(self, entry: Entry) -> None:
        """Keep the value of a topic as it is when the next batch is made, if it has one then."""
        self._changed[entry] = None

    def dropped(self, entry: Entry) -> None:
        """Forget a topic."""
        self._changed.pop(entry, None)
        if entry.record:
            self._gone[entry.record] = None
            entry.record = 0

    def flush(self) -> None:
        """Hand the next batch to the store, unless one is under way or it took long."""
        self._look_for_losses()
        self._rests -= 1
        if self._under_way is None and self._rests < 0 and (self._changed or self._gone):
            self._under_way = self._batch(_BATCH)
            self._store.write(self._under_way)

    def stop(self) -> None:
        """Write what is not written yet, and close the file; takes half a second at most."""
        self._take_back()
        self._look_for_losses()
        self._store.stop(self._batch(sys.maxsize), 0.5)

    def _batch(self, room: int) -> Changes:
        puts = {}
        for entry in list(self._changed):
            if room <= 0:
                break
            if entry.is_gone or not entry.messages:
                self.dropped(entry)
                continue
            del self._changed[entry]
            if not entry.record:
                self._number += 1
                entry.record = self._number
            self._written[entry.record] = entry
            puts[entry.record] = entry.messages[-1], entry.expires_at
            room -= _COST + len(entry.topic) + len(entry.messages[-1][PAYLOAD])
        gone, self._gone = self._gone, {}
        return Changes(puts, list(gone))

    def _done(self) -> None:
        self._under_way = None
        self._written.clear()
        self._rests = int(self._store.took * _REST)

    def _failed(self) -> None:
        self._take_back()

    def _take_back(self) -> None:
        """Have to write again what was under way, unless it was dropped since."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            self._gone.update(dict.fromkeys(under_way.gone))
        for number, entry in self._written.items():
            if entry.record == number:
                self._changed[entry] = None
        self._written.clear()

    def _look_for_losses(self) -> None:
        """Write everything anew after the file was found damaged, or gone."""
        if self._recoveries != self._store.recoveries:
            self._recoveries = self._store.recoveries
            self._changed.update(dict.fromkeys(self._everything()))
