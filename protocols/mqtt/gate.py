"""Answers of one connection that wait until what they answer for is committed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from protocols.mqtt.keeping import Keeper
from protocols.mqtt.outbox import Held, Outbox


class Gate:
    """Sends in order: nothing overtakes what waits for a commit.

    What comes in one turn of the loop waits together: `settle`, at the end of the turn, asks once for all of it.
    """

    __slots__ = ("_fresh", "_keeper", "_outbox", "_wake", "held", "waiting")

    def __init__(self, outbox: Outbox, keeper: Keeper, wake: Callable[[], None]) -> None:
        self._outbox = outbox
        self._keeper = keeper
        self._wake = wake
        self._fresh: list[bytes] | None = None
        self.waiting = 0  # packets
        self.held: Held | None = None  # a connection that is not read until there is room

    def send(self, data: bytes, *, wait: bool) -> None:
        """Send an answer; `wait` for what was recorded up to now, and in any case for earlier answers."""
        if not wait and not self.waiting:
            self._outbox.send(data)
            return
        if self._fresh is None:
            self._fresh = []
            self._wake()
        self._fresh.append(data)
        self.waiting += 1

    def settle(self) -> None:
        """End a turn of the loop."""
        if self._fresh is not None:
            fresh, self._fresh = self._fresh, None
            self._keeper.after(partial(self._release, b"".join(fresh), len(fresh)))

    def _release(self, data: bytes, count: int) -> None:
        self.waiting -= count
        self._outbox.send(data)
        if self.held is not None:
            held, self.held = self.held, None
            held.release()
