"""What the panel beside the list shows of one integration, and the version that tells one look from another."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from flask import g

from portal import activity, bans, chart, clock, presence, traffic, worker_client
from portal.models import Activity, Ban, Connection, Integration

SHOWN_CONNECTIONS = 50
MOST_ASKED = 500  # connections; of an integration with more of them, the server would take too long to tell
SHOWN_ACTIVITY = 20

Figures = dict[str, dict[str, Any]]  # what a protocol server knows of a connection, by the connection's id


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an integration.  `figures` is None where the server gave no answer."""

    version: str
    connections: list[Connection]
    figures: Figures | None
    refused: Activity | None
    ban: Ban | None
    chart: chart.Chart
    happened: list[Activity]


def look(integration: Integration) -> Look:
    """Gather what the panel shows."""
    now = clock.now()
    newest = activity.newest_of(integration.id)  # before what it stands for is read
    connections = presence.connections_of(integration.id, now, MOST_ASKED + 1)
    figures = _figures(integration, connections)
    buckets = traffic.last_day(integration.id, now)
    ban = bans.of_username(integration.username, now)
    seen = (g.version, newest and (newest.id, newest.count), figures, buckets, ban and ban.until)
    return Look(
        version=blake2b(repr(seen).encode("utf-8", "replace"), digest_size=8).hexdigest(),
        connections=connections[:SHOWN_CONNECTIONS],
        figures=figures,
        refused=activity.last_refusal_of(integration.id),
        ban=ban,
        chart=chart.draw(buckets, now),
        happened=activity.of_integration(integration.id, SHOWN_ACTIVITY),
    )


def _figures(integration: Integration, connections: list[Connection]) -> Figures | None:
    if not connections:
        return {}
    if len(connections) > MOST_ASKED:
        return None
    wanted = [connection.id for connection in connections[:SHOWN_CONNECTIONS]]
    found = worker_client.ask("connections", integration.id, wanted)
    return None if found is None else {row["connection_id"]: row for row in found}
