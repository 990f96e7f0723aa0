"""Requests that have to wait: kept by the web worker's main loop until their time has come, without a thread."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

MOST = 2_000  # requests of one web worker
MOST_BYTES = 16 * 1024 * 1024  # of all of them
MOST_MORE = 16 * 1024  # bytes that a client may send on while its request waits, before it is not read any more
SLACK = 100  # places in the order of those that have left


class Full(Exception):
    """Too many requests wait, or too many bytes of them."""


class Waiting:
    """Connections whose requests wait, by the time of their next try; of the same time, in the order they came."""

    def __init__(self) -> None:
        self.size = 0  # bytes
        self._kept: dict[Any, tuple[int, bytes, int]] = {}  # its number in the order, the request, bytes that followed
        self._order: list[tuple[float, int, Any]] = []  # a heap; of those that have left, too, for a while
        self._count = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, conn: Any, request: bytes, at: float) -> None:
        """Keep a request, with whatever followed it, until a time.  Raises `Full`."""
        if len(self._kept) >= MOST or self.size + len(request) > MOST_BYTES:
            raise Full
        self._count += 1
        self._kept[conn] = (self._count, request, 0)
        self.size += len(request)
        heapq.heappush(self._order, (at, self._count, conn))

    def grow(self, conn: Any, data: bytes) -> bool:
        """Keep what a client sends on; return whether to read more of it."""
        number, request, more = self._kept[conn]
        self._kept[conn] = (number, request + data, more + len(data))
        self.size += len(data)
        return more + len(data) < MOST_MORE and self.size < MOST_BYTES

    def remove(self, conn: Any) -> None:
        """Forget a connection, if it waits."""
        kept = self._kept.pop(conn, None)
        if kept is not None:
            self.size -= len(kept[1])
            if len(self._order) > 2 * len(self._kept) + SLACK:
                self._order = [entry for entry in self._order if self._waits(entry)]
                heapq.heapify(self._order)

    def due(self, now: float) -> Iterator[tuple[Any, bytes]]:
        """Hand out the requests whose time has come, the longest due first."""
        while self._order and self._order[0][0] <= now:
            entry = heapq.heappop(self._order)
            if self._waits(entry):
                _, request, _ = self._kept.pop(entry[2])
                self.size -= len(request)
                yield entry[2], request

    def _waits(self, entry: tuple[float, int, Any]) -> bool:
        _, number, conn = entry
        return conn in self._kept and self._kept[conn][0] == number

    def seconds(self, now: float, most: float) -> float:
        """Return for how long nothing is due, at most so many seconds."""
        return min(most, max(0.0, self._order[0][0] - now)) if self._order else most
