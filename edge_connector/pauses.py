"""How long to wait before the next attempt: longer each time, and for no two agents the same."""

from __future__ import annotations

from collections.abc import Callable

SHORTEST, LONGEST = 1.0, 60.0  # seconds


class Pauses:
    """Pauses that double up to a minute; each is anywhere from half of its length to all of it."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._length = SHORTEST

    def next(self) -> float:
        length, self._length = self._length, min(self._length * 2, LONGEST)
        return length * (0.5 + self._random() / 2)

    def reset(self) -> None:
        """Begin anew, after a connection that lasted."""
        self._length = SHORTEST
