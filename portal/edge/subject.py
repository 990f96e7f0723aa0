"""One Edge Connector: its integration, what it says of itself as an agent, and who was refused in its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal import activity, clock, integrations, presence, vrpc
from portal.edge import connectors, ways
from portal.edge.plan import label
from portal.integrations import NotFound
from portal.models import Activity, Connection, EdgeConnector, Integration
from portal.vrpc_told import Agent
from portal.worker_client import Silent

FRESH = timedelta(minutes=10)  # that a refused login is shown for, though it has logged in since
ANOTHER = "another instance"


@dataclass(frozen=True, slots=True)
class Subject:
    """An Edge Connector as its page shows it."""

    integration: Integration
    row: EdgeConnector | None  # what it was downloaded with
    agent: Agent | None  # None where it has not come yet, or nobody answers
    is_silent: bool  # the protocol servers do not answer
    connection: Connection | None
    refused: Activity | None

    @property
    def is_online(self) -> bool:
        return self.agent is not None and self.agent.is_online

    @property
    def has_come(self) -> bool:
        """Tell whether it has ever been here."""
        return self.agent is not None or self.integration.last_login is not None

    @property
    def address(self) -> str:
        """Return from where it comes, or came."""
        if self.connection is not None:
            return self.connection.address
        return self.agent.address if self.agent is not None else ""

    @property
    def last_seen(self) -> datetime | None:
        """Return when it went offline, or else last logged in."""
        last_login: datetime | None = self.integration.last_login
        went = self.agent.since if self.agent is not None and not self.agent.is_online else None
        return went or last_login

    @property
    def looks(self) -> str:
        """Return the command that tells on its machine how it is, where that is known."""
        return self._command(ways.looks)

    @property
    def removes(self) -> str:
        """Return the command that removes it from its machine, where that is known."""
        return self._command(ways.removes)

    def _command(self, made: Callable[[str, str], str]) -> str:
        if self.row is None:
            return ""
        name = self.row.fleet.prefix if self.row.fleet is not None else self.integration.username
        return made(label(name), self.row.target)

    @property
    def is_another(self) -> bool:
        """Tell whether it was a second instance that was refused."""
        return self.refused is not None and ANOTHER in self.refused.detail


def find(integration_id: int) -> Subject:
    """Return an Edge Connector.  Raises `NotFound`."""
    integration = integrations.by_id(integration_id)
    if integration.type != "edge":
        raise NotFound(f"the integration {integration_id} is no Edge Connector")
    now = clock.now()
    connections = presence.connections_of(integration.id, now, 1)
    agent, is_silent = _agent_of(integration)
    return Subject(
        integration,
        connectors.row(integration.id),
        agent,
        is_silent,
        connections[0] if connections else None,
        _refused(integration, now),
    )


def of_agents(
    id: int, domain: str, username: str, agents: dict[tuple[str, str], Agent], own: dict[int, Agent]
) -> Agent | None:
    """Return the agent of an integration among all of them: by its name, or by who came with its credentials."""
    named = agents.get((domain, username))
    if named is not None and named.integration_id in (0, id):
        return named
    return own.get(id)


def _agent_of(integration: Integration) -> tuple[Agent | None, bool]:
    """Return its agent, and whether nobody answered."""
    try:
        opened = vrpc.opened(integration.domain, integration.username, None)
        if opened is not None and opened.agent.integration_id in (0, integration.id):
            return opened.agent, False
        own = [one for one in vrpc.agents() if one.integration_id == integration.id]
        return max(own, key=lambda one: one.is_online, default=None), False
    except Silent:
        return None, True


def _refused(integration: Integration, now: datetime) -> Activity | None:
    """Return its last refused login, if that is news."""
    found = activity.last_refusal_of(integration.id)
    if found is None:
        return None
    is_after = integration.last_login is None or found.last_at > integration.last_login
    return found if is_after or now - found.last_at < FRESH else None
