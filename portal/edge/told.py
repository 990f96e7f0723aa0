"""What an Edge Connector tells of itself, as pages show it; whatever comes of it, and however odd, does no harm."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

MOST_CONNECTORS = 200  # that are shown


@dataclass(frozen=True, slots=True)
class Update:
    """What came of the last update."""

    state: str = ""  # "" without one; "installing", "trial", "done" or "failed"
    version: str = ""
    error: str = ""
    is_possible: bool = False  # from here; otherwise it is installed anew by hand

    @property
    def is_under_way(self) -> bool:
        return self.state in {"installing", "trial"}


@dataclass(frozen=True, slots=True)
class Status:
    """How an agent is."""

    version: str
    python: str
    host: str
    system: str
    uptime: float
    connectors: dict[str, str]  # the class of each, by name
    feeds: int
    server: str
    transport: str
    connections: int
    buffered: int
    buffered_bytes: int
    sent: int
    dropped: int
    refused: int
    trouble: str
    update: Update


@dataclass(frozen=True, slots=True)
class Feed:
    """A poll or a watch as a list shows it."""

    name: str
    connector: str
    function: str
    topic: str
    interval: float | None  # None of a watch
    send: str
    running: bool
    readings: int
    sent: int
    faults: int
    fault: str
    late: int


@dataclass(frozen=True, slots=True)
class Feeds:
    """A page of polls and watches."""

    count: int = 0
    matching: int = 0
    shown: list[Feed] = field(default_factory=list)


def status(value: Any) -> Status:
    """Return how an agent is."""
    said = _Said(value)
    link, values, update = said.part("connection"), said.part("values"), said.part("update")
    return Status(
        version=said.text("version"),
        python=said.text("python"),
        host=said.text("host"),
        system=said.text("system"),
        uptime=said.number("uptime"),
        connectors={name: str(kind) for name, kind in islice(said.part("connectors").found.items(), MOST_CONNECTORS)},
        feeds=said.count("feeds"),
        server=link.text("server"),
        transport=link.text("transport"),
        connections=link.count("connections"),
        buffered=values.count("buffered"),
        buffered_bytes=values.count("buffered_bytes"),
        sent=values.count("sent"),
        dropped=values.count("dropped"),
        refused=values.count("refused"),
        trouble=values.text("trouble") or link.text("trouble"),
        update=Update(
            update.text("state"), update.text("version"), update.text("error"), update.found.get("possible") is True
        ),
    )


def feeds(value: Any, most: int) -> Feeds:
    """Return a page of polls and watches, so many at most: an agent may say more than it is asked for."""
    said = _Said(value)
    listed = said.found.get("feeds")
    shown = [_feed(_Said(one)) for one in listed[:most]] if isinstance(listed, list) else []
    return Feeds(said.count("count"), said.count("matching"), shown)


def lines(value: Any) -> list[str]:
    """Return the lines of a log."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _feed(said: _Said) -> Feed:
    return Feed(
        name=said.text("name"),
        connector=said.text("connector"),
        function=said.text("function"),
        topic=said.text("topic"),
        interval=None if said.found.get("interval") is None else said.number("interval"),
        send=said.text("send"),
        running=said.found.get("running") is True,
        readings=said.count("readings"),
        sent=said.count("sent"),
        faults=said.count("faults"),
        fault=said.text("fault"),
        late=said.count("late"),
    )


class _Said:
    """An object as it should be, with nothing in the place of what is missing or of another type."""

    def __init__(self, value: Any) -> None:
        self.found: dict[str, Any] = value if isinstance(value, dict) else {}

    def part(self, key: str) -> _Said:
        return _Said(self.found.get(key))

    def text(self, key: str) -> str:
        found = self.found.get(key)
        return found if isinstance(found, str) else ""

    def number(self, key: str) -> float:
        found = self.found.get(key)
        if isinstance(found, bool) or not isinstance(found, int | float):
            return 0.0
        try:
            number = float(found)
        except OverflowError:  # JSON has no largest number
            return 0.0
        return number if math.isfinite(number) else 0.0

    def count(self, key: str) -> int:
        return int(self.number(key))
