"""What HTTP clients ask about the agents of their domain, and the calls that they may make of them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from protocols.http.calls import Calls, Order
from protocols.http.cursors import Cursors
from protocols.http.faults import Fault, NotYet, parameter, pointer
from protocols.http.limits import Limits
from protocols.http.messages import bounded
from protocols.http.periods import Period
from protocols.http.tickets import Tickets
from protocols.vrpc.fitting import LIFE_CYCLE, NUMBER, fault, life_cycle_fault

Row = Mapping[str, Any]

AWAY = 5  # seconds after which an agent that is offline may be back
SHOWN = 60  # characters of a name


class Agents(Protocol):
    """The agents that there are, offline ones among them."""

    def agents(self, domain: str) -> Sequence[Row]:
        """Return those of a domain, by name."""
        ...

    def agent(self, domain: str, agent: str, class_name: str | None) -> Row | None:
        """Return one with its classes, and of one of these its functions and instances."""
        ...


class AgentsApi:
    """The actions about agents; each is for one who has come in."""

    def __init__(
        self, agents: Agents, calls: Calls, tickets: Tickets, limits: Limits, longest: float, now: Callable[[], float]
    ) -> None:
        """`longest` is how many seconds a call may take at most."""
        self._agents = agents
        self._calls = calls
        self._tickets = tickets
        self._limits = limits
        self._longest = longest
        self._now = now
        self._cursors = Cursors()

    def acts(self) -> list[Callable[..., object]]:
        """Return the actions."""
        return [self.agents, self.agent, self.agent_class, self.call]

    def agents(self, period: Period, limit: int, cursor: str | None) -> dict[str, object]:
        """Return a page of the agents of the caller's domain, by name."""
        domain = _domain(period)
        found = self._agents.agents(domain)
        after = self._cursors.open(cursor, period.integration_id)
        first = 0 if after is None else bisect_right(found, after, key=lambda one: str(one["agent"]))
        most = bounded(limit, self._limits.page)
        shown = list(found[first : first + most])
        last = shown[-1]["agent"] if first + most < len(found) else None
        return {"agents": shown, "cursor": self._cursors.seal(last, period.integration_id)}

    def agent(self, period: Period, agent: str) -> Row:
        """Return an agent with its classes."""
        return self._found(_domain(period), agent, None)

    def agent_class(self, period: Period, agent: str, class_name: str) -> Row:
        """Return a class of an agent with its functions and instances."""
        return _class(self._found(_domain(period), agent, class_name), class_name)

    def call(
        self,
        period: Period,
        agent: str,
        class_name: str,
        function: str,
        instance: str,
        arguments: str,
        timeout: float | None,
    ) -> str:
        """Return the ticket for a call, whose client's socket comes next; `arguments` is the JSON of an array."""
        domain = _domain(period)
        found = self._found(domain, agent, class_name)
        its_class = _class(found, class_name)
        if its_class["fault"]:
            raise Fault(502, f"what the agent says of this class cannot be used: {its_class['fault']}")
        if found["status"] != "online":
            raise Fault(503, "the agent is offline", parameter("agent"), retry=AWAY)
        if instance and instance not in its_class["instances"]:
            raise Fault(404, f"the class has no shared instance {instance[:SHOWN]!r}", pointer("instance"))
        self._hold_to_what_is_known(its_class, function, instance, json.loads(arguments))
        if timeout is not None and not 0 < timeout <= self._longest:
            raise Fault(422, f"a call may take up to {self._longest:g} seconds", pointer("timeout"))
        order = Order(self._calls, period, (domain, agent, class_name, instance, function), arguments, timeout)
        return self._tickets.give(period, (), self._now(), order)

    def _found(self, domain: str, agent: str, class_name: str | None) -> Row:
        found = self._agents.agent(domain, agent, class_name)
        if found is None:
            raise Fault(404, f"there is no agent {agent[:SHOWN]!r}", parameter("agent"))
        return found

    def _hold_to_what_is_known(self, its_class: Row, function: str, instance: str, arguments: list[Any]) -> None:
        """Refuse a function that there is none of, and arguments that do not fit what is documented of it."""
        if function in LIFE_CYCLE and not instance:
            found = life_cycle_fault(function, its_class, arguments)
        else:
            named = [one for one in its_class["functions"] if one["name"] == function]
            overloads = [one for one in named if one["is_static"] == (not instance)]
            if not overloads:
                _miss(function, bool(instance), is_known=bool(named))
            found = fault(overloads, arguments)
        if found is not None:
            index, what = found
            raise Fault(422, what, pointer("arguments") if index == NUMBER else pointer("arguments", index))


def _domain(period: Period) -> str:
    if not period.grant.domain:
        raise Fault(403, "this integration may not use agents: it is granted no domain")
    return period.grant.domain


def _class(found: Row, class_name: str) -> Row:
    for one in found["info"]:
        if one["name"] == class_name:
            if one["reading"] and not one["fault"]:
                raise NotYet
            its_class: Row = one
            return its_class
    raise Fault(404, f"the agent has no class {class_name[:SHOWN]!r}", parameter("class_name"))


def _miss(function: str, is_of_instance: bool, *, is_known: bool) -> NoReturn:
    kind = "member" if is_of_instance else "static"
    detail = f"the class has no {kind} function {function[:SHOWN]!r}"
    if is_known and not is_of_instance:
        raise Fault(422, f"{function[:SHOWN]!r} is called on an instance: say which one", pointer("instance"))
    raise Fault(404, detail, parameter("function"))
