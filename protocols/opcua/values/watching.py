"""Who monitors a node, and what they have not been told yet: a write costs the same, however many there are.

A few watchers are told at once.  A crowd is told in turns of the loop, so much in each, every value that a queue can
hold; of more values the ones in the middle go, as they would in a queue that is full.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from asyncua import ua

_AT_ONCE = 256  # units of work: some microseconds each
_TURN = 300
_UNIT = 1_024  # bytes of a value, which takes time to be compared
_COST = 256  # bytes of a value that waits, beside its own


class News(NamedTuple):
    """A value, or a status that says why there is none."""

    node: Any  # a `tree.Node`, or None for a standard node
    value: ua.DataValue
    size: int  # bytes
    number: int = 0  # counts up
    is_after_lost: bool = False  # others were dropped before it


class Watcher(Protocol):
    """Somebody who is told of each new value of a node."""

    @property
    def wants_all(self) -> bool:
        """Say whether more than the last value can wait for it."""
        ...

    def changed(self, news: News) -> None:
        """Take notice of a value."""
        ...


class Watchers:
    """Whoever monitors one node, which may be deleted and made again."""

    __slots__ = ("_left", "_round", "members", "news", "number")

    def __init__(self) -> None:
        self.members: dict[Watcher, None] = {}
        self.number = 0  # of the last news
        self.news: list[News] = []
        self._round: list[News] = []
        self._left: list[Watcher] = []  # who are still to be told of this round, the next one last

    def __len__(self) -> int:
        return len(self.members)

    def tell(self, work: int) -> int:
        """Tell what waits, for about so much work; return what is left of it, nothing if there is more to tell."""
        while work > 0:
            if not self._left:
                self._round, self.news = self.news, []
                if not self._round:
                    break
                self._left = list(reversed(self.members))
            while self._left and work > 0:
                watcher = self._left.pop()
                if watcher in self.members:
                    for one in self._round if watcher.wants_all else self._round[-1:]:
                        watcher.changed(one)
                        work -= units(one.size)
            if not self._left:
                self._round = []
        return work

    @property
    def is_done(self) -> bool:
        return not (self.news or self._left)


class Crowds:
    """The watchers that are told in turns; `call_soon` runs a function in the next turn of the loop."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.call_soon: Callable[[Callable[[], None]], object] | None = None
        self._most, self._most_bytes = most, most_bytes
        self._waiting: dict[Watchers, int] = {}  # with how many bytes wait for each
        self._bytes = 0
        self._is_called = False

    def tell(self, watchers: Watchers, node: Any, value: ua.DataValue, size: int) -> None:
        """Tell all watchers of a node, now or soon."""
        watchers.number += 1
        news = News(node, value, size, watchers.number)
        if watchers.is_done and (self.call_soon is None or len(watchers) * units(size) <= _AT_ONCE):
            for watcher in list(watchers.members):
                watcher.changed(news)
            return
        kept = watchers.news
        kept.append(news)
        self._count(watchers, size + _COST)
        while len(kept) > 1 and (len(kept) > 2 * self._most or self._bytes > self._most_bytes):
            middle = (len(kept) - 1) // 2
            self._count(watchers, -kept.pop(middle).size - _COST)
            kept[middle] = kept[middle]._replace(is_after_lost=True)
        self._call()

    def _count(self, watchers: Watchers, by: int) -> None:
        self._waiting[watchers] = self._waiting.get(watchers, 0) + by
        self._bytes += by

    def _call(self) -> None:
        if self._waiting and not self._is_called and self.call_soon is not None:
            self._is_called = True
            self.call_soon(self._turn)

    def _turn(self) -> None:
        """Tell one crowd after the other, until a turn's work is done."""
        self._is_called = False
        work = _TURN
        try:
            while work > 0 and self._waiting:
                watchers = next(iter(self._waiting))
                work = watchers.tell(work)
                waiting = self._waiting.pop(watchers)
                if watchers.is_done:
                    self._bytes -= waiting
                else:
                    self._waiting[watchers] = waiting  # after the others
        finally:
            self._call()


def units(size: int) -> int:
    """Return how much work it is to tell a value of so many bytes to one watcher."""
    return 1 + size // _UNIT
