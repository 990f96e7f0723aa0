"""Bounds what all connections together hold of messages that have arrived and are not served yet.  No I/O."""

from __future__ import annotations

from collections import Counter

from protocols.opcua.limits import Limits

# What each connection may hold anyway: who asks for little is not turned away for what others fill.
_FREE = {"held_before_login": 8_192, "held": 65_535}


class Held:
    """Bytes of chunks that wait, and of messages that have arrived in part, by the limit that bounds them."""

    __slots__ = ("_limits", "bytes")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.bytes: Counter[str] = Counter()

    def is_full(self, limit: str) -> bool:
        """Tell whether more is held than may be."""
        return self.bytes[limit] > int(getattr(self._limits, limit))


class Share:
    """What one connection holds of it."""

    __slots__ = ("_counted", "_held", "limit")

    def __init__(self, held: Held) -> None:
        self._held = held
        self._counted = 0
        self.limit = "held_before_login"

    def change(self, size: int, *, logged_in: bool) -> bool:
        """Hold so many bytes from now on; return whether that is too much for all together."""
        limit = "held" if logged_in else "held_before_login"
        size = size if size > _FREE[limit] else 0
        if not size and not self._counted:
            return False
        self._held.bytes[self.limit] -= self._counted
        self._held.bytes[limit] += size
        self.limit, self._counted = limit, size
        return size > 0 and self._held.is_full(limit)
