"""Bytes on their way to a connection, and what happens when it does not take them.

A subscriber that falls behind is *congested*: publishers to it are held, which means not read, so
that a fast publisher is slowed down to its subscribers' pace and nothing is lost.  A subscriber
that stays congested for longer than the limits' patience is *stalled*: nobody waits for it any
more, and QoS 0 messages beyond its bound are dropped and counted until it has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

_SMALL = 65_536  # bytes that an outbox may hold whatever others do


class Held(Protocol):
    """A connection that is not read until `release` is called."""

    def release(self) -> None: ...


class Flow:
    """The congested outboxes of one broker."""

    def __init__(self) -> None:
        self.congested: dict[Outbox, float | None] = {}  # since when, once a sweep has seen it
        self.dropped = 0  # messages, ever
        self.given_up = 0  # times that nobody waited any longer for one
        self.held = 0  # bytes in all outboxes that are not small, when they were last looked at

    def relax(self, outbox: Outbox) -> None:
        """Note that an outbox has caught up, has stalled, or is closed."""
        self.congested.pop(outbox, None)
        waiting, outbox.waiting = outbox.waiting, None
        for held in waiting or ():
            held.release()

    def give_up(self, now: float, patience: float) -> None:
        """Let nobody wait any longer for an outbox that has been congested for too long."""
        for outbox, since in list(self.congested.items()):
            if since is None:
                self.congested[outbox] = now
            elif now - since >= patience:
                outbox.stalled = True
                self.given_up += 1
                self.relax(outbox)


def share_out(outboxes: Sequence[Outbox], each: int, total: int) -> int:
    """Bound what waits to be written: each outbox by itself, and less each while they hold more than the total.

    What an outbox holds already stays.  Returns how much they hold.
    """
    held = [outbox.size for outbox in outboxes if outbox.size > _SMALL]
    size = sum(held)
    limit = each if size <= total else max(total // len(held), _SMALL)
    for outbox in outboxes:
        outbox.limit = limit
    return size


class Outbox:
    """What waits to be written to one connection, in order."""

    __slots__ = (
        "_chunks",
        "_flow",
        "dropped",
        "limit",
        "messages",
        "size",
        "stalled",
        "taken",
        "waiting",
        "wake",
        "write",
    )

    def __init__(self, limit: int, flow: Flow, wake: Callable[[], None]) -> None:
        self._chunks: list[bytes] = []
        self.limit = limit
        self._flow = flow
        self.wake = wake  # called when there is something to write again
        self.size = 0
        self.messages = 0  # PUBLISH packets, ever
        self.taken = 0  # bytes, ever
        self.dropped = 0  # messages that were not even added
        self.stalled = False
        self.waiting: list[Held] | None = None
        self.write: Callable[[bytes], object] | None = None  # at once, while the socket takes more

    def send(self, data: bytes) -> None:
        """Add what must arrive: an answer, or a QoS 1 or 2 message."""
        if not self._chunks:
            self.wake()
        self._chunks.append(data)
        self.size += len(data)

    def offer(self, data: bytes, count: int) -> bool:
        """Add `count` QoS 0 messages, or drop and count them when too much waits already; say whether added."""
        size = self.size + len(data)
        if size > self.limit and self.size:
            self.dropped += count
            self._flow.dropped += count
            return False
        if not self._chunks:
            self.wake()
        self._chunks.append(data)
        self.size = size
        self.messages += count
        if size > self.limit >> 2:
            self.congest()
        return True

    def take(self) -> bytes:
        """Remove and return everything."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self.size = 0
        self.taken += len(data)
        return data

    @property
    def has_room(self) -> bool:
        """Say whether messages that can wait elsewhere should be added."""
        return self.size <= self.limit >> 2

    @property
    def is_full(self) -> bool:
        """Say whether even answers should not be added."""
        return self.size > self.limit

    def congest(self) -> None:
        """Make publishers wait, unless they have waited for long enough."""
        if not self.stalled:
            self._flow.congested.setdefault(self, None)

    def relax(self) -> None:
        """Stop making publishers wait: what waited has been taken."""
        self.stalled = False
        if self.waiting or self in self._flow.congested:
            self._flow.relax(self)

    def hold(self, held: Held) -> None:
        """Keep a connection from being read until this outbox relaxes."""
        self.waiting = self.waiting or []
        self.waiting.append(held)
