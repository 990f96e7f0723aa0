"""Who gives way when there are too many connections: who has been there for the longest without being let in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from protocols.mqtt.connection import Connection
from protocols.tally import network_of

AGAIN = 0.05  # seconds
WORTH = 8  # connections to look at for each that has given way


class Strangers:
    """The connections without an accepted CONNECT, oldest first.

    If the newest were turned away, silent sockets would keep everybody out until the time for CONNECT is over.  Whoever
    sends CONNECT without delay gets in, unless others open as many connections as are allowed within that time.
    Looking through all connections is worth it when many of them have given way since; else it is done now and then.
    """

    __slots__ = ("_all", "_by_network", "_connections", "_looked_at", "_seen", "_taken")

    def __init__(self, connections: Callable[[], Iterable[Connection]]) -> None:
        self._connections = connections  # oldest first
        self._looked_at = 0.0
        self._seen = 0  # connections, at the last look
        self._taken = 0  # that have given way since then
        self._all: deque[Connection] = deque()
        self._by_network: dict[str, deque[Connection]] = {}

    def oldest(self, now: float, address: str | None = None) -> Connection | None:
        """Return the next one to give way, of all or of those from this address; None when nobody has to."""
        found = self._next(address)
        if found is None and (now - self._looked_at >= AGAIN or self._taken * WORTH >= self._seen):
            self._looked_at = now
            self._look()
            found = self._next(address)
        return found

    def forget(self) -> None:
        """Let go of what was found."""
        self._all = deque()
        self._by_network = {}

    def _next(self, address: str | None) -> Connection | None:
        waiting = self._all if address is None else self._by_network.get(network_of(address), deque())
        while waiting:
            connection = waiting.popleft()
            if connection.client is None and not connection.closed:
                self._taken += 1
                return connection
        return None

    def _look(self) -> None:
        self.forget()
        self._seen = self._taken = 0
        for connection in self._connections():
            self._seen += 1
            if connection.client is None:
                self._all.append(connection)
                self._by_network.setdefault(network_of(connection.address), deque()).append(connection)
