"""Brings nodes, values and history through a restart: what changes is gathered, and handed to the store in batches.

Of a node that changes often only the last value is written.  What came in the last moments before a kill is lost, and
so is a little more of the history, which is written at a bounded pace.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asyncua import ua

from protocols.opcua.values import kinds, records
from protocols.opcua.values.history import Ring, unpack
from protocols.opcua.values.nodes import Nodes
from protocols.opcua.values.records import Record
from protocols.opcua.values.store import Changes, Store
from protocols.opcua.values.tree import Node, Texts
from protocols.storage.writer import Soon

INTERVAL = 0.1  # seconds between two batches, at least
_REST = 4  # times as long as the last batch took, so that the store never takes more than a fifth of a core
_BATCH = 2 << 20  # bytes that nodes take, of which each takes 768 at least
_PACE = 4 << 20  # bytes of nodes in a second, so that large values that change all the time do not wear a disk out
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
    """Keeps everything in one file.  `open` and `load` come first, then `start`.

    A record gets its number when it is written for the first time, and a node knows it once that is committed: what
    was never committed needs no deletion.
    """

    def __init__(self, path: Path, history_pace: int) -> None:
        self._store = Store(path)
        self._history_pace = history_pace
        self._number = 0
        self._changed: dict[Node, None] = {}
        self._rings: dict[Node, None] = {}
        self._gone: dict[int, None] = {}
        self._under_way = _UnderWay()
        self._is_waiting = False
        self._pause = INTERVAL
        self._since_history = 0.0
        self._recoveries = 0
        self._found: list[tuple[int, Record]] = []
        self._nodes: Nodes | None = None
        self._later: Later | None = None

    @property
    def is_failing(self) -> bool:
        """Say whether nothing can be written at present."""
        return self._store.is_failing

    def is_idle(self, *, but_history: bool = False) -> bool:
        """Say whether everything is written."""
        under_way = self._under_way
        waiting = self._changed or self._gone or under_way.nodes or under_way.gone or under_way.rings
        return not waiting and (but_history or not self._rings)

    def open(self) -> list[Record]:
        """Return what was kept; blocks, and may run on any thread."""
        for number, data in self._store.open():
            self._number = max(self._number, number)
            try:
                self._found.append((number, records.decode(data)))
            except _UNREADABLE:
                self._gone[number] = None
        return [record for _, record in self._found]

    def load(self, nodes: Nodes, usernames: dict[int, str]) -> None:
        """Have the nodes of these integrations again; what was kept of others is dropped."""
        self._nodes = nodes
        found, self._found = self._found, []
        for number, record in sorted(found, key=lambda one: one[1].what):  # the nodes before their history
            username = usernames.get(record.integration_id)
            if username is None or not _load(nodes, username, number, record):
                self._gone[number] = None

    def start(self, later: Later, soon: Soon) -> None:
        """Start writing: `later` runs a function on the loop after some seconds, `soon` may be called anywhere."""
        self._later = later
        self._store.start(soon, self._done, self._failed)
        if self._gone:
            self._wait()

    def stop(self) -> None:
        """Write what is not written yet, and close the file; takes a second at most."""
        self._later = None
        self._take_back()
        self._store.stop(self._batch(sys.maxsize, _LAST_HISTORY), 1.0)

    # --- what the nodes call

    def changed(self, node: Node) -> None:
        """Keep a node as it is when the next batch is made."""
        self._changed[node] = None
        if node.ring is not None:
            self._rings[node] = None
        if not self._is_waiting:
            self._wait()

    def dropped(self, node: Node) -> None:
        """Forget a node."""
        self._changed.pop(node, None)
        self._rings.pop(node, None)
        for number in (node.record, node.ring_record):
            if number:
                self._gone[number] = None
        node.record = node.ring_record = 0
        if self._gone and not self._is_waiting:
            self._wait()

    # --- batches

    def _wait(self) -> None:
        if self._later is not None:
            self._is_waiting = True
            self._pause = max(INTERVAL, _REST * self._store.took, self._under_way.weight / _PACE)
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

    def _batch(self, room: int, history_room: int) -> Changes:
        nodes = _take(self._changed, room, _weight)
        rings = _take(self._rings, history_room, _ring_weight)
        gone, self._gone = self._gone, {}
        under_way = self._under_way = _UnderWay(
            {node.record or self._next(): node for node in nodes},
            {node.ring_record or self._next(): node for node in rings},
            gone,
            sum(map(_weight, nodes)),
        )
        puts = {number: _record(node) for number, node in under_way.nodes.items()}
        puts.update((number, _ring_record(node)) for number, node in under_way.rings.items())
        return Changes(puts, list(gone))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _done(self) -> None:
        under_way, self._under_way = self._under_way, _UnderWay(weight=self._under_way.weight)
        for number, node in under_way.nodes.items():
            if _is_there(node):
                node.record = number
            else:
                self._gone[number] = None
        for number, node in under_way.rings.items():
            if _is_there(node):
                node.ring_record = number
            else:
                self._gone[number] = None
        self._is_waiting = False
        self._look_for_losses()
        if not self.is_idle():
            self._wait()

    def _failed(self) -> None:
        self._take_back()
        self._is_waiting = False
        self._look_for_losses()
        self._wait()

    def _take_back(self) -> None:
        """Have to write again what was under way, unless it was dropped since."""
        under_way, self._under_way = self._under_way, _UnderWay()
        self._changed = {**dict.fromkeys(filter(_is_there, under_way.nodes.values())), **self._changed}
        self._rings = {**dict.fromkeys(filter(_is_there, under_way.rings.values())), **self._rings}
        self._gone = {**under_way.gone, **self._gone}

    def _look_for_losses(self) -> None:
        """Write everything anew after the file was found damaged."""
        if self._recoveries == self._store.recoveries or self._nodes is None:
            return
        self._recoveries = self._store.recoveries
        for folder in self._nodes.folders.values():
            for node in folder.nodes.values():
                if node.is_variable or node.is_kept:
                    self.changed(node)


@dataclass(slots=True)
class _UnderWay:
    """What was handed to the store and is not answered yet."""

    nodes: dict[int, Node] = field(default_factory=dict)
    rings: dict[int, Node] = field(default_factory=dict)
    gone: dict[int, None] = field(default_factory=dict)
    weight: int = 0  # bytes of the last batch


def _load(nodes: Nodes, username: str, number: int, record: Record) -> bool:
    """Have a node again, or its history; say whether there is such a node."""
    folder = nodes.adopt(record.integration_id, username)
    if record.what == records.RING:
        node = folder.nodes.get(record.name)
        if node is None:
            return False
        node.ring_record = number
        nodes.archive.restore(node, _ring(record, nodes.limits.history_values))
        return True
    values = list(record.values)
    value = values.pop(0) if record.what == records.VARIABLE and values else None
    node = nodes.restore(folder, record.name, record.kind, value)
    node.record, node.writes = number, record.writes
    node.is_kept = record.what == records.FOLDER
    if values:
        nodes.describe(node, Texts(*values[0].Value.Value))
    return True


def _is_there(node: Node) -> bool:
    return node.folder.nodes.get(node.name) is node


def _take(pending: dict[Node, None], room: int, weigh: Callable[[Node], int]) -> list[Node]:
    """Take out the nodes that wait longest, until the room is used."""
    taken: list[Node] = []
    for node in pending:
        if room <= 0:
            break
        taken.append(node)
        room -= weigh(node)
    for node in taken:
        del pending[node]
    return taken


def _weight(node: Node) -> int:
    return node.weight


def _ring_weight(node: Node) -> int:
    return node.ring.bytes if node.ring is not None else 0


def _record(node: Node) -> Record:
    what = records.VARIABLE if node.value is not None else records.FOLDER
    values = [node.value] if node.value is not None else []
    if node.texts is not None:
        values.append(ua.DataValue(ua.Variant(list(node.texts), ua.VariantType.LocalizedText)))
    return Record(what, node.folder.integration_id, node.name, node.writes, node.kind, values)


def _ring_record(node: Node) -> Record:
    entries = tuple(node.ring.entries) if node.ring is not None else ()
    # They are unpacked when they are written, beside the loop.
    return Record(records.RING, node.folder.integration_id, node.name, 0, None, map(unpack, entries))


def _ring(record: Record, most: int) -> Ring:
    ring = Ring()
    for value in record.values:
        ring.add(value, kinds.measure(value.Value) + kinds.burden(value.Value), most)
    return ring
