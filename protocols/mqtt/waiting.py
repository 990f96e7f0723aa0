"""Logins that get no answer at once: each is asked about again when its time has come.

Who has the right credentials is let in by the turn of the loop in which its CONNECT arrives.  All others stand in one
queue, strangers and who has mistyped its password alike, of which a few are asked about in a turn: however many come,
a turn is not much longer for those who are let in, and whose messages arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

AT_ONCE = 3  # that are asked about in a turn of the loop
TICK = 0.005  # seconds between two looks who is due

Ask = Callable[[], None]


class Waiting:
    """Who waits, by the time to ask again."""

    __slots__ = ("_later", "_looks", "_now", "_numbers", "_queue", "_soon", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._queue: list[tuple[float, int, Ask]] = []  # a heap
        self._numbers = count()  # so that of two with the same time the older one is first
        self._looks = False  # `_look` will be called

    def start(
        self, now: Callable[[], float], soon: Callable[[Ask], object], later: Callable[[float, Ask], object]
    ) -> None:
        """Take the time from this loop; `soon` calls in its next turn."""
        self._now, self._soon, self._later = now, soon, later

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Say whether nobody else should wait."""
        return len(self._queue) >= self.most

    def add(self, seconds: float, ask: Ask) -> None:
        """Have `ask` called after so many seconds, as soon as its turn has come."""
        heappush(self._queue, (self._now() + seconds, next(self._numbers), ask))
        if not self._looks:
            self._looks = True
            self._later(min(seconds, TICK), self._look)

    def _look(self) -> None:
        """Ask about those that have been due for the longest; what arrives comes before the others."""
        now = self._now()
        for _ in range(AT_ONCE):
            if not self._is_due(now):
                break
            heappop(self._queue)[2]()
        self._looks = bool(self._queue)
        if self._is_due(now):
            self._soon(self._look)
        elif self._looks:
            self._later(TICK, self._look)

    def _is_due(self, now: float) -> bool:
        return bool(self._queue) and self._queue[0][0] <= now
