"""VRPC, put together: what the broker tells goes in, and what pages and HTTP clients ask for is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol

from protocols.contract import Refused, Usage
from protocols.hits import Hits
from protocols.vrpc import caller, registry
from protocols.vrpc.agents import Key
from protocols.vrpc.caller import Caller
from protocols.vrpc.calls import Done, Request, check_arguments
from protocols.vrpc.describing import CREATE_SHARED, DELETE, is_level
from protocols.vrpc.desk import Desk
from protocols.vrpc.fitting import CALLBACKS
from protocols.vrpc.limits import SETTINGS, Limits
from protocols.vrpc.live import Claimant, Who
from protocols.vrpc.names import ENDING, Identity
from protocols.vrpc.registry import Registry
from protocols.vrpc.watching import Subject, Watches

_COUNTED = ("agents", "classes", "class_bytes", "calls", "reply_bytes", "watches")  # the others only bound times


class Broker(registry.Broker, caller.Broker, Protocol):
    """What all of it needs of the broker."""


class Vrpc:
    """What the portal knows of agents, and its calls to them.

    It follows the broker's retained messages (`protocols.mqtt.following.Listening`).  `wall` returns the time of day in
    seconds since 1970, `token` hexadecimal digits that nobody can guess.
    """

    ending = ENDING

    def __init__(self, limits: Limits, wall: Callable[[], float], token: Callable[[], str]) -> None:
        self._limits = limits
        self._hits = Hits()
        self._broker: Broker
        self.registry = Registry(limits, self._hits, wall, self)
        self.caller = Caller(limits, self._hits, self.registry.is_online, token)
        self._desk = Desk(limits, self.caller, self._now, token)
        functions = self.registry.functions
        self._watches = Watches(limits, self._hits, self.caller, functions, self._now, wall, token)

    @property
    def longest(self) -> float:
        """Return for how many seconds a call may take at most."""
        return self._limits.call_timeout

    # --- what the broker tells

    def connect(self, broker: Broker) -> None:
        """Take what the broker offers; called before anything is told."""
        self._broker = broker
        self.registry.connect(broker)
        self.caller.connect(broker)

    def lasts(self, topic: str) -> float | None:
        """Return for how many seconds an info is retained; None for ever."""
        return self.registry.lasts(topic)

    def kept(self, topic: str, payload: bytes) -> None:
        """Note what an info topic has now, b"" for nothing any more."""
        self.registry.kept(topic, payload)

    def restored(self) -> None:
        """Learn that all infos have been told, and nobody is connected yet."""
        self.registry.restored()

    def heard(self, topic: str, payload: bytes) -> None:
        """Note a message to the portal."""
        self.caller.heard(topic, payload)

    def joined(self, identity: Identity, who: Who) -> None:
        """Note whose connection an agent or a client is."""
        self.registry.joined(identity, who)

    def left(self, identity: Identity, who: Who) -> None:
        """Note that a connection has ended, and its Will was published."""
        self.registry.left(identity, who)

    def rivals(self, identity: Identity, addresses: tuple[str, str]) -> None:
        """Flag an agent whose name two want to have."""
        self.registry.rivals.fought(identity, addresses)

    def claimed(self, identity: Identity, claimant: Claimant) -> None:
        """Note who wants to be an agent that belongs to another integration."""
        self.registry.rivals.claimed(identity, claimant)

    def sweep(self) -> None:
        """Do what has to do with time, some times in a second."""
        self.caller.sweep()
        self._desk.sweep()
        self._watches.sweep()
        self.registry.rivals.sweep()

    # --- what the registry tells

    def appeared(self, key: Key) -> None:
        """Learn of an agent that was not known."""
        self.caller.appeared(key)

    def vanished(self, key: Key) -> None:
        """Learn that an agent is not known any more."""
        self.caller.vanished(key)

    def went_offline(self, key: Key) -> None:
        """Learn that an agent is not online any more."""
        self.caller.went_offline(key)
        self._watches.went_offline(key)

    # --- in process

    def agents(self, domain: str | None = None) -> list[dict[str, object]]:
        """Return every agent, or those of a domain, sorted."""
        return self.registry.agents(domain)

    def agent(self, domain: str, agent: str, class_name: str | None = None) -> dict[str, object] | None:
        """Return an agent with its classes, and what one of them has; None if it is not known."""
        return self.registry.agent(domain, agent, class_name)

    def call(
        self,
        domain: str,
        agent: str,
        class_name: str,
        instance: str,
        function: str,
        arguments: str,
        timeout: float | None,
        done: Done,
    ) -> int:
        """Call a function, and return the call's number; `done` is told later how it ended.  Raises Refused."""
        return self.caller.call(Request((domain, agent), class_name, instance, function, arguments), timeout, done)

    def abandon(self, call: int) -> None:
        """Let go of a call: nobody waits for it any more."""
        self.caller.abandon(call)

    def usage(self) -> list[Usage]:
        """Return the limits."""
        used = {"agents": len(self.registry), "calls": len(self.caller), "watches": len(self._watches)}
        return [
            Usage(
                f"VRPC_{name.upper()}",
                used.get(name),
                getattr(self._limits, name),
                self._hits.counts[name] if name in _COUNTED else None,
            )
            for name in SETTINGS
        ]

    # --- for pages

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages ask."""
        return {
            "vrpc_agents": self.agents,
            "vrpc_agent": self.agent,
            "vrpc_call": self._call,
            "vrpc_create": self._create,
            "vrpc_delete": self._delete,
            "vrpc_result": self._desk.result,
            "vrpc_watch": self._watch,
            "vrpc_events": self._watches.events,
            "vrpc_unwatch": self._watches.end,
            "vrpc_remove": self.registry.remove,
            "vrpc_hand_over": self.registry.hand_over,
        }

    def _call(
        self,
        domain: str,
        agent: str,
        class_name: str,
        instance: str,
        function: str,
        arguments: str,
        timeout: float | None = None,
    ) -> dict[str, str]:
        check_arguments(arguments)
        _refuse_callbacks(json.loads(arguments))
        request = Request((domain, agent), class_name, instance, function, arguments)
        return {"call": self._desk.call(request, timeout)}

    def _create(
        self, domain: str, agent: str, class_name: str, instance: str, arguments: str, timeout: float | None = None
    ) -> dict[str, str]:
        """Create an instance that everybody sees; its name comes before the constructor's arguments."""
        if not is_level(instance):
            raise Refused("An instance needs a name without /, + and #.", "instance")
        check_arguments(arguments)
        inside, first = arguments.strip()[1:-1].strip(), json.dumps(instance)
        whole = f"[{first}, {inside}]" if inside else f"[{first}]"
        return self._call(domain, agent, class_name, "", CREATE_SHARED, whole, timeout)

    def _delete(
        self, domain: str, agent: str, class_name: str, instance: str, timeout: float | None = None
    ) -> dict[str, str]:
        return self._call(domain, agent, class_name, "", DELETE, json.dumps([instance]), timeout)

    def _watch(self, domain: str, agent: str, class_name: str, instance: str, event: str) -> dict[str, str]:
        return {"watch": self._watches.begin(Subject((domain, agent), class_name, instance, event))}

    def _now(self) -> float:
        return self._broker.now()


def _refuse_callbacks(arguments: list[object]) -> None:
    """Raise Refused for a text that agents take for a function: they would call back, and nobody would hear of it."""
    for argument in arguments:
        if isinstance(argument, str) and argument.startswith(CALLBACKS):
            what = f"{CALLBACKS[0]} and {CALLBACKS[1]}"
            raise Refused(
                f"{argument[:20]!r} would be taken for a callback, as all that begins with {what}.", "arguments"
            )
