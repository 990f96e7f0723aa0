"""Every agent that is known, with its classes: from what is retained, corrected by who is connected.

What has to be published because of that, such as that an agent is offline whose connection has ended without a word,
is done in the next turn of the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Protocol

from protocols.contract import Refused
from protocols.hits import Hits
from protocols.vrpc import names
from protocols.vrpc.agents import OFFLINE, ONLINE, Agent, Class, Key
from protocols.vrpc.limits import Limits
from protocols.vrpc.live import Who
from protocols.vrpc.names import AGENT, AGENT_INFO, CLASS_INFO, CLIENT_INFO, Identity
from protocols.vrpc.reader import Reader
from protocols.vrpc.rivals import Rivals


class Broker(Protocol):
    """What the registry needs of the broker."""

    def soon(self, act: Callable[[], object], /) -> object:
        """Call something in the next turn of the loop."""
        ...

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message; an empty one deletes."""
        ...

    def retained(self, topic_filter: str) -> list[str]:
        """Return the topics with a retained message that a filter matches."""
        ...

    def read(self, topic: str) -> bytes:
        """Return what a topic has retained, b"" for nothing."""
        ...

    def owner(self, topic: str) -> int:
        """Return which integration has retained what a topic has, 0 for none of VRPC."""
        ...

    def give(self, topic: str, integration_id: int) -> None:
        """Have what a topic has retained be another integration's."""
        ...


class Watcher(Protocol):
    """Who is told which agents there are."""

    def appeared(self, key: Key) -> None:
        """Learn of an agent that was not known."""
        ...

    def vanished(self, key: Key) -> None:
        """Learn that an agent is not known any more."""
        ...

    def went_offline(self, key: Key) -> None:
        """Learn that an agent is not online any more."""
        ...


