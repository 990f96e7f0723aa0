"""What was published, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

MayRead = Callable[[str], bool]


class Message(NamedTuple):
    """What was published on a topic."""

    number: int  # grows with every message, also across restarts
    topic: str
    payload: bytes
    retain: bool  # as it was published
    integration_id: int  # who published it; 0 is the portal
    time: float  # seconds since 1970, UTC, of the turn of the loop that it came in

    @property
    def deletes(self) -> bool:
        """Say whether it has deleted its topic's value [MQTT-3.3.1-10]."""
        return self.retain and not self.payload


# What is to be published: topic, payload, QoS, retain flag.
Publication = tuple[str, bytes, int, bool]

# A message as it is kept: the same fields in a plain tuple, which the garbage collector need not look into.
Fields = tuple[int, str, bytes, bool, int, float]
NUMBER: Final = 0
PAYLOAD: Final = 2
WHO: Final = 4
RETAIN: Final = 3


class Listener(Protocol):
    """Who is told of messages."""

    def heard(self, messages: Sequence[Message]) -> None:
        """Take in the messages of a turn of the loop on the topics that it listens to, in order."""
        ...


class Page(NamedTuple):
    """Some of the values, by topic, and where to go on; None at the end."""

    messages: list[Message]
    cursor: str | None


class Child(NamedTuple):
    """One level below a place in the tree of topics."""

    name: str
    message: Message | None  # where the place is a topic itself
    has_more: bool  # below it


class Children(NamedTuple):
    """Some of the places below another one, by name, and where to go on; None at the end."""

    places: list[Child]
    cursor: str | None
