"""Waits awake for the message that is likely to come next, where messages follow each other closely.

To be put to sleep and woken costs a process more than to pass a small message on.  Where somebody asks, is answered and
asks again, the loop looks at its sockets again and again for a moment instead of sleeping in between, which Linux calls
busy polling.  Others that wait for this processor are let in before each look.

It begins with a second message that comes closely after another one, so that messages now and then cost nothing, and
ends a moment after the last.  That moment is lost, so it counts as much as some messages do: where fewer come in the
long run, the loop sleeps as ever for a while before it tries again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

PRICE = 6  # messages that have to come in a wait to make up for its end
CREDIT = 60  # messages beyond that, of earlier waits, that count at most
REST = 0.1  # seconds; each is twice as long as the one before, unless it was worth it meanwhile
LONGEST = 60.0


class BusyPoll:
    """Keeps the loop from sleeping for so many seconds after a message that came within them; 0 for never."""

    def __init__(
        self,
        seconds: float,
        soon: Callable[[Callable[[], None]], object],
        clock: Callable[[], float] = time.perf_counter,
        give_way: Callable[[], object] = os.sched_yield,
    ) -> None:
        """`soon` calls in the next turn of the loop, which does not sleep before that."""
        self._seconds = seconds
        self._soon = soon
        self._clock = clock
        self._give_way = give_way
        self._last = 0.0
        self._until = 0.0
        self._rest = REST
        self._rests_until = 0.0
        self._credit = 0
        self._is_awake = False

    def passed_on(self) -> None:
        """Note that a message was passed on."""
        now = self._clock()
        if self._is_awake:
            self._credit += 1
            self._until = now + self._seconds
        elif now - self._last < self._seconds and now >= self._rests_until:
            self._is_awake = True
            self._until = now + self._seconds
            self._soon(self._stay)
        self._last = now

    def _stay(self) -> None:
        now = self._clock()
        if now < self._until:
            self._give_way()
            self._soon(self._stay)
            return
        self._is_awake = False
        self._credit = min(self._credit - PRICE, CREDIT)
        if self._credit < 0:
            self._credit = 0
            self._rests_until = now + self._rest
            self._rest = min(self._rest * 2, LONGEST)
        elif self._credit:
            self._rest = REST


def has_another() -> bool:
    """Say whether there is another processor, for those who are waited for."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) > 1
    return (os.cpu_count() or 1) > 1
