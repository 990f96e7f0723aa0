"""What all parts of the protocols worker know of clients that knock: those of this machine are asked, at their sockets;
what those of other nodes know is in the database.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from portal import clock, worker_client
from portal.config import Settings
from portal.onboarding import decisions, shares
from portal.worker_client import MQTT, OPCUA, Silent

Row = dict[str, Any]


@dataclass(slots=True)
class Known:
    """What is known of requests and offers, without their passwords."""

    requests: list[Row] = field(default_factory=list)
    offers: list[Row] = field(default_factory=list)
    more: int = 0  # tries that were counted only
    silent: list[str] = field(default_factory=list)  # parts of this machine that did not answer

    def add(self, known: shares.Known) -> None:
        """Add what one part knows."""
        self.requests += known["requests"]
        self.offers += known["offers"]
        self.more += known["more"]


def parts(settings: Settings) -> list[str]:
    """Return the parts of this machine's protocols worker at which clients knock."""
    return [MQTT] if settings.opcua_port is None else [MQTT, OPCUA]


def known(settings: Settings) -> Known:
    """Return what is known and not decided on."""
    found = Known()
    answered = set()
    for part in parts(settings):
        answer = worker_client.ask(part, "onboarding_list")
        if answer is None:
            found.silent.append(part)
        else:
            answered.add(answer["node"])
            found.add(answer)
    for node, known in shares.read(clock.now()):
        if node not in answered:
            for row in known["requests"] + known["offers"]:
                del row["sealed"]
            found.add(known)
    dropped = decisions.dropped()
    found.requests = _merged([row for row in found.requests if not dropped(row)])
    found.offers = _agreed(found.offers)
    return found


def _merged(rows: list[Row]) -> list[Row]:
    """Make one of what is the same client's at several nodes; the id is that of the first."""
    merged: dict[tuple[str, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row["first_at"]):
        first = merged.setdefault(tuple(row["key"]), row)
        if first is not row:
            first["tries"] += row["tries"]
            first["last_at"] = max(first["last_at"], row["last_at"])
            first["is_held"] |= row["is_held"]
            first["is_told"] &= row["is_told"]
            first["client_id_varies"] |= row["client_id_varies"] or first["client_id"] != row["client_id"]
    return list(merged.values())


def _agreed(offers: list[Row]) -> list[Row]:
    """Make one of what is offered for an integration at several nodes, which is clear if it is the same password."""
    agreed: dict[int, Row] = {}
    for row in sorted(offers, key=lambda row: row["first_at"]):
        first = agreed.setdefault(row["integration_id"], row)
        if first is not row:
            first["is_clear"] &= row["is_clear"] and row["digest"] == first["digest"]
            first["tries"] += row["tries"]
            first["last_at"] = max(first["last_at"], row["last_at"])
    return list(agreed.values())


def sealed(ids: Collection[str], settings: Settings) -> tuple[list[Row], list[str]]:
    """Return those of these requests that are there, with "sealed"; and the parts that may have more.

    These are the ones that do not answer.
    """
    missing = set(ids)
    rows: list[Row] = []
    silent = []
    for part in parts(settings):
        if not (own := [id for id in missing if _part_of(id) == part]):
            continue
        try:
            rows += worker_client.have(part, "onboarding_sealed", own)
        except Silent:
            silent.append(part)
    missing -= {row["id"] for row in rows}
    if missing:
        rows += [row for _, known in shares.read(clock.now()) for row in known["requests"] if row["id"] in missing]
        missing -= {row["id"] for row in rows}
    dropped, order = decisions.dropped(), list(ids)
    rows = sorted((row for row in rows if not dropped(row)), key=lambda row: order.index(row["id"]))
    return rows, [part for part in silent if any(_part_of(id) == part for id in missing)]


def offered(integration_id: int, id: str, settings: Settings) -> Row | None:
    """Return what is offered for an integration, with "sealed"; None if it is not any more.  Raises `Silent`."""
    for _, known in shares.read(clock.now()):
        for row in known["offers"]:
            if (row["integration_id"], row["id"]) == (integration_id, id):
                return dict(row)
    if _part_of(id) not in parts(settings):
        return None
    found: Row | None = worker_client.have(_part_of(id), "onboarding_offered", integration_id, id)
    return found


def _part_of(id: str) -> str:
    return id.partition(".")[0]
