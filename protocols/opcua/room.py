"""How many bytes clients make the server keep for their subscriptions: of each integration, and of all together.

What counts: subscriptions, monitored items, values that wait to be told, answers that wait to be acknowledged, Publish
requests that wait for something to tell, and what is left of browsing in pieces.  Who has used up its own room is
refused, or loses what is its own.  Once the room of all together is used up, each still has an equal part of it.
No I/O.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from protocols.hits import Hits
from protocols.opcua.limits import Limits

# What each takes in memory, as measured, beside the texts and values in it.
SUBSCRIPTION = 4_096
ITEM = 2_048
NOTIFICATION = 256
REQUEST = 512
PAGE = 81_920  # the list of a folder's nodes, of which the rest is still to be told
POINTER = 8


class Room:
    """What one integration makes the server keep."""

    __slots__ = ("__weakref__", "_rooms", "bytes", "coming", "items", "over", "subscriptions")

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.bytes = 0
        self.items = 0
        self.coming = 0  # items that requests which are under way ask for
        self.subscriptions = 0
        self.over = 0  # subscriptions that have ended, and are still to be let go of

    def has(self, size: int, part: int = 1) -> bool:
        """Tell whether there is room for so many bytes more; or whether a part of the room is enough for all."""
        return not self._rooms.full(self.bytes + size, size, part)

    def take(self, size: int) -> bool:
        """Keep so many bytes more; return whether there was room for them, and count it where there was not."""
        limit = self._rooms.full(self.bytes + size, size)
        if limit:
            self._rooms.hits.add(limit)
            return False
        self.bytes += size
        self._rooms.bytes += size
        return True

    def give(self, size: int) -> None:
        """Keep so many bytes no more."""
        self.bytes -= size
        self._rooms.bytes -= size


class Rooms:
    """The rooms of all integrations, each as long as somebody has it."""

    def __init__(self, limits: Limits, hits: Hits) -> None:
        self._limits = limits
        self._by_integration: WeakValueDictionary[int, Room] = WeakValueDictionary()
        self.hits = hits
        self.bytes = 0

    def of(self, integration_id: int) -> Room:
        """Return the room of an integration."""
        room = self._by_integration.get(integration_id)
        if room is None:
            room = self._by_integration[integration_id] = Room(self)
        return room

    def full(self, size: int, more: int, part: int = 1) -> str:
        """Return the limit that an integration would exceed with so many bytes, so many of them more; "" for none."""
        limits = self._limits
        if size * part > limits.subscription_bytes:
            return "subscription_bytes"
        if (self.bytes + more) * part <= limits.subscription_total_bytes:
            return ""
        equal = limits.subscription_total_bytes // max(len(self._by_integration), 1)
        return "subscription_total_bytes" if size * part > max(equal, limits.reserved_bytes) else ""

    @property
    def largest(self) -> Room:
        """Return the room of the integration that has most in it."""
        return max(self._by_integration.values(), key=lambda one: one.bytes, default=Room(self))
