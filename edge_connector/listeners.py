"""Who listens to what: what is to be ended when a client goes, or says that it has heard enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_connector.errors import Refused

MOST = 256  # listeners of all clients

End = Callable[[], None]


@dataclass(frozen=True)
class Key:
    """A listener of a client at a function of a connector."""

    client: str
    connector: str
    function: str
    event: str


class Listeners:
    """What ends each of them."""

    def __init__(self) -> None:
        self._ends: dict[Key, End] = {}
        self._lock = threading.Lock()

    def check(self) -> None:
        """Refuse one more where there are too many."""
        if len(self._ends) >= MOST:
            raise Refused(f"there are {MOST} listeners already")

    def add(self, key: Key, end: End) -> None:
        """Keep what ends a listener; the same listener at the same place takes the place of the one before."""
        with self._lock:
            before = self._ends.get(key)
            self._ends[key] = end
        if before is not None:
            before()

    def end(self, client: str, connector: str | None = None, function: str | None = None) -> int:
        """End what a client listens to, all of it or at one function; return how many there were."""
        with self._lock:
            gone = [
                key
                for key in self._ends
                if key.client == client and connector in (None, key.connector) and function in (None, key.function)
            ]
            ends = [self._ends.pop(key) for key in gone]
        for one in ends:
            one()
        return len(ends)
