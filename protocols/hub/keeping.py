"""What the hub asks of whatever brings its values through a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from protocols.contract import Trouble
from protocols.hub.entries import Entry
from protocols.hub.messages import Message

Soon = Callable[[Callable[[], None]], object]


class Kept(NamedTuple):
    """The value of a topic as it was kept."""

    message: Message
    expires_at: float | None
    record: int  # for `Entry.record`


class Keeper(Protocol):
    """Keeps the value of each topic.  Methods run on the loop's thread; all but `start` and `stop` return at once.

    `Entry.record` is its own to use.
    """

    @property
    def trouble(self) -> Trouble | None:
        """Return what keeps it from writing, if anything does."""
        ...

    def start(self, soon: Soon, everything: Callable[[], Iterable[Entry]]) -> Iterable[Kept]:
        """Return what was kept, in the order in which it came; called once.

        `soon` runs a function on the loop, and may be called from any thread; `everything` returns all topics.
        """
        ...

    def changed(self, entry: Entry) -> None:
        """Keep the value of a topic as it is when it is written, or nothing if it `is_gone` by then."""
        ...

    def dropped(self, entry: Entry) -> None:
        """Forget a topic."""
        ...

    def flush(self) -> None:
        """Have written what has changed, if that is not under way."""
        ...

    def stop(self) -> None:
        """Write what is not written yet and close; blocks for a second at most."""
        ...


class NoKeeper:
    """Keeps nothing."""

    trouble: Trouble | None = None

    def start(self, soon: Soon, everything: Callable[[], Iterable[Entry]]) -> Iterable[Kept]:
        """Return nothing."""
        return ()

    def changed(self, entry: Entry) -> None:
        """Do nothing."""

    def dropped(self, entry: Entry) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
