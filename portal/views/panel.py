"""What the panel beside the list shows of one integration, and the version that tells one look from another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from flask import g

from portal import activity, bans, chart, clock, opcua, presence, stored, traffic, worker_client
from portal.kinds import KINDS
from portal.models import Activity, Ban, Connection, Integration
from portal.views import polls

SHOWN_CONNECTIONS = 50
MOST_ASKED = 500  # connections; of an integration with more of them, the server would take too long to tell
SHOWN_ACTIVITY = 20
SHOWN_NODES = 5

Figures = dict[str, dict[str, Any]]  # what a protocol server knows of a connection, by the connection's id


@dataclass(frozen=True)
class Look:
    """One look at an integration: what its version stands for, and the rest when it is asked for.

    `figures` is None where no server gave an answer.
    """

    integration: Integration
    now: datetime
    version: str
    connections: list[Connection]
    figures: Figures | None
    buckets: list[traffic.Bucket]
    ban: Ban | None
    nodes: opcua.Nodes | None = None  # the first ones; None where no server gave an answer
    stored: stored.StoredSessions | None = None

    @property
    def shown(self) -> list[Connection]:
        """Return the newest connections."""
        return self.connections[:SHOWN_CONNECTIONS]

    @property
    def too_many(self) -> bool:
        """Tell whether there are so many connections that nobody was asked about them."""
        return len(self.connections) > MOST_ASKED

    @cached_property
    def chart(self) -> chart.Chart:
        return chart.draw(self.buckets, self.now)

    @cached_property
    def refused(self) -> Activity | None:
        return activity.last_refusal_of(self.integration.id)

    @cached_property
    def happened(self) -> list[Activity]:
        return activity.of_integration(self.integration.id, SHOWN_ACTIVITY)


def look(integration: Integration) -> Look:
    """Look at what changes whenever the panel may look different."""
    now = clock.now()
    newest = activity.newest_of(integration.id)  # before what it stands for is read
    connections = presence.connections_of(integration.id, now, MOST_ASKED + 1)
    figures = _figures(integration, connections)
    buckets = traffic.last_day(integration.id, now)
    ban = bans.of_username(integration.username, now)
    door = KINDS[integration.type].door
    nodes = opcua.nodes(integration, limit=SHOWN_NODES) if door == "opcua" else None
    kept = stored.of(integration) if door == "mqtt" else None
    happened = newest and (newest.id, newest.count)
    version = polls.version(g.version, g.switches, happened, figures, buckets, ban and ban.until, nodes, kept)
    return Look(integration, now, version, connections, figures, buckets, ban, nodes, kept)


def _figures(integration: Integration, connections: list[Connection]) -> Figures | None:
    if not connections:
        return {}
    if len(connections) > MOST_ASKED:
        return None
    wanted = [connection.id for connection in connections[:SHOWN_CONNECTIONS]]
    part = worker_client.part_of(KINDS[integration.type].door)
    found = worker_client.ask(part, "connections", integration.id, wanted)
    return None if found is None else {row["connection_id"]: row for row in found}
