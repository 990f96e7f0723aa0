"""What web workers ask about agents for clients, without sockets: who sees which, and which calls are let through."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from http_agents import DOMAIN, Agents, function, row
from http_wire import Door, Recorder, caller

from protocols.contract import Grant
from protocols.hits import Hits
from protocols.http.agents import AgentsApi
from protocols.http.api import Api
from protocols.http.calls import Calls
from protocols.http.door import Door as HttpDoor
from protocols.http.limits import Limits
from protocols.http.messages import Rows
from protocols.http.periods import Periods
from protocols.http.tickets import Tickets
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.tally import Tally


class Running:
    """The actions; ada is granted a domain, eve another one, bob none."""

    def __init__(self, **limits: int) -> None:
        self.time = 0.0
        self.limits = Limits(**limits)
        self.door, self.known, tally, hits = Door(), Agents(), Tally(), Hits()
        self.door.answers["ada"] = Grant(1, "ada", domain=DOMAIN)
        self.door.answers["eve"] = Grant(3, "eve", domain="other")
        self.periods = Periods(Recorder(), self.limits)
        numbers = count(1)
        self.tickets = Tickets(self.limits, lambda: f"t{next(numbers)}")
        self.calls = Calls(self.known, self.limits, hits, tally)
        agents = AgentsApi(self.known, self.calls, self.tickets, self.limits, 30.0, lambda: self.time)
        door = HttpDoor(self.door, self.periods, lambda: self.time)
        hub = Hub(HubLimits(), lambda: 0.0)
        api = Api(hub, door, self.tickets, Rows(str, 1), tally, self.limits, lambda: self.time, agents.acts())
        self.actions = api.actions()

    def ask(self, action: str, *arguments: Any, **who: Any) -> Any:
        return self.actions[f"http_{action}"](caller(**who), *arguments)

    def ok(self, action: str, *arguments: Any, **who: Any) -> Any:
        answer = self.ask(action, *arguments, **who)
        assert set(answer) == {"ok"}, answer
        return answer["ok"]

    def call(self, *arguments: Any, function: str = "add", instance: str = "", **more: Any) -> Any:
        agent, of_class = more.pop("agent", "press"), more.pop("of_class", "Press")
        stated = json.dumps(arguments)
        return self.ask("call", agent, of_class, function, instance, stated, more.pop("timeout", None), **more)

    def fault(self, answer: Any) -> tuple[int, dict[str, str]]:
        """Return the status of a fault, and which input it is about."""
        told = answer["fault"]
        places = told.get("errors", [{"detail": told["detail"]}])
        return told["status"], {name: text for name, text in places[0].items() if name != "detail"}


@pytest.fixture
def running() -> Running:
    return Running()


def test_the_agents_of_ones_own_domain_are_listed_page_by_page(running: Running) -> None:
    names, cursor = [], None
    for _ in range(3):
        page = running.ok("agents", 1, cursor)
        names += [one["agent"] for one in page["agents"]]
        cursor = page["cursor"]
    assert names == ["gone", "müller 1", "press"] and cursor is None
    assert [one["agent"] for one in running.ok("agents", 100, None, username="eve")["agents"]] == ["theirs"]


def test_a_page_goes_on_behind_an_agent_that_is_gone(running: Running) -> None:
    cursor = running.ok("agents", 2, None)["cursor"]
    running.known.known = [row("aaa"), row("press"), row("zzz")]
    assert [one["agent"] for one in running.ok("agents", 2, cursor)["agents"]] == ["press", "zzz"]


def test_who_is_granted_no_domain_may_do_nothing(running: Running) -> None:
    asked = [
        running.ask("agents", 10, None, username="bob"),
        running.ask("agent", "press", username="bob"),
        running.ask("agent_class", "press", "Press", username="bob"),
        running.call(1, 2, username="bob"),
    ]
    assert [running.fault(answer) for answer in asked] == [(403, {})] * 4


def test_a_foreign_agent_is_as_if_it_were_not_there(running: Running) -> None:
    for name in ("press", "never"):
        asked = [
            running.ask("agent", name, username="eve"),
            running.ask("agent_class", name, "Press", username="eve"),
            running.call(1, 2, agent=name, username="eve"),
        ]
        assert [running.fault(answer) for answer in asked] == [(404, {"parameter": "agent"})] * 3


def test_a_class_is_told_with_its_functions_and_a_broken_one_with_why(running: Running) -> None:
    assert [one["name"] for one in running.ok("agent", "press")["info"]] == ["Press", "Broken"]
    found = running.ok("agent_class", "press", "Press")
    assert found["name"] == "Press" and [one["name"] for one in found["functions"]] == ["add", "anything", "status"]
    assert running.ok("agent_class", "press", "Broken")["fault"] == "it is no JSON"
    assert running.fault(running.ask("agent_class", "press", "Never")) == (404, {"parameter": "class_name"})


def test_a_call_gets_a_ticket_and_is_not_made_before_its_socket_is_there(running: Running) -> None:
    ticket = running.tickets.take(running.call(1, 2)["ok"], 0.0)
    assert ticket is not None and ticket.order is not None
    assert ticket.order.target == (DOMAIN, "press", "Press", "", "add")
    assert (ticket.order.arguments, ticket.order.timeout) == ("[1, 2]", None)
    assert running.known.calls == []


@pytest.mark.parametrize(
    ("wanted", "status", "place"),
    [
        ({"agent": "never"}, 404, {"parameter": "agent"}),
        ({"of_class": "Never"}, 404, {"parameter": "class_name"}),
        ({"of_class": "Broken"}, 502, {}),
        ({"agent": "gone"}, 503, {"parameter": "agent"}),
        ({"function": "never"}, 404, {"parameter": "function"}),
        ({"function": "__createIsolated__"}, 404, {"parameter": "function"}),
        ({"function": "__createShared__", "instance": "press-4"}, 404, {"parameter": "function"}),
        ({"function": "status"}, 422, {"pointer": "#/instance"}),
        ({"instance": "press-4"}, 404, {"parameter": "function"}),
        ({"function": "status", "instance": "press-5"}, 404, {"pointer": "#/instance"}),
        ({"timeout": 30.5}, 422, {"pointer": "#/timeout"}),
        ({"timeout": 0}, 422, {"pointer": "#/timeout"}),
    ],
)
def test_what_cannot_be_called_is_said_by_its_place(
    running: Running, wanted: dict[str, Any], status: int, place: dict[str, str]
) -> None:
    assert running.fault(running.call(1, 2, **wanted)) == (status, place)
    assert len(running.calls) == 0


def test_a_class_that_is_still_being_read_is_waited_for(running: Running) -> None:
    running.known.reading = True
    for asked in (running.ask("agent_class", "press", "Press"), running.call(1, 2)):
        assert 0 < asked["wait"] < 1
    assert "ok" in running.ask("agent", "press")
    late = running.call(1, 2, waited=5.0)
    assert running.fault(late)[0] == 503 and late["retry"] > 0
    running.known.reading = False
    assert "ok" in running.call(1, 2, waited=1.0)


def test_arguments_are_held_to_what_is_documented(running: Running) -> None:
    assert running.fault(running.call(1, "2")) == (422, {"pointer": "#/arguments/1"})
    assert running.fault(running.call(1)) == (422, {"pointer": "#/arguments"})
    assert running.fault(running.call("__f__x", function="anything")) == (422, {"pointer": "#/arguments/0"})
    assert "ok" in running.call("x", None, function="anything")


def test_an_agent_that_may_be_back_soon_is_worth_another_try(running: Running) -> None:
    assert running.call(1, 2, agent="gone")["retry"] > 0
    assert running.call(1, agent="press")["retry"] == 0


def test_instances_are_made_called_and_deleted_by_functions_of_the_class(running: Running) -> None:
    assert "ok" in running.call("press-9", 1, {}, function="__createShared__")
    assert "ok" in running.call("press-4", function="__delete__")
    assert "ok" in running.call("status", function="__callAll__")
    assert running.fault(running.call("a/b", function="__createShared__")) == (422, {"pointer": "#/arguments/0"})
    assert "ok" in running.call(function="status", instance="press-4")


def test_calls_under_way_are_bounded_for_each_integration_and_in_all() -> None:
    running = Running(calls=3, calls_per_integration=2)
    running.door.answers["ann"] = Grant(4, "ann", domain=DOMAIN)
    assert ["ok" in running.call(1, 2) for _ in range(3)] == [True, True, False]
    full = running.call(1, 2)
    assert (running.fault(full), full["retry"]) == ((429, {}), 1)
    assert "ok" in running.call(1, 2, username="ann")
    assert running.fault(running.call(1, 2, username="ann")) == (503, {})
    running.time += running.limits.ticket
    running.tickets.sweep(running.time)
    assert len(running.calls) == 0 and "ok" in running.call(1, 2)


def test_a_ticket_of_a_period_that_has_ended_gives_its_place_back(running: Running) -> None:
    ticket = running.call(1, 2)["ok"]
    (period,) = running.periods
    running.periods.end(period, "integration deactivated")
    assert running.tickets.take(ticket, 0.0) is None and len(running.calls) == 0


def test_of_overloads_one_that_fits_is_enough(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [function("add", ("a", "string")), function("add", ("a", "number"), ("b", "number"))]
    monkeypatch.setattr("http_agents.FUNCTIONS", both)
    assert "ok" in running.call("a") and "ok" in running.call(1, 2)
    assert running.fault(running.call(True))[0] == 422
