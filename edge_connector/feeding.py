"""All feeds of an agent: kept in a file, running, and changed while they run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edge_connector.connectors.base import Connector
from edge_connector.errors import Refused
from edge_connector.feeds import Feed, Store, parse
from edge_connector.lanes import Lane
from edge_connector.running import Running, Surroundings

log = logging.getLogger(__name__)


class Feeding:
    """Starts, changes and ends feeds; what it says is kept is kept."""

    def __init__(
        self, store: Store, connectors: dict[str, Connector], around: Surroundings, most: int, domain: str
    ) -> None:
        self._store = store
        self._domain = domain
        self._connectors = connectors
        self._around = around
        self._most = most
        self._offers = {name: one.functions for name, one in connectors.items()}
        # Each feed is in its connector's lane once at most: their number bounds what waits.
        self._lanes = {name: Lane(f"{name}-feeds", one.workers, most) for name, one in connectors.items()}
        self._definitions: dict[str, dict[str, Any]] = {}
        self._running: dict[str, Running] = {}
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start what is kept; a feed that the configuration does not allow any more stays, and is told of."""
        self._definitions = self._store.load()
        for name, definition in self._definitions.items():
            try:
                self._start(self._parsed(name, definition))
            except Refused as error:
                log.error("feed %s does not run: %s", name, error)
                self._refused[name] = str(error)

    def change(self, wanted: Mapping[str, Any], *, whole: bool) -> None:
        """Set feeds by name, None to remove one; `whole` removes all others.  All or nothing.  Raises `Refused`."""
        with self._lock:
            parsed = {name: self._parsed(name, one) for name, one in wanted.items() if one is not None}
            kept = {} if whole else {name: one for name, one in self._definitions.items() if name not in wanted}
            definitions = kept | {name: feed.definition() for name, feed in parsed.items()}
            if len(definitions) > self._most:
                raise Refused(f"there would be {len(definitions)} feeds; this agent has {self._most} at most")
            self._store.save(definitions)
            self._replace(definitions, parsed)

    def _parsed(self, name: str, definition: Any) -> Feed:
        """Return a feed that may be.  Raises `Refused`, also for one that would answer or tell in an agent's name."""
        feed = parse(name, definition, self._offers)
        if feed.topic.partition("/")[0] == self._domain:
            raise Refused(f"topic cannot be one of the domain {self._domain}, where agents answer and tell of events")
        return feed

    def _replace(self, definitions: dict[str, dict[str, Any]], parsed: dict[str, Feed]) -> None:
        """Stop what is gone or changed, and start what is new; what stays the same is not touched."""
        for name, running in list(self._running.items()):
            if running.feed.definition() != definitions.get(name):
                self._running.pop(name).stop()
        for name, feed in parsed.items():
            if name not in self._running:
                self._start(feed)
        self._definitions = definitions
        self._refused = {name: why for name, why in self._refused.items() if name in definitions and name not in parsed}

    def _start(self, feed: Feed) -> None:
        running = Running(feed, self._connectors[feed.connector], self._lanes[feed.connector], self._around)
        self._running[feed.name] = running
        running.start()

    def names(self) -> list[str]:
        return list(self._definitions)

    def status(self) -> dict[str, dict[str, Any]]:
        """Return each feed's definition and what came of it."""
        with self._lock:
            return {name: self._told(name) for name in self._definitions}

    def some(self, search: str, first: int, most: int) -> tuple[int, int, dict[str, dict[str, Any]]]:
        """Return how many feeds there are, and how many whose name, connector or topic contain a text; some of these.

        They are ordered by name, and told of as in `status`.
        """
        wanted = search.casefold()
        with self._lock:
            found = sorted(name for name, one in self._definitions.items() if _contains(name, one, wanted))
            shown = found[max(0, first) :][: max(0, most)]
            return len(self._definitions), len(found), {name: self._told(name) for name in shown}

    def _told(self, name: str) -> dict[str, Any]:
        running = self._running.get(name)
        outcome = asdict(running.outcome) if running else {"fault": self._refused.get(name, "")}
        return {"definition": self._definitions[name], "running": running is not None, **outcome}

    def definition(self, name: str) -> dict[str, Any] | None:
        """Return how a feed is defined, if there is one."""
        return self._definitions.get(name)

    def close(self) -> None:
        """End all feeds."""
        for running in self._running.values():
            running.stop()
        for lane in self._lanes.values():
            lane.close(0.5)


def _contains(name: str, definition: Mapping[str, Any], wanted: str) -> bool:
    return any(wanted in str(one).casefold() for one in (name, definition.get("connector"), definition.get("topic")))
