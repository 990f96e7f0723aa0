"""Topics that go from one broker to another, under other names, and do not come back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from edge_connector import topics
from edge_connector.following import Heard
from edge_connector.outbox import Message
from edge_connector.settings import Table

log = logging.getLogger(__name__)

_HOPS = 16  # bridges over which a message goes at most


@dataclass(frozen=True)
class Route:
    """Topics of a filter: a beginning that is taken off, and one that is put in its place."""

    filter: str
    remove: str
    prefix: str

    def renamed(self, topic: str) -> str:
        return f"{self.prefix}{topic.removeprefix(self.remove)}"


def routes(table: Table, key: str) -> list[Route]:
    """Return the routes that a table names.  Raises `ConfigFault`."""
    found = []
    for row in table.rows(key, []):
        route = Route(row.text("filter"), row.text("remove", ""), row.text("prefix", ""))
        row.done()
        why = topics.filter_fault(route.filter)
        if why:
            raise row.fault("filter", why)
        if not route.filter.startswith(route.remove) or any(one in route.remove for one in "+#"):
            raise row.fault("remove", "has to be what the filter begins with, without + and #")
        if route.prefix and topics.fault(f"{route.prefix}x"):
            raise row.fault("prefix", topics.fault(f"{route.prefix}x"))
        found.append(route)
    return found


class Direction:
    """One direction: takes what is heard, and sends on what has not been over this bridge.

    What agents and clients of the agent's own domain say to each other is not bridged: outward it would tell others
    what this agent is asked, and inward they would speak in its name.
    """

    def __init__(self, name: str, place: str, send: Callable[[Message], None], *, inward: bool) -> None:
        self._name = name
        self._place = place
        self._domain = place.partition("/")[0]
        self._send = send
        self._inward = inward
        self.passed = self.returned = self.dropped = 0

    def take(self, route: Route, heard: Heard) -> None:
        """Send a message on; what cannot be is dropped, counted and in the log."""
        if self._place in heard.via:
            self.returned += 1
            return
        topic = route.renamed(heard.topic)
        if (topic if self._inward else heard.topic).partition("/")[0] == self._domain:
            self.dropped += 1
            return
        why = topics.fault(topic) or ("" if len(heard.via) < _HOPS else f"has come over {_HOPS} bridges")
        if why:
            self.dropped += 1
            log.warning("%s: a message on %s is dropped: the topic %s", self._name, heard.topic[:200], why)
            return
        self.passed += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._send(Message(topic, heard.payload, heard.retain, now, (*heard.via, self._place)))

    def status(self) -> dict[str, int]:
        """Return what there is to count."""
        return {"passed": self.passed, "returned": self.returned, "dropped": self.dropped}
