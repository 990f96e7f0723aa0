"""What is to be done later, by the monotonic clock: one thread for all deadlines and intervals."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Entry:
    """Something that is to be done at a time."""

    __slots__ = ("_action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Have it not done, if it is not under way."""
        self._action = None

    def do(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


class Timetable:
    """Does things when they are due; each must be quick, and leave work to a lane."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._due: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="timetable", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def at(self, when: float, action: Callable[[], None]) -> Entry:
        """Have something done at a time of `now`."""
        entry = Entry(action)
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), entry))
            if self._due[0][2] is entry:
                self._changed.notify()
        return entry

    def after(self, delay: float, action: Callable[[], None]) -> Entry:
        """Have something done after some seconds."""
        return self.at(self.now() + delay, action)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and not (self._due and self._due[0][0] <= self.now()):
                    self._changed.wait(self._due[0][0] - self.now() if self._due else None)
                if self._stopped:
                    return
                entry = heapq.heappop(self._due)[2]
            try:
                entry.do()
            except Exception:
                log.exception("what was due failed")
