"""What is counted by integration until the database is told: traffic, and the time that each was online."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from protocols.contract import Traffic

Counts = tuple[int, int, int, int, int]  # messages in and out, bytes in and out, milliseconds online

NOTHING: Counts = (0, 0, 0, 0, 0)


class OnlineTimes:
    """How long each integration had an open connection; may be told from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[int, tuple[int, float]] = {}  # connections, and since when they have not been counted
        self._ended: dict[int, float] = {}  # seconds

    def opened(self, integration_id: int) -> None:
        """Note one more connection of an integration."""
        with self._lock:
            count, since = self._open.get(integration_id, (0, 0.0))
            self._open[integration_id] = (count + 1, since if count else self._clock())

    def closed(self, integration_id: int) -> None:
        """Note one connection less."""
        with self._lock:
            count, since = self._open[integration_id]
            if count > 1:
                self._open[integration_id] = (count - 1, since)
                return
            del self._open[integration_id]
            self._ended[integration_id] = self._ended.get(integration_id, 0.0) + self._clock() - since

    def take(self) -> dict[int, float]:
        """Return the seconds since this was last asked."""
        with self._lock:
            now = self._clock()
            seconds, self._ended = self._ended, {}
            for integration_id, (count, since) in self._open.items():
                seconds[integration_id] = seconds.get(integration_id, 0.0) + now - since
                self._open[integration_id] = (count, now)
        return seconds


class Ledger:
    """Sums up what is to be written; what could not be written stays."""

    def __init__(self) -> None:
        self._sums: dict[int, Counts] = {}

    def add(self, traffic: Mapping[int, Traffic], online: Mapping[int, float]) -> None:
        """Add what happened since the last time."""
        for key, more in traffic.items():
            self._add(key, (more.messages_in, more.messages_out, more.bytes_in, more.bytes_out, 0))
        for key, seconds in online.items():
            self._add(key, (0, 0, 0, 0, round(seconds * 1000)))

    def rows(self) -> list[tuple[int, int, int, int, int, int]]:
        """Return the sums: of each integration its id and counts."""
        return [(key, *counts) for key, counts in self._sums.items()]

    def clear(self) -> None:
        """Start anew: the sums are written."""
        self._sums.clear()

    def _add(self, key: int, more: Counts) -> None:
        a, b, c, d, e = self._sums.get(key, NOTHING)
        self._sums[key] = (a + more[0], b + more[1], c + more[2], d + more[3], e + more[4])
