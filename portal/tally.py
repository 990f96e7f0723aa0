"""Counts the different guesses of the last while, in a few bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator


class Tally:
    """The guesses at one place, oldest first, each once."""

    __slots__ = ("_at", "_guesses", "_origins", "pardoned", "pardoned_at", "turn")

    def __init__(self) -> None:
        self._guesses = array("Q")
        self._at = array("d")
        self._origins: list[str] = []
        self.pardoned: str | None = None  # the address whose guesses do not count here, and since when
        self.pardoned_at = 0.0
        self.turn = 0.0  # when the next one may be looked at, where that is held to

    def __len__(self) -> int:
        return len(self._guesses)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Return where each guess came from, and when."""
        return zip(self._origins, self._at, strict=True)

    def add(self, guess: int, origin: str, now: float, window: float) -> bool:
        """Add a guess; return False if it was there already."""
        self.forget(now - window)
        if guess in self._guesses:
            return False
        self._guesses.append(guess)
        self._at.append(now)
        self._origins.append(origin)
        return True

    def discard(self, guess: int) -> None:
        """Take a guess back."""
        if guess in self._guesses:
            self._delete(self._guesses.index(guess))

    def drop(self, is_wanted: Callable[[str, float], bool]) -> None:
        """Drop the guesses that a function of their origin and time wants dropped."""
        for index in range(len(self) - 1, -1, -1):
            if is_wanted(self._origins[index], self._at[index]):
                self._delete(index)

    def forget(self, until: float) -> None:
        """Drop the guesses up to a time."""
        while self._at and self._at[0] <= until:
            self._delete(0)

    def shorten(self, most: int) -> None:
        """Keep so many, the newest."""
        while len(self) > most:
            self._delete(0)

    def _delete(self, index: int) -> None:
        del self._guesses[index], self._at[index], self._origins[index]
