"""What was written and is still to be published, in order."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

_MOST, _MOST_BYTES = 10_000, 16 * 1024 * 1024  # that are kept; beyond it, of each topic the last
_ENOUGH = 0.9  # of that, to which it is brought down
_COST = 256  # bytes that a message takes beside its payload
_BATCH, _BATCH_BYTES = 50, 256 * 1024


class Outgoing(NamedTuple):
    """One message."""

    topic: str
    payload: bytes
    integration_id: int
    mark: int  # by which it is known when it comes back, and when it has arrived

    @property
    def cost(self) -> int:
        return len(self.payload) + len(self.topic) + _COST


class Outbox:
    """A queue whose first messages may be on their way: they leave it when they have arrived."""

    def __init__(self) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0
        self.dropped = 0  # messages that were followed by others on their topic, or were too many

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Outgoing) -> None:
        """Put a message behind the others."""
        self._waiting.append(message)
        self._bytes += message.cost
        if len(self) > _MOST or self._bytes > _MOST_BYTES:
            self._shorten()

    @property
    def fills_a_batch(self) -> bool:
        """Say whether there are more messages than go into one."""
        return len(self._waiting) >= _BATCH

    def batch(self) -> list[Outgoing]:
        """Return the first messages; they stay."""
        found: list[Outgoing] = []
        size = 0
        for message in self._waiting:
            if found and (len(found) == _BATCH or size + message.cost > _BATCH_BYTES):
                break
            found.append(message)
            size += message.cost
        return found

    def arrived(self, batch: list[Outgoing]) -> None:
        """Let go of messages that have arrived, where they are still the first ones."""
        for message in batch:
            if not self._waiting or self._waiting[0] is not message:
                continue
            self._bytes -= self._waiting.popleft().cost

    def _shorten(self) -> None:
        """Keep the last message of each topic, in order; if that is still too much, drop the oldest."""
        last = {message.topic: message for message in self._waiting}
        kept = deque(message for message in self._waiting if last[message.topic] is message)
        size = sum(message.cost for message in kept)
        while len(kept) > _MOST * _ENOUGH or size > _MOST_BYTES * _ENOUGH:
            size -= kept.popleft().cost
        self.dropped += len(self) - len(kept)
        self._waiting, self._bytes = kept, size
