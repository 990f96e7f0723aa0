"""Polls and watches: what turns readings into messages of a topic: definitions and decisions, without threads.

A *poll* calls a function at an interval; a *watch* hands a listener to a function, which tells it.  Both call only what
reads, and only what the agent's connectors offer.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_connector import keeping, topics
from edge_connector.described import Function
from edge_connector.errors import EdgeError, Refused

SHORTEST, LONGEST = 0.05, 7 * 86_400  # seconds of an interval
ALWAYS, CHANGE = "always", "change"

_NAME_LENGTH = 200
_LARGEST = sys.float_info.max  # NaN is not below it either
_NOTHING: Any = object()

Offers = Mapping[str, Mapping[str, Function]]  # what each connector offers


class FeedsFault(EdgeError):
    """The file of feeds cannot be read."""


@dataclass(frozen=True)
class Feed:
    """A poll, or a watch if it has no interval."""

    name: str
    connector: str
    function: str
    arguments: tuple[Any, ...]
    topic: str
    interval: float | None
    send: str  # ALWAYS, or CHANGE: only what differs from what was sent before
    deadband: float  # a number is only sent if it differs by more
    spread: bool  # a reading that is an object goes to a topic for each of its members
    retain: bool

    def definition(self) -> dict[str, Any]:
        """Return it as JSON has it, without its name."""
        found = asdict(self) | {"arguments": list(self.arguments)}
        del found["name"]
        return found


def parse(name: str, definition: Any, offers: Offers) -> Feed:
    """Return a feed that may be.  Raises `Refused`, which says what is wrong."""
    if not isinstance(definition, dict):
        raise Refused("a feed is an object")
    known = {"connector", "function", "arguments", "topic", "interval", "send", "deadband", "spread", "retain"}
    unknown = sorted(set(definition) - known)
    if unknown:
        raise Refused(f"a feed has no {unknown[0][:60]!r}")
    if not 0 < len(name) <= _NAME_LENGTH or not name.isprintable():
        raise Refused(f"the name of a feed has 1 to {_NAME_LENGTH} printable characters")
    feed = Feed(
        name=name,
        connector=_text(definition, "connector"),
        function=_text(definition, "function"),
        arguments=tuple(_typed(definition, "arguments", list, [])),
        topic=_topic(_text(definition, "topic")),
        interval=_interval(definition),
        send=_text(definition, "send", ALWAYS),
        deadband=_number(definition, "deadband"),
        spread=_typed(definition, "spread", bool, False),
        retain=_typed(definition, "retain", bool, False),
    )
    if feed.send not in (ALWAYS, CHANGE):
        raise Refused(f"send has to be {ALWAYS!r} or {CHANGE!r}")
    _check(feed, offers)
    return feed


def _check(feed: Feed, offers: Offers) -> None:
    """Hold a feed to what its connector offers."""
    if feed.connector not in offers:
        raise Refused(f"there is no connector {feed.connector[:60]!r}")
    function = offers[feed.connector].get(feed.function)
    if function is None:
        raise Refused(f"{feed.connector} has no function {feed.function[:60]!r}")
    if not function.reads:
        raise Refused(f"{feed.connector}.{feed.function} does more than read: a feed cannot call it")
    if function.listens and feed.interval is not None:
        raise Refused(f"{feed.function} tells by itself: a watch has no interval")
    if not function.listens and feed.interval is None:
        raise Refused(f"a poll of {feed.function} needs an interval in seconds")
    listener = [print] if function.listens else []
    function.check([*feed.arguments, *listener])


class Sieve:
    """Decides which readings of a feed are sent, member by member where they are spread."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._sent: dict[str, Any] = {}

    def passing(self, value: Any) -> list[tuple[str, Any]]:
        """Return topics and what is to be sent there."""
        topic = self._feed.topic
        parts = {topic: value}
        if self._feed.spread and isinstance(value, dict):
            parts = {f"{topic}/{_level(key)}": one for key, one in value.items()}
        found = [(place, one) for place, one in parts.items() if self._passes(place, one)]
        self._sent.update(found)
        return found

    def _passes(self, place: str, value: Any) -> bool:
        if self._feed.send == ALWAYS:
            return True
        before: Any = self._sent.get(place, _NOTHING)
        if self._feed.deadband and _is_number(before) and _is_number(value):
            return bool(abs(value - before) > self._feed.deadband)
        return bool(before is _NOTHING or type(before) is not type(value) or before != value)


class Store:
    """The file that feeds are kept in, written whole and put in place at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, dict[str, Any]]:
        """Return definitions by name.  Raises `FeedsFault`."""
        try:
            found = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise FeedsFault(f"cannot read {self._path}: {error}") from None
        if not isinstance(found, dict):
            raise FeedsFault(f"{self._path} does not hold feeds")
        return found

    def save(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep definitions.  Raises `Refused`: whoever changed one is told that it is not kept."""
        try:
            keeping.write(self._path, json.dumps(definitions, indent=1).encode())
        except (OSError, ValueError) as error:
            raise Refused(f"the feeds cannot be kept: {error}") from None


def _topic(topic: str) -> str:
    why = topics.fault(topic)
    if why:
        raise Refused(f"topic {why}")
    return topic


def _level(key: Any) -> str:
    return "".join("_" if one in "/+#" or not one.isprintable() else one for one in str(key)) or "_"


def _interval(definition: dict[str, Any]) -> float | None:
    if definition.get("interval") is None:
        return None
    interval = _number(definition, "interval")
    if not SHORTEST <= interval <= LONGEST:
        raise Refused(f"interval has to be from {SHORTEST} to {LONGEST} seconds")
    return interval


def _number(definition: dict[str, Any], key: str) -> float:
    found = definition.get(key, 0)
    if not _is_number(found) or found < 0:
        raise Refused(f"{key} has to be a number that is not negative")
    return float(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _text(definition: dict[str, Any], key: str, default: str | None = None) -> str:
    found = definition.get(key, default)
    if not isinstance(found, str):
        raise Refused(f"{key} has to be a text")
    return found


def _typed(definition: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    found = definition.get(key, default)
    if not isinstance(found, kind):
        raise Refused(f"{key} has to be of type {kind.__name__}")
    return found
