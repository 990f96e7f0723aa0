"""The histories of all nodes, and the room that they share."""

from __future__ import annotations

from collections.abc import Mapping

from asyncua import ua

from protocols.hits import Hits
from protocols.opcua.values.history import Ring
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.tree import Folder, Node

_ENOUGH = 0.95  # of the room, to which histories are brought down when there is none left


class Archive:
    """Keeps the last values of nodes, which are those in these folders."""

    def __init__(self, limits: ValueLimits, hits: Hits, folders: Mapping[int, Folder]) -> None:
        self.bytes = 0
        self._limits = limits
        self._hits = hits
        self._folders = folders

    def add(self, node: Node, value: ua.DataValue, size: int) -> None:
        """Keep a value that was written to a node."""
        if node.ring is None:
            node.ring = Ring()
        self._grow(node, node.ring.add(value, size, self._limits.history_values))
        self._shorten()

    def restore(self, node: Node, ring: Ring) -> None:
        """Take over the history that was kept of a node."""
        node.ring = ring
        self._grow(node, ring.bytes)
        self._shorten()

    def drop(self, node: Node) -> None:
        """Forget the history of a node."""
        if node.ring is not None:
            self._grow(node, -node.ring.bytes)
            node.ring = None

    def _grow(self, node: Node, by: int) -> None:
        node.folder.ring_bytes += by
        self.bytes += by

    def _shorten(self) -> None:
        """Make room, and some more: those who keep most, of the integration that keeps most, lose their older half."""
        if self.bytes <= self._limits.history_total_bytes:
            return
        self._hits.add("history_total_bytes")
        enough = int(self._limits.history_total_bytes * _ENOUGH)
        while self.bytes > enough:
            folder = max(self._folders.values(), key=lambda one: one.ring_bytes)
            for node in sorted(folder.nodes.values(), key=_ring_bytes, reverse=True):
                if node.ring is None or self.bytes <= enough:
                    break
                self._grow(node, -node.ring.halve())


def _ring_bytes(node: Node) -> int:
    return node.ring.bytes if node.ring is not None else 0
