"""All Edge Connectors as a page lists them: integrations, what they were made for, and what is known of them now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import peewee as pw

from portal import vrpc
from portal.edge import fleets
from portal.edge.subject import of_agents
from portal.models import EdgeConnector, EdgeFleet, Integration, tuples
from portal.vrpc_told import Agent
from portal.worker_client import Silent

PAGE = 40


@dataclass(frozen=True, slots=True)
class Found:
    """An Edge Connector, and the agent that it is, if that has ever come."""

    agent: Agent | None

    @property
    def is_online(self) -> bool:
        return self.agent is not None and self.agent.is_online


@dataclass(frozen=True, slots=True)
class Line(Found):
    """One of all, with no more than what they are searched and counted by."""

    id: int
    username: str
    domain: str
    note: str
    fleet: int | None


@dataclass(frozen=True, slots=True)
class Row(Found):
    """One that is shown."""

    integration: Integration
    connectors: list[str]  # kinds that it was downloaded with
    fleet: EdgeFleet | None


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


STATES: dict[str, Callable[[Line], bool]] = {
    "all": lambda line: True,
    "online": lambda line: line.is_online,
    "offline": lambda line: not line.is_online,
}


def read(asked: Asked) -> Listing:
    """Return a page of the list."""
    try:
        agents, is_silent = vrpc.agents(), False
    except Silent:
        agents, is_silent = [], True
    known = {one.id: one for one in fleets.everything()}
    everything = _lines(agents)
    found = [line for line in everything if _matches(line, asked)]
    counts = {state: sum(map(is_one, found)) for state, is_one in STATES.items()}
    in_state = [line for line in found if STATES[asked.state](line)]
    first = (asked.page - 1) * PAGE
    rows = _rows(in_state[first : first + PAGE], known)
    return Listing(asked, is_silent, rows, counts, len(everything), _fleets(known, everything))


def _lines(agents: list[Agent]) -> list[Line]:
    """Return all, by username."""
    named = {(one.domain, one.agent): one for one in agents}
    own = {one.integration_id: one for one in sorted(agents, key=lambda one: one.is_online) if one.integration_id}
    it = Integration
    query = it.select(it.id, it.username, it.domain, it.note, EdgeConnector.fleet)
    query = query.join(EdgeConnector, pw.JOIN.LEFT_OUTER, on=(EdgeConnector.integration == it.id))
    return [
        Line(of_agents(id, domain, username, named, own), id, username, domain, note, fleet)
        for id, username, domain, note, fleet in tuples(query.where(it.type == "edge").order_by(it.username))
    ]


def _rows(lines: list[Line], known: dict[int, EdgeFleet]) -> list[Row]:
    """Return what is shown of some, in their order; one that is gone meanwhile is left out."""
    ids = [line.id for line in lines]
    whole = {one.id: one for one in Integration.select().where(Integration.id << ids)}
    query = EdgeConnector.select(EdgeConnector.integration, EdgeConnector.connectors)
    made = dict(tuples(query.where(EdgeConnector.integration << ids)))
    return [
        Row(
            line.agent,
            whole[line.id],
            made.get(line.id, []),
            known[line.fleet] if line.fleet in known else None,
        )
        for line in lines
        if line.id in whole
    ]


def _matches(line: Line, asked: Asked) -> bool:
    if asked.fleet is not None and line.fleet != asked.fleet:
        return False
    if not asked.search:
        return True
    agent = line.agent
    parts = (line.username, line.domain, line.note)
    told = (agent.hostname, agent.version, agent.address) if agent is not None else ()
    return any(asked.search.casefold() in part.casefold() for part in (*parts, *told))


def _fleets(known: dict[int, EdgeFleet], lines: list[Line]) -> list[FleetRow]:
    members = Counter(line.fleet for line in lines)
    online = Counter(line.fleet for line in lines if line.is_online)
    return [FleetRow(fleet, members[id], online[id]) for id, fleet in known.items()]
