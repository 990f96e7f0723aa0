"""The clock of what is stored: it goes on through restarts, and no clock set anew makes it jump.

A stamp, stored now and then, says how late it was by this clock, by the wall clock, and by the system's time since its
start.  After a restart of this process alone the latter tells how much time has passed, exactly; after one of the
system the wall clock does, and if that was set back, no time has passed: better is something kept for too long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_JUMP = 1.0  # seconds that the wall clock may differ from what is expected


@dataclass(frozen=True, slots=True)
class Stamp:
    """How late it was, by three clocks."""

    at: float  # of the timeline
    wall: float
    up: float  # seconds since the system was started
    boot: str  # which start of the system that was; "" when unknown


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the time comes from."""

    wall: Callable[[], float] = time.time
    up: Callable[[], float] = lambda: time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    boot: Callable[[], str] = lambda: _BOOT_ID.read_text("ascii").strip() if _BOOT_ID.exists() else ""


class Timeline:
    """Turns the engine's times into ones that can be stored, and back."""

    def __init__(self, last: Stamp | None, now: float, clocks: Clocks | None = None) -> None:
        self._clocks = clocks or Clocks()
        self._boot = self._clocks.boot()
        self._up = self._clocks.up()
        self._start = self._begin(last)
        self._offset = self._start - now
        self._stamp = self.stamp()

    def stored(self, engine_time: float) -> float:
        """Return a time of the engine as it is stored."""
        return engine_time + self._offset

    def engine(self, stored_time: float) -> float:
        """Return a stored time as the engine counts it."""
        return stored_time - self._offset

    def stamp(self) -> Stamp:
        """Return how late it is, to be stored."""
        up = self._clocks.up()
        self._stamp = Stamp(self._start + up - self._up, self._clocks.wall(), up, self._boot)
        return self._stamp

    def is_stamp_due(self, interval: float) -> bool:
        """Say whether the last stamp is so old, or the wall clock was set since."""
        passed = self._clocks.up() - self._stamp.up
        jump = self._clocks.wall() - self._stamp.wall - passed
        return passed >= interval or abs(jump) > _JUMP

    def _begin(self, last: Stamp | None) -> float:
        if last is None:
            return self._clocks.wall()
        if last.boot and last.boot == self._boot:
            return last.at + max(0.0, self._up - last.up)
        return last.at + max(0.0, self._clocks.wall() - last.wall)
