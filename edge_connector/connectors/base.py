"""What all connectors have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_connector.described import Function, functions
from edge_connector.errors import Refused
from edge_connector.following import Hear
from edge_connector.outbox import Message
from edge_connector.settings import Table


@dataclass(frozen=True)
class Home:
    """What a connector has of the agent that it belongs to."""

    folder: Path  # for what it keeps, which survives restarts; not made yet
    place: str  # <domain>/<agent>/<connector>, which no other connector anywhere has
    send: Callable[[Message], None]  # to the hub, over the buffer on the disk
    follow: Callable[[str, Hear], None]  # has topics of the hub heard; in `begin` only


class Connector:
    """Something inside the private network, made reachable within what its table of the configuration allows.

    A subclass offers methods to callers with `@offered`; they run in threads, several at once, and say by `Refused`
    what they do not do.  A method that takes a listener returns what ends it.
    """

    workers = 4  # threads that its calls have

    def __init__(self, name: str, table: Table) -> None:
        self.name = name
        self.functions: dict[str, Function] = functions(type(self))
        self.listening = [key for key, one in self.functions.items() if one.listens]

    def invoke(self, function: str, arguments: list[Any]) -> Any:
        """Call a function with arguments that are checked first.  Raises `Refused`, or whatever the function raises."""
        found = self.functions.get(function)
        if found is None:
            raise Refused(f"{self.name} has no function {function[:60]!r}")
        return getattr(self, function)(*found.check(arguments))

    def begin(self, home: Home) -> None:
        """Start what goes on by itself, when the agent starts.  Raises `ConfigFault`."""

    def close(self) -> None:
        """Let go of what is open."""
