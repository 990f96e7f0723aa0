"""Agents and clients of VRPC's two packages, unchanged, each with each: what they offer works through Gatehouse."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest

from tests.support.processes import wait_until
from tests.support.vrpc import Agent, Client, Fault, Instance, listener
from tests.support.vrpc_team import Team

pytestmark = pytest.mark.stack

# Client, agent, transport of both.  The package of PyPI knows no WebSocket.
WAYS = [
    ("npm", "npm", "tcp"),
    ("npm", "pypi", "tcp"),
    ("pypi", "npm", "tcp"),
    ("pypi", "pypi", "tcp"),
    ("npm", "npm", "ws"),
    ("npm", "npm", "wss"),
    ("npm", "npm", "tls"),
    ("pypi", "pypi", "tls"),
]
JSON = {"text": 'ä "quoted" €\n', "numbers": [0, -1.5, 1e300], "nothing": None, "yes": True, "deep": [[[{}]]]}
_numbers = itertools.count(1)


class Pair(NamedTuple):
    """A client that knows an agent."""

    client: Client
    agent: Agent

    def call(self, function: str, *arguments: object) -> object:
        """Call a static function of `Press`."""
        return self.client.call(self.agent.name, "Press", function, *arguments)

    def create(self, *arguments: object, isolated: bool = False) -> Instance:
        """Make a press with a name of its own.

        A call that comes right after the creation may be lost at an agent of PyPI (see test_vrpc_pypi_faults.py),
        which takes one message after the other: when it has answered another, it listens to its new instance.
        """
        name = f"press-{next(_numbers)}"
        made = self.client.create(self.agent.name, "Press", name, *arguments, isolated=isolated)
        self.call("echo")
        return made

    def delete(self, instance: Instance) -> bool:
        return self.client.delete(self.agent.name, "Press", instance.name)


def pairs(*ways: tuple[str, str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pair", ways, ids="-".join, indirect=True)


every_pair = pairs(*WAYS)
with_npm_agent = pairs(*(way for way in WAYS if way[1] == "npm"))
with_npm_client = pairs(*(way for way in WAYS if way[0] == "npm"))


@pytest.fixture
def pair(request: pytest.FixtureRequest, team: Team) -> Pair:
    client, agent, transport = request.param
    running = team.agent(agent, transport)
    return Pair(team.client(client, transport).sees(running.name), running)


@every_pair
def test_static_functions_answer(pair):
    assert pair.call("add", 1, 2.5) == 3.5
    assert pair.call("echo", JSON) == JSON
    assert pair.call("echo") is None, "an argument that has a default"
    assert pair.client.call(pair.agent.name, "Lamp", "colours") == ["red", "green"]


@every_pair
def test_a_long_argument_and_a_long_result_come_through_whole(pair):
    text = "0123456789" * 100_000
    assert pair.call("echo", text) == text
    assert pair.call("text", 2_000_000) == "x" * 2_000_000


@every_pair
def test_an_error_comes_back_in_the_agents_words(pair):
    with pytest.raises(Fault, match="the oil is low"):
        pair.call("fail", "the oil is low")


@with_npm_agent
def test_promises_are_kept_and_broken_in_their_own_time(pair):
    late, soon = (pair.client.begin(pair.agent.name, "Press", "later", *one) for one in (("late", 300), ("soon", 1)))
    assert soon.result(20) == "soon" and not late.done()
    assert late.result(20) == "late"
    with pytest.raises(Fault, match="not today"):
        pair.call("refuse", "not today", 1)


@every_pair
def test_many_calls_at_once_each_get_their_own_answer(pair):
    under_way = [pair.client.begin(pair.agent.name, "Press", "echo", number) for number in range(200)]
    assert [one.result(20) for one in under_way] == list(range(200))


@every_pair
def test_a_function_as_an_argument_is_called(pair):
    label = f"{pair.agent.name} reports"
    assert pair.call("report", JSON, listener(label)) is True
    pair.client.wait_for(label, JSON)


@every_pair
def test_a_shared_instance_keeps_its_state_until_it_is_deleted(pair):
    press = pair.create(20)
    assert press.call("pressure") == 20
    assert press.call("adjust", 30) == press.call("pressure") == 30
    with pytest.raises(Fault, match="a pressure of 101 bar is too much"):
        press.call("adjust", 101)
    assert pair.delete(press) is True
    wait_until(lambda: not pair.client.knows(pair.agent.name, "Press", press.name), what="the instance to be gone")


@every_pair
def test_another_client_finds_a_shared_instance(pair, team):
    press = pair.create(40)
    other = team.client("npm").sees(pair.agent.name)
    found = other.get(pair.agent.name, "Press", press.name)
    assert found.call("strike") == 1 and press.call("strike") == 2
    pair.delete(press)
    wait_until(lambda: not other.knows(pair.agent.name, "Press", press.name), what="the instance to be gone for all")


@with_npm_agent
def test_an_instance_that_the_agent_made_is_there(pair):
    name = f"own-{next(_numbers)}"
    pair.agent.create("Press", name, 50)
    assert pair.client.get(pair.agent.name, "Press", name).call("pressure") == 50


@with_npm_client
def test_an_isolated_instance_is_its_clients_own_and_goes_with_it(pair, team):
    own = team.newcomer("npm").sees(pair.agent.name)
    mine = Pair(own, pair.agent).create(60, isolated=True)
    assert mine.call("pressure") == 60
    assert not own.knows(pair.agent.name, "Press", mine.name)
    own.end()
    gone = {"event": "clientGone", "client": own.id}
    wait_until(lambda: gone in pair.agent.events, what="the agent to learn that the client has gone")
    again = pair.client.create(pair.agent.name, "Press", mine.name, 70)
    pair.call("echo")
    assert again.call("pressure") == 70, "the other one was deleted: else this one were the same"
    pair.delete(again)


@every_pair
def test_events_are_heard_until_they_are_no_longer_asked_for(pair):
    press, label = pair.create(), f"{pair.client.id} hears {next(_numbers)}"
    assert press.call("on", "stroke", listener(label)) is True
    press.call("strike", 2.5)
    pair.client.wait_for(label, 1, 2.5)
    assert press.call("off", "stroke", listener(label)) is True
    press.call("strike")
    pair.call("echo")
    assert pair.client.heard(label) == [[1, 2.5]]
    pair.delete(press)


@every_pair
def test_a_function_of_all_instances_is_called_at_once(pair):
    made = [pair.create(pressure) for pressure in (10, 20, 30)]
    answers = pair.client.call_all(pair.agent.name, "Press", "pressure")
    assert [answers[one.name] for one in made] == [{"val": value, "err": None} for value in (10, 20, 30)]
    for press in made:
        pair.delete(press)


@pairs(("npm", "npm", "tcp"), ("npm", "pypi", "tcp"))
def test_events_of_all_instances_are_asked_for_at_once(pair):
    press, label = pair.create(), f"all of {pair.agent.name}"
    assert pair.client.call_all(pair.agent.name, "Press", "on", "stroke", listener(label))[press.name]["val"] is True
    press.call("strike", 3)
    pair.client.wait_for(label, press.name, 1, 3)
    pair.delete(press)


@every_pair
def test_the_documentation_of_functions_comes_along(pair, team):
    client, agent = pair.client.kind, pair.agent.name
    option = "requiresSchema" if client == "npm" else "requires_schema"
    reader = team.newcomer(client, **{option: True}).sees(agent)
    told = wait_until(lambda: reader.agents()[agent]["classes"].get("Press"))["meta"]["add"]
    assert told["description"] == "Adds two numbers"
    assert [(one["name"], one["description"]) for one in told["params"]] == [
        ("a", "First number"),
        ("b", "Second number"),
    ]
    assert told["ret"]["description"] == "The sum"
    reader.end()
