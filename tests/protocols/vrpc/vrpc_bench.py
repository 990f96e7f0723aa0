"""VRPC on a broker that is a dictionary, with a clock that stands still."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from protocols.topics import matches
from protocols.vrpc.calls import Outcome
from protocols.vrpc.limits import Limits
from protocols.vrpc.live import Who
from protocols.vrpc.names import AGENT, Identity
from protocols.vrpc.vrpc import Vrpc

DOMAIN, AGENT_NAME = "acme.default", "press"
KEY = (DOMAIN, AGENT_NAME)
PLACE = f"{DOMAIN}/{AGENT_NAME}"
IDENTITY = Identity(DOMAIN, AGENT, AGENT_NAME)
WHO = Who("c1", 7, "hall-2", "192.0.2.1", "va3x")


def class_info(name: str = "Press", **changes: Any) -> dict[str, Any]:
    """Return what an agent of npm says of a class."""
    said: dict[str, Any] = {
        "className": name,
        "instances": ["p1"],
        "memberFunctions": ["on", "off", "strike"],
        "staticFunctions": ["add", "__createIsolated__", "__createShared__", "__callAll__", "__delete__"],
        "meta": {"add": {"description": "Adds", "params": [{"name": "a", "type": "number"}], "ret": None}},
        "v": 3,
    }
    return {**said, **changes}


class Bench:
    """The broker as `Vrpc` sees it, and a way to be an agent on it."""

    def __init__(self, **limits: float) -> None:
        numbers = itertools.count(1)
        self.time = 100.0
        self.wall = 1_000.0
        self.kept: dict[str, bytes] = {}
        self.owners: dict[str, int] = {}  # of what is retained
        self.sent: list[tuple[str, dict[str, Any]]] = []  # requests
        self.filters: list[str] = []  # that the portal listens to
        self.subscribed: set[str] | None = None  # topics that agents listen to; None for all
        self.turns = 0
        self.reads = 0
        self._soon: list[Callable[[], object]] = []
        limit: Any = limits
        self.vrpc = Vrpc(Limits(**limit), lambda: self.wall, lambda: f"{next(numbers):08x}{0:016x}")
        self.vrpc.connect(self)
        self.do = self.vrpc.actions()

    # --- the broker

    def now(self) -> float:
        return self.time

    def soon(self, act: Callable[[], object], /) -> None:
        self._soon.append(act)

    def retain(self, topic: str, payload: bytes) -> None:
        self.kept.pop(topic, None)
        if payload:
            self.kept[topic] = payload
        self.vrpc.kept(topic, payload)

    def retained(self, topic_filter: str) -> list[str]:
        return [topic for topic in self.kept if matches(topic_filter, topic)]

    def read(self, topic: str) -> bytes:
        self.reads += 1
        return self.kept.get(topic, b"")

    def owner(self, topic: str) -> int:
        return self.owners.get(topic, 0)

    def give(self, topic: str, integration_id: int) -> None:
        self.owners[topic] = integration_id

    def publish(self, topic: str, payload: bytes) -> bool:
        self.sent.append((topic, json.loads(payload)))
        return self.subscribed is None or topic in self.subscribed

    def listen(self, topic_filter: str) -> None:
        self.filters.append(topic_filter)

    def unlisten(self, topic_filter: str) -> None:
        self.filters.remove(topic_filter)

    # --- what happens

    def turn(self) -> None:
        """Let one turn of the loop pass."""
        acts, self._soon = self._soon, []
        self.turns += bool(acts)
        for act in acts:
            act()

    def run(self) -> Bench:
        """Let turns pass until nothing is to be done any more."""
        while self._soon:
            self.turn()
        return self

    def wait(self, seconds: float) -> Bench:
        """Let time pass."""
        self.time += seconds
        self.wall += seconds
        self.vrpc.sweep()
        return self.run()

    def tell(self, topic: str, said: Any) -> Bench:
        """Retain what an agent says of itself."""
        self.retain(f"{DOMAIN}/{topic}", said if isinstance(said, bytes) else json.dumps(said).encode())
        return self.run()

    def online(self, agent: str = AGENT_NAME, who: Who = WHO, **info: Any) -> Bench:
        """Have an agent come in, and say that it is online."""
        self.vrpc.joined(Identity(DOMAIN, AGENT, agent), who)
        said = {"status": "online", "hostname": "pi", "version": "1.0", "v": 3}
        return self.tell(f"{agent}/__agentInfo__", {**said, **info})

    def leave(self, agent: str = AGENT_NAME, who: Who = WHO) -> Bench:
        """End an agent's connection without a word."""
        self.vrpc.left(Identity(DOMAIN, AGENT, agent), who)
        return self.run()

    def reply(self, topic: str, said: Any) -> Bench:
        """Send something to the portal."""
        self.vrpc.heard(topic, said if isinstance(said, bytes) else json.dumps(said).encode())
        return self.run()

    def answer(self, **said: Any) -> Bench:
        """Answer the last request as an agent of npm does."""
        request = self.sent[-1][1]
        return self.reply(request["s"], {"a": request["a"], "i": request["i"], "v": 3, **said})

    # --- what is known

    @property
    def agent(self) -> dict[str, Any]:
        """Return the one agent."""
        (found,) = self.do["vrpc_agents"]()
        return found

    def opened(self, class_name: str = "Press", agent: str = AGENT_NAME) -> dict[str, Any]:
        """Return a class as its page has it."""
        found = self.do["vrpc_agent"](DOMAIN, agent, class_name)
        return next(one for one in found["info"] if one["name"] == class_name)

    def exceeded(self, name: str) -> int | None:
        """Return how often a limit was met."""
        return next(one.exceeded for one in self.vrpc.usage() if one.name == name)


class Calls:
    """Calls in process, and how they ended."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.ended: list[Outcome] = []

    def begin(self, agent: str = AGENT_NAME, timeout: float | None = None) -> int:
        call = self.bench.vrpc.call
        return call(DOMAIN, agent, "Press", "", "add", "[1]", timeout, self.ended.append)


def result(bench: Bench, call: dict[str, str]) -> Any:
    """Return how far a call has come, as a page asks."""
    return bench.do["vrpc_result"](call["call"])
