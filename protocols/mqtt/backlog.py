"""Outgoing QoS 1 and 2 messages of one session, and the queue of those that wait: its backlog."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from protocols.mqtt.packets import Message

_OVERHEAD = 300  # bytes that a message costs besides its text, roughly

QUEUED, SENT, RELEASED = range(3)  # waits; PUBLISH sent; PUBREC seen and PUBREL sent


class Entry:
    """A message on its way to one session; its QoS and RETAIN flag are the message's."""

    __slots__ = ("identifiers", "message", "packet_id", "record", "share", "state")

    def __init__(self, message: Message, identifiers: tuple[int, ...] = (), share: str = "") -> None:
        self.message = message  # once released without its payload
        self.identifiers = identifiers  # of the subscriptions that it is sent for
        self.share = share  # "$share/name/filter" when it was sent to this member of a group, else ""
        self.packet_id = 0
        self.state = QUEUED
        self.record = 0  # the keeper's


class Pool:
    """How many bytes wait in all backlogs together."""

    __slots__ = ("limit", "reserve", "size")

    def __init__(self, limit: int, reserve: int = 0) -> None:
        self.limit = limit
        self.reserve = reserve  # that each backlog may have, even if the others have filled all there is
        self.size = 0

    def has_room(self, before: int, more: int) -> bool:
        """Say whether a backlog may grow."""
        return self.size + more <= self.limit or before + more <= self.reserve


class Backlog:
    """A queue of entries, bounded in number and bytes, alone and together with all others."""

    __slots__ = ("_entries", "_max_messages", "_max_size", "_pool", "_size", "expiring")

    def __init__(self, max_messages: int, max_size: int, pool: Pool) -> None:
        self._max_messages = max_messages
        self._max_size = max_size
        self._pool = pool
        self._entries: deque[Entry] = deque()
        self._size = 0
        self.expiring = False  # holds, or held, a message that expires

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Return the bytes of its entries, as the limits count them."""
        return self._size

    def add(self, entry: Entry) -> str:
        """Append an entry, or return the name of the limit that keeps it out; an empty queue takes one of any size."""
        size = size_of(entry)
        if not self._pool.has_room(self._size, size):
            return "queue_total_bytes"
        if len(self._entries) >= self._max_messages:
            return "queue_messages"
        if self._size + size > self._max_size and self._entries:
            return "queue_bytes"
        self._append(entry, size)
        return ""

    def restore(self, entry: Entry) -> None:
        """Append an entry that had been let in before."""
        self._append(entry, size_of(entry))

    def _append(self, entry: Entry, size: int) -> None:
        self._entries.append(entry)
        self._size += size
        self._pool.size += size
        if entry.message.expires_at is not None:
            self.expiring = True

    def take(self) -> Entry | None:
        """Remove and return the oldest entry."""
        if not self._entries:
            return None
        entry = self._entries.popleft()
        self._shrink(entry)
        return entry

    def remove(self, unwanted: Callable[[Entry], bool]) -> list[Entry]:
        """Remove and return the entries that are not wanted any more."""
        removed = [entry for entry in self._entries if unwanted(entry)]
        if removed:
            gone = set(map(id, removed))
            self._entries = deque(entry for entry in self._entries if id(entry) not in gone)
            for entry in removed:
                self._shrink(entry)
        return removed

    def _shrink(self, entry: Entry) -> None:
        size = size_of(entry)
        self._size -= size
        self._pool.size -= size

    @property
    def is_filling(self) -> bool:
        """Say whether it is more than half full."""
        return len(self._entries) * 2 > self._max_messages or self._size * 2 > self._max_size

    @property
    def is_draining(self) -> bool:
        """Say whether it is less than a quarter full."""
        return len(self._entries) * 4 < self._max_messages and self._size * 4 < self._max_size


def size_of(entry: Entry) -> int:
    """Return the bytes of a message, as the limits count them."""
    message = entry.message
    return len(message.payload) + len(message.properties) + len(message.topic) + _OVERHEAD
