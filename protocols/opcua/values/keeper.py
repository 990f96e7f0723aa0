"""Brings nodes, values and history through a restart: what changes is gathered, and handed to the store in batches.

Of a node that changes often only the last value is written.  What came in the last moments before a kill is lost, and
so is a little more of the history, which is written at a bounded pace.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from asyncua import ua

from protocols.opcua.values import kinds, records
from protocols.opcua.values.history import Ring
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.records import Record
from protocols.opcua.values.store import Batch, Soon, Store
from protocols.opcua.values.tree import Node

INTERVAL = 0.1  # seconds between two batches, at least
_REST = 4  # times as long as the last batch took, so that the store never takes more than a fifth of a core
_BATCH = 2 << 20  # bytes that nodes take, of which each takes 512 at least
_HISTORY_INTERVAL = 5.0  # seconds between two batches that hold history
_LAST_HISTORY = 16 << 20  # bytes of history that are written at the end
_UNREADABLE = (ua.UaError, struct.error, ValueError, TypeError, KeyError, AttributeError)

Later = Callable[[float, Callable[[], None]], Any]


class NoKeeper:
    """Keeps nothing."""

    def changed(self, node: Node) -> None:
        """Do nothing."""

    def dropped(self, node: Node) -> None:
        """Do nothing."""


class StoreKeeper:
    """Keeps everything in one file.  `load` comes first, then `start`."""

    def __init__(self, path: Path, history_pace: int) -> None:
        self._store = Store(path)
        self._history_pace = history_pace
        self._number = 0
        self._changed: dict[int, Node] = {}
        self._rings: dict[int, Node] = {}
        self._gone: dict[int, None] = {}
        self._under_way: tuple[dict[int, Node], dict[int, Node], dict[int, None]] | None = None
        self._is_waiting = False
        self._pause = INTERVAL
        self._since_history = 0.0
        self._found: list[tuple[int, Record]] = []
        self._later: Later | None = None

    @property
    def is_failing(self) -> bool:
        """Say whether nothing can be written at present."""
        return self._store.is_failing

    @property
    def is_idle(self) -> bool:
        """Say whether everything is written."""
        return not (self._changed or self._rings or self._gone or self._under_way)

    def open(self) -> list[Record]:
        """Return what was kept; blocks, and may run on any thread."""
        found = []
        for number, data in self._store.open():
            self._number = max(self._number, number)
            try:
                found.append((number, records.decode(data)))
            except _UNREADABLE:
                self._gone[number] = None
        self._found = found
        return [record for _, record in found]

    def load(self, nodes: Nodes, usernames: dict[int, str]) -> None:
        """Have the nodes of these integrations again; what was kept of others is dropped."""
        found, self._found = self._found, []
        for number, record in sorted(found, key=lambda one: one[1].what):  # the nodes before their history
            username = usernames.get(record.integration_id)
            if username is None or not self._load(nodes, username, number, record):
                self._gone[number] = None

    def _load(self, nodes: Nodes, username: str, number: int, record: Record) -> bool:
        folder = nodes.adopt(record.integration_id, username)
        if record.what == records.RING:
            node = folder.nodes.get(record.name)
            if node is None:
                return False
            node.ring_record = number
            nodes.restore_history(node, _ring(record, nodes.limits.history_values))
            return True
        node = nodes.restore(folder, record.name, record.kind, record.values[0] if record.values else None)
        node.record, node.writes = number, record.writes
        node.is_kept = record.what == records.FOLDER
        return True

    def start(self, later: Later, soon: Soon) -> None:
        """Start writing: `later` runs a function on the loop after some seconds, `soon` may be called anywhere."""
        self._later = later
        self._store.start(soon, self._done, self._failed)
        if self._gone:
            self._wait()

    def stop(self) -> None:
        """Write what is not written yet, and close the file; takes a second at most."""
        self._later = None
        if self._under_way is not None:
            self._take_back()
        self._store.stop(self._batch(sys.maxsize, _LAST_HISTORY), 1.0)

    # --- what the nodes call

    def changed(self, node: Node) -> None:
        """Keep a node as it is when the next batch is made."""
        if not node.record:
            node.record, node.ring_record = self._number + 1, self._number + 2
            self._number += 2
        self._changed[node.record] = node
        if node.ring is not None:
            self._rings[node.ring_record] = node
        if not self._is_waiting:
            self._wait()

    def dropped(self, node: Node) -> None:
        """Forget a node."""
        if not node.record:
            return
        for number in (node.record, node.ring_record):
            self._changed.pop(number, None)
            self._rings.pop(number, None)
            if number:
                self._gone[number] = None
        if not self._is_waiting:
            self._wait()

    # --- batches

    def _wait(self) -> None:
        if self._later is not None:
            self._is_waiting = True
            self._pause = max(INTERVAL, _REST * self._store.took)
            self._later(self._pause, self._hand_over)

    def _hand_over(self) -> None:
        if self._later is None:
            return
        self._since_history += self._pause
        room = 0
        if self._since_history >= _HISTORY_INTERVAL:
            room = int(self._history_pace * min(self._since_history, 2 * _HISTORY_INTERVAL))
            self._since_history = 0.0
        if self._changed or self._gone or room:
            self._store.write(self._batch(_BATCH, room))
        else:
            self._wait()

    def _batch(self, room: int, history_room: int) -> Batch:
        nodes = _take(self._changed, room, _weight)
        rings = _take(self._rings, history_room, _ring_weight)
        gone, self._gone = self._gone, {}
        self._under_way = nodes, rings, gone
        puts = {number: _record(node) for number, node in nodes.items()}
        puts.update((number, _ring_record(node)) for number, node in rings.items())
        return Batch(puts, list(gone))

    def _done(self) -> None:
        self._under_way = None
        self._is_waiting = False
        if self._changed or self._gone or self._rings:
            self._wait()

    def _failed(self) -> None:
        if self._under_way is not None:
            self._take_back()
        self._is_waiting = False
        self._wait()

    def _take_back(self) -> None:
        """Have to write again what was under way, unless it was dropped since."""
        nodes, rings, gone = self._under_way or ({}, {}, {})
        self._under_way = None
        self._gone = {**gone, **self._gone}
        self._changed = {**_without(nodes, self._gone), **self._changed}
        self._rings = {**_without(rings, self._gone), **self._rings}


def _take(pending: dict[int, Node], room: int, weigh: Callable[[Node], int]) -> dict[int, Node]:
    """Take out the nodes that wait longest, until the room is used."""
    taken: dict[int, Node] = {}
    for number, node in pending.items():
        if room <= 0:
            break
        taken[number] = node
        room -= weigh(node)
    for number in taken:
        del pending[number]
    return taken


def _weight(node: Node) -> int:
    return node.weight


def _ring_weight(node: Node) -> int:
    return node.ring.bytes if node.ring is not None else 0


def _without(nodes: dict[int, Node], gone: Collection[int]) -> dict[int, Node]:
    return {number: node for number, node in nodes.items() if number not in gone}


def _record(node: Node) -> Record:
    what = records.VARIABLE if node.value is not None else records.FOLDER
    values = (node.value,) if node.value is not None else ()
    return Record(what, node.folder.integration_id, node.name, node.writes, node.kind, values)


def _ring_record(node: Node) -> Record:
    entries = node.ring.entries if node.ring is not None else ()
    return Record(records.RING, node.folder.integration_id, node.name, 0, None, records.ring_values(entries))


def _ring(record: Record, most: int) -> Ring:
    ring = Ring()
    for value in record.values:
        ring.add(value, kinds.measure(value.Value), most)
    return ring
