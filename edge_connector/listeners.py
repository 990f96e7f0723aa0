"""Who listens to what: what is to be ended when a client goes, or says that it has heard enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_connector.connectors.base import Connector
from edge_connector.described import functions, offered
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

    def end(
        self, client: str, connector: str | None = None, function: str | None = None, event: str | None = None
    ) -> int:
        """End what a client listens to, all of it or what is of these; return how many there were."""
        with self._lock:
            gone = [
                key
                for key in self._ends
                if key.client == client
                and connector in (None, key.connector)
                and function in (None, key.function)
                and event in (None, key.event)
            ]
            ends = [self._ends.pop(key) for key in gone]
        for one in ends:
            one()
        return len(ends)


class Listening:
    """What every connector offers to clients that can tell of something, beside the functions that take a listener."""

    def __init__(
        self, connector: Connector, client: str, listeners: Listeners, listen: Callable[[str, list[str]], bool]
    ) -> None:
        self._connector = connector
        self._client = client
        self._listeners = listeners
        self._listen = listen

    @offered()
    def on(self, event: str, listener: str) -> bool:
        """Tells of an event from now on, as the function of its name does

        :param event: Name of a function that takes a listener, a colon, and its argument: watch:inbox
        :param listener: Who is told
        :returns: Always true
        """
        function, *argument = event.split(":", 1)
        if function not in self._connector.listening:
            names = ", ".join(self._connector.listening)
            raise Refused(f"there is no event {function[:60]!r}; there are {names}, each with a colon and its argument")
        return self._listen(function, [*argument, listener])

    @offered()
    def off(self, event: str, listener: str) -> int:
        """Tells of an event no longer

        :param event: As it was given to on
        :param listener: Who was told
        :returns: How many listeners have been ended
        """
        function = event.partition(":")[0]
        return self._listeners.end(self._client, self._connector.name, function, listener)

    @offered()
    def unwatch(self, function: str | None = None) -> int:
        """Ends what this client listens to

        :param function: Name of a function that takes a listener; null for all
        :returns: How many listeners have been ended
        """
        return self._listeners.end(self._client, self._connector.name, function)


LISTENING = functions(Listening)
