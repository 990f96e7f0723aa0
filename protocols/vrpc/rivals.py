"""Who else wants to be an agent: twins that fight for its name, and integrations that it does not belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from protocols.contract import Refused
from protocols.vrpc.agents import Agent, Claim, Key, Twins
from protocols.vrpc.limits import Limits
from protocols.vrpc.live import Claimant
from protocols.vrpc.names import AGENT, Identity


class Rivals:
    """Flags agents, for a while; `wall` returns the time of day in seconds since 1970."""

    def __init__(self, agents: Mapping[Key, Agent], limits: Limits, wall: Callable[[], float]) -> None:
        self._agents = agents
        self._limits = limits
        self._wall = wall
        self._flagged: dict[Agent, None] = {}

    def fought(self, identity: Identity, addresses: tuple[str, str]) -> None:
        """Flag an agent whose name two want to have at a time."""
        if (agent := self._agent(identity)) is None:
            return
        now, before = self._wall(), agent.twins
        since, times = (before.since, before.times) if before is not None else (now, 0)
        agent.twins = Twins(addresses, since, times + 1, now)
        self._flag(agent)

    def claimed(self, identity: Identity, claimant: Claimant) -> None:
        """Flag an agent that is offline, which an integration wants to be that it does not belong to."""
        if (agent := self._agent(identity)) is not None:
            agent.claim = Claim(*claimant, self._wall())
            self._flag(agent)

    def settle(self, agent: Agent, integration_id: int) -> None:
        """Take away the flag with which an integration asks for an agent; raises Refused without one."""
        if agent.claim is None or agent.claim.integration_id != integration_id:
            raise Refused("This integration does not ask for the agent any more.", "integration")
        agent.claim = None
        agent.touch()

    def sweep(self) -> None:
        """Take flags away that are old."""
        oldest = self._wall() - self._limits.twins
        for agent in list(self._flagged):
            if agent.twins is not None and agent.twins.seen_at < oldest:
                agent.twins = None
                agent.touch()
            if agent.claim is not None and agent.claim.seen_at < oldest:
                agent.claim = None
                agent.touch()
            if agent.twins is None and agent.claim is None:
                del self._flagged[agent]

    def _agent(self, identity: Identity) -> Agent | None:
        return self._agents.get((identity.domain, identity.name)) if identity.kind == AGENT else None

    def _flag(self, agent: Agent) -> None:
        self._flagged[agent] = None
        agent.touch()
