"""How often the limits of a server were met."""

from __future__ import annotations

from collections import Counter


class Hits:
    """How often something was refused, dropped, made to wait or brought down to each limit."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count by the limit's name among those of the server."""
        self.counts[name] += count
