"""Agents of VRPC's packages that come, go, are cut off, and are taken over: what their clients see of it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.test_vrpc_portal import Portal
from tests.support.clients import Subscriber
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack
from tests.support.vrpc import KINDS, Agent, Client, Fault
from tests.support.vrpc_team import Team, broker

pytestmark = pytest.mark.stack

STATES = {"online": "online", "offline": "offline"}


@pytest.fixture
def start(stack: Stack, team: Team, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Start agents of a test's own, which may come to harm."""
    made: list[Agent] = []

    def begin(kind: str, name: str, integration: dict | None = None, transport: str = "tcp") -> Agent:
        given = integration or team.integration("agent")
        folder = tmp_path / f"agent{len(made)}"
        made.append(Agent(kind, broker(stack, transport), team.domain, name, folder, given))
        return made[-1]

    yield begin
    for agent in made:
        agent.kill()


def states(client: Client, agent: str) -> list[str]:
    """Return what a client has seen an agent become, oldest first, each change once."""
    seen = [one["status"] for one in client.events("agent") if one["agent"] == agent]
    return [state for number, state in enumerate(seen) if number == 0 or state != seen[number - 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_that_ends_is_offline_for_everybody(team, start, kind):
    agent = start(kind, f"ends-{kind}").ready()
    clients = [team.client(one).sees(agent.name) for one in KINDS]
    agent.end()
    for client in clients:
        client.sees(agent.name, "offline")


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_that_is_killed_is_offline_for_everybody(team, start, kind):
    agent = start(kind, f"killed-{kind}").ready()
    clients = [team.client(one).sees(agent.name) for one in KINDS]
    agent.kill()
    for client in clients:
        client.sees(agent.name, "offline")


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_that_unregisters_leaves_nothing_behind(stack, team, start, kind):
    agent = start(kind, f"leaves-{kind}").ready()
    team.client("npm").sees(agent.name)
    agent.end(unregister=True)
    monitor = stack.add(type="mqtt")
    with Subscriber(stack.mqtt_port, monitor, f"{team.domain}/{agent.name}/#", "-F", "%r %t") as kept:
        kept.subscribed()
        with Subscriber(stack.mqtt_port, monitor, f"{team.domain}/+/__agentInfo__") as others:
            others.wait_for("__agentInfo__")  # of agents that are there: what is retained has been told
        assert "__" not in kept.text.replace(f"{agent.name}/#", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_takes_over_and_the_agent_is_online(team, start, kind):
    name = f"twin-{kind}"
    first = start(kind, name).ready()
    client = team.client("npm").sees(name)
    second = start(kind, name).ready()
    first.wait_for("close" if kind == "npm" else "error")
    first.kill()  # one of npm would take its name back, and so on
    wait_until(lambda: second.count("connect") > second.count("close"), what="the second agent to have the name")
    client.sees(name)
    assert client.call(name, "Press", "add", 1, 2) == 3
    assert states(client, name)[-1] == "online"


def test_twins_that_take_over_from_each_other_are_flagged_with_their_addresses(stack, team, start):
    name = "flapping"
    twins = [start("npm", name) for _ in range(2)]
    page = Session(stack).log_in()
    told = re.compile(r"Two fight for this name: both from <span[^>]*>127.0.0.1<")
    wait_until(lambda: told.search(page.get(f"/agents?q={name}").text), what="them to be flagged", every=0.2)
    assert all(twin.count("connect") > 1 for twin in twins)


def test_another_integration_cannot_take_an_agents_name_until_it_is_handed_over(stack, team, start):
    agent = start("npm", "taken").ready()
    client = team.client("npm").sees(agent.name)
    integration = stack.add(type="vrpc", domain=team.domain, role="agent")
    rival = start("npm", agent.name, integration)
    rival.wait_for("error")
    assert rival.count("connect") == 0
    assert agent.count("close") == 0
    assert client.call(agent.name, "Press", "add", 1, 2) == 3
    agent.end()
    portal = Portal(stack)
    claim = wait_until(lambda: portal.agent(agent.name)["claim"], what="the rival to be refused again")
    assert (claim["username"], rival.count("connect")) == (integration["username"], 0)
    portal.ask("vrpc_hand_over", team.domain, agent.name, claim["integration_id"])
    rival.ready()  # it retries
    client.sees(agent.name)
    assert client.call(agent.name, "Press", "add", 1, 2) == 3
    again = start("npm", agent.name)
    again.wait_for("error")
    assert again.count("connect") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_password_is_refused(stack, team, start, kind):
    wrong = {**team.integration("agent"), "password": "wrong"}
    agent = start(kind, f"wrong-{kind}", wrong)
    agent.wait_for("error")
    assert agent.count("connect") == 0
    if kind == "npm":
        agent.wait_for("error", times=2)  # it retries
    else:
        wait_until(lambda: not agent.running, what="the agent to end, as it does")
    with pytest.raises(Fault):
        team.program(kind).connect(
            broker(stack), team.domain, {**team.integration("client"), "password": "wrong"}, timeout=1
        )


def test_an_agent_that_is_deactivated_while_it_serves_is_cut_and_comes_back_when_it_may(stack, team, start):
    own = stack.add(type="vrpc", domain=team.domain, role="agent")
    agents = {kind: start(kind, f"cut-{kind}", own).ready() for kind in KINDS}
    clients = [team.client(kind) for kind in KINDS]
    for client in clients:
        for agent in agents.values():
            client.sees(agent.name)
    stack.flask("integrations", "deactivate", own["username"])
    agents["npm"].wait_for("close")
    wait_until(lambda: not agents["pypi"].running, what="the agent of PyPI to end, as it does")
    for client in clients:
        for agent in agents.values():
            client.sees(agent.name, "offline")
    stack.flask("integrations", "activate", own["username"])
    agents["npm"].wait_for("connect", times=2)
    client = clients[0].sees(agents["npm"].name)
    assert client.call(agents["npm"].name, "Press", "add", 1, 2) == 3


def test_a_client_that_is_deactivated_is_cut_and_its_instances_end(stack, team, start):
    agent = start("npm", "keeper").ready()
    own = stack.add(type="vrpc", domain=team.domain, role="client")
    client = team.program("npm").connect(broker(stack), team.domain, own).sees(agent.name)
    client.create(agent.name, "Press", "short-lived", isolated=True)
    stack.flask("integrations", "deactivate", own["username"])
    wait_until(lambda: client.events("offline"), what="the client to be cut")
    gone = {"event": "clientGone", "client": client.id}
    wait_until(lambda: gone in agent.events, what="the agent to learn it by the Will")


def test_another_domain_sees_nothing_of_it(stack, team, start):
    agent = team.agent("npm")
    foreign = stack.add(type="vrpc", domain="other.default", role="both")
    own = Agent("npm", broker(stack), "other.default", agent.name, team.folder / "other", foreign).ready()
    try:
        client = team.program("npm").connect(broker(stack), "other.default", foreign, timeout=1).sees(own.name)
        assert set(client.agents()) == {own.name}
        assert client.call(own.name, "Press", "add", 1, 2) == 3
        with pytest.raises(Fault, match="timed out"):
            client.call("pypi-tcp", "Press", "add", 1, 2)
        with pytest.raises(Fault):
            team.program("npm").connect(broker(stack), team.domain, foreign, timeout=1)
        with pytest.raises(Fault):
            team.program("pypi").connect(broker(stack), team.domain, foreign, timeout=1)
        client.end()
    finally:
        own.kill()


def test_everybody_comes_back_after_a_restart_and_who_does_not_is_offline(make_stack, tmp_path):
    stack = make_stack(OPCUA_PORT="off").start()
    team = Team(stack, tmp_path)
    try:
        agents = {kind: team.agent(kind) for kind in KINDS}
        client, ending = team.client("npm"), team.client("pypi")
        for agent in agents.values():
            client.sees(agent.name)
        press = client.create("npm-tcp", "Press", "lasting")
        assert press.call("strike") == 1
        os.kill(stack.process.pid, signal.SIGKILL)  # nobody says goodbye, and no Will is published
        stack.kill()
        stack.start()
        agents["npm"].wait_for("connect", times=2)
        wait_until(lambda: len(client.events("connect")) == 2, what="the client to be back")
        client.sees("npm-tcp").sees("pypi-tcp", "offline")
        assert client.get("npm-tcp", "Press", "lasting").call("strike") == 2
        assert not agents["pypi"].running, "it ends with its connection: a fault of the package"
        assert ending.events("error"), "as does its client"
        assert states(client, "pypi-tcp")[-1] == "offline"
    finally:
        team.close()
    assert Session(stack).log_in().get("/integrations").status == 200