class Registry:
    """Agents by domain and name; `wall` returns the time of day in seconds since 1970."""

    def __init__(self, limits: Limits, hits: Hits, wall: Callable[[], float], watcher: Watcher) -> None:
        self._limits = limits
        self._hits = hits
        self._wall = wall
        self._watcher = watcher
        self._broker: Broker
        self._agents: dict[Key, Agent] = {}
        self._sorted: list[Agent] | None = None
        self._unsettled: dict[Key, None] = {}  # whose connection or info has gone
        self._is_awake = False
        self.rivals = Rivals(self._agents, limits, wall)
        self.reader = Reader(limits, hits, lambda one: one.agent.touch())

    def __len__(self) -> int:
        return len(self._agents)

    def connect(self, broker: Broker) -> None:
        """Take what the broker offers; called before anything is told."""
        self._broker = broker
        self.reader.connect(broker.soon, broker.read)

    # --- what the broker tells

    def lasts(self, topic: str) -> float | None:
        """Return for how long a retained info is kept: what clients leave behind is not worth much."""
        return self._limits.client_info if topic.endswith(f"/{CLIENT_INFO}") else None

    def kept(self, topic: str, payload: bytes) -> None:
        """Take in a retained info, b"" for one that is gone."""
        info = names.parse(topic)
        if info is None or info.kind == CLIENT_INFO:
            return
        key = info.domain, info.name
        agent = self._make(key) if payload else self._agents.get(key)
        if agent is None:
            return
        if info.kind == AGENT_INFO:
            agent.take(payload, self._limits)
            agent.belongs_to = self._broker.owner(topic)
            if not payload:
                self._settle_soon(key)
        else:
            self._take_class(agent, info.part, info.kind, is_kept=bool(payload))
        self._update(agent)

    def restored(self) -> None:
        """Have every agent offline that was online before a restart; nobody is connected yet."""
        for agent in list(self._agents.values()):
            self._correct(agent)

    def joined(self, identity: Identity, who: Who) -> None:
        """Note whose connection an agent is; who is connected comes before who is not."""
        if identity.kind != AGENT:
            return
        key = identity.domain, identity.name
        if key not in self._agents and len(self._agents) >= self._limits.agents:
            self._forget_one()
        if (agent := self._make(key)) is not None:
            agent.who[who.connection_id] = who
            self._update(agent)

    def left(self, identity: Identity, who: Who) -> None:
        """Note that a connection has ended."""
        agent = self._agents.get((identity.domain, identity.name)) if identity.kind == AGENT else None
        if agent is not None and agent.who.pop(who.connection_id, None) is not None:
            self._update(agent)
            self._settle_soon(agent.key)

    # --- what is known

    def agents(self, domain: str | None = None) -> list[dict[str, object]]:
        """Return every agent, or those of a domain, sorted."""
        if self._sorted is None:
            self._sorted = sorted(self._agents.values(), key=lambda agent: agent.key)
        return [agent.shown() for agent in self._sorted if domain in (None, agent.key[0])]

    def agent(self, domain: str, name: str, class_name: str | None = None) -> dict[str, object] | None:
        """Return an agent with its classes, and what one of them has."""
        agent = self._agents.get((domain, name))
        if agent is None:
            return None
        # Describing a class may find a fault, so it comes first.
        shown = {one: self._shown_class(agent.classes[one], one == class_name) for one in sorted(agent.classes)}
        return {**agent.shown(), "info": list(shown.values())}

    def is_online(self, key: Key) -> bool:
        """Say whether an agent can be called."""
        agent = self._agents.get(key)
        return agent is not None and agent.status == ONLINE

    def functions(self, key: Key, class_name: str) -> set[str]:
        """Return the names of a class's functions, as far as they are known."""
        agent = self._agents.get(key)
        one = agent.classes.get(class_name) if agent is not None else None
        info = self.reader.describe(one) if one is not None else None
        return {function["name"] for function in info.functions} if info is not None else set()

    def remove(self, domain: str, name: str) -> None:
        """Delete what is retained of an agent that is offline; raises Refused."""
        self._clear_classes(self._offline(domain, name).key)
        self._broker.retain(names.agent_topic(domain, name), b"")

    def hand_over(self, domain: str, name: str, integration_id: int) -> None:
        """Let an agent that is offline belong to the integration that asks for it; raises Refused."""
        agent = self._offline(domain, name)
        self.rivals.settle(agent, integration_id)
        agent.belongs_to = integration_id
        topics = [names.agent_topic(domain, name), *names.class_topics(domain, name, "+")]
        for topic in [topic for topic_filter in topics for topic in self._broker.retained(topic_filter)]:
            self._broker.give(topic, integration_id)

    def _offline(self, domain: str, name: str) -> Agent:
        agent = self._agents.get((domain, name))
        if agent is None:
            raise Refused("There is no such agent.", "agent")
        if agent.who:
            raise Refused("The agent is connected.", "agent")
        return agent

    def _shown_class(self, one: Class, is_opened: bool) -> dict[str, object]:
        info = self.reader.describe(one) if is_opened else None
        shown: dict[str, object] = {
            "name": one.name,
            "fault": one.fault,
            "function_count": one.count.functions,
            "instance_count": one.count.instances,
        }
        if is_opened:
            shown["reading"] = info is None
            shown["functions"] = info.functions if info is not None else []
            shown["constructors"] = info.constructors if info is not None else []
            shown["instances"] = info.instances if info is not None else []
        return shown

    # --- changes

    def _make(self, key: Key) -> Agent | None:
        """Return an agent that is known from now on; None when there are too many."""
        agent = self._agents.get(key)
        if agent is None:
            if len(self._agents) >= self._limits.agents:
                self._hits.add("agents")
                return None
            agent = self._agents[key] = Agent(key)
            self._sorted = None
            self._watcher.appeared(key)
        return agent

    def _forget_one(self) -> None:
        """Make room: nothing is known any more of who has been offline for the longest time."""
        gone = min((agent for agent in self._agents.values() if not agent.who), key=_offline_since, default=None)
        if gone is None:
            return
        self._hits.add("agents")
        for one in gone.classes.values():
            one.has_full = one.has_concise = False
            self.reader.changed(one)
        gone.classes.clear()
        gone.is_kept = False
        self._update(gone)

    def _take_class(self, agent: Agent, name: str, kind: str, *, is_kept: bool) -> None:
        one = agent.classes.get(name)
        if one is None:
            if not is_kept:
                return
            if len(agent.classes) >= self._limits.classes:
                self._hits.add("classes")
                return
            name = intern(name)  # agents of one software have the same classes
            one = agent.classes[name] = Class(agent, name)
        if kind == CLASS_INFO:
            one.has_full = is_kept
        else:
            one.has_concise = is_kept
        if not one.is_known:
            del agent.classes[name]
        self.reader.changed(one)

    def _update(self, agent: Agent) -> None:
        """Bring up to date what follows from what an agent says and who is connected."""
        agent.touch()
        status = ONLINE if agent.who and agent.says_online else OFFLINE
        if status != agent.status:
            agent.status, agent.since = status, self._wall()
            if status == OFFLINE:
                self._watcher.went_offline(agent.key)
        if agent.is_nothing and self._agents.pop(agent.key, None) is not None:
            self._sorted = None
            self._watcher.vanished(agent.key)

    def _settle_soon(self, key: Key) -> None:
        self._unsettled[key] = None
        if not self._is_awake:
            self._is_awake = True
            self._broker.soon(self._settle_all)

    def _settle_all(self) -> None:
        self._is_awake = False
        unsettled, self._unsettled = self._unsettled, {}
        for key in unsettled:
            self._settle(key)

    def _settle(self, key: Key) -> None:
        """Publish what an agent should have: that it is offline, or that its classes are gone with it."""
        agent = self._agents.get(key)
        if agent is None:
            return
        if not agent.is_kept and not agent.who:
            self._clear_classes(key)
        self._correct(agent)

    def _correct(self, agent: Agent) -> None:
        if agent.may_seem_online and not agent.who:
            self._broker.retain(names.agent_topic(*agent.key), agent.offline_info())

    def _clear_classes(self, key: Key) -> None:
        domain, name = key
        for topic_filter in names.class_topics(domain, name, "+"):
            for topic in self._broker.retained(topic_filter):
                self._broker.retain(topic, b"")


def _offline_since(agent: Agent) -> float:
    return agent.since or 0.0
