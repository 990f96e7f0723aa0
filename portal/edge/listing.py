"""All Edge Connectors as a page lists them: integrations, what they were made for, and what is known of them now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peewee as pw

from portal import vrpc
from portal.edge import fleets
from portal.edge.subject import of_agents
from portal.models import EdgeConnector, EdgeFleet, Integration
from portal.vrpc import Agent
from portal.worker_client import Silent

PAGE = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One Edge Connector."""

    integration: Integration
    connectors: list[str]  # kinds that it was downloaded with
    fleet: EdgeFleet | None
    agent: Agent | None

    @property
    def is_online(self) -> bool:
        return self.agent is not None and self.agent.is_online


@dataclass(frozen=True, slots=True)
class FleetRow:
    """A fleet with the number of its members."""

    fleet: EdgeFleet
    members: int
    online: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the list is asked for."""

    search: str = ""
    state: str = "all"
    fleet: int | None = None
    page: int = 1

    def args(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of its address, with these changes."""
        found: dict[str, Any] = {"q": self.search, "state": self.state, "fleet": self.fleet, "page": self.page}
        usual = {"q": "", "state": "all", "fleet": None, "page": 1}
        return {name: value for name, value in (found | changes).items() if value != usual[name]}


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list."""

    asked: Asked
    is_silent: bool  # the protocol servers do not answer: nobody is known to be online
    rows: list[Row]
    counts: dict[str, int]  # by state, over all that match the search and the fleet
    total: int
    fleets: list[FleetRow]

    @property
    def matching(self) -> int:
        return self.counts[self.asked.state]

    @property
    def first(self) -> int:
        return (self.asked.page - 1) * PAGE + 1


STATES: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    "online": lambda row: row.is_online,
    "offline": lambda row: not row.is_online,
}


def read(asked: Asked) -> Listing:
    """Return a page of the list."""
    try:
        agents, is_silent = vrpc.agents(), False
    except Silent:
        agents, is_silent = [], True
    known = fleets.everything()
    everything = _rows(agents, {one.id: one for one in known})
    found = [row for row in everything if _matches(row, asked)]
    counts = {state: sum(map(is_one, found)) for state, is_one in STATES.items()}
    in_state = [row for row in found if STATES[asked.state](row)]
    first = (asked.page - 1) * PAGE
    return Listing(
        asked, is_silent, in_state[first : first + PAGE], counts, len(everything), _fleets(known, everything)
    )


def _rows(agents: list[Agent], known: dict[int, EdgeFleet]) -> list[Row]:
    """Return all, by username."""
    named = {(one.domain, one.agent): one for one in agents}
    own = {one.integration_id: one for one in agents if one.integration_id}
    query = Integration.select(Integration, EdgeConnector.connectors, EdgeConnector.fleet)
    query = query.join(EdgeConnector, pw.JOIN.LEFT_OUTER, on=(EdgeConnector.integration == Integration.id), attr="made")
    found = []
    for one in query.where(Integration.type == "edge").order_by(Integration.username):
        made = getattr(one, "made", None)
        fleet = known.get(made.fleet_id) if made is not None and made.fleet_id is not None else None
        connectors = list(made.connectors) if made is not None and made.connectors else []
        found.append(Row(one, connectors, fleet, of_agents(one, named, own)))
    return found


def _matches(row: Row, asked: Asked) -> bool:
    if asked.fleet is not None and (row.fleet is None or row.fleet.id != asked.fleet):
        return False
    if not asked.search:
        return True
    agent = row.agent
    parts = (row.integration.username, row.integration.domain, row.integration.note)
    told = (agent.hostname, agent.version, agent.address) if agent is not None else ()
    return any(asked.search.casefold() in part.casefold() for part in (*parts, *told))


def _fleets(known: list[EdgeFleet], rows: list[Row]) -> list[FleetRow]:
    members: dict[int, list[Row]] = {}
    for row in rows:
        if row.fleet is not None:
            members.setdefault(row.fleet.id, []).append(row)
    return [
        FleetRow(fleet, len(found := members.get(fleet.id, [])), sum(row.is_online for row in found)) for fleet in known
    ]
