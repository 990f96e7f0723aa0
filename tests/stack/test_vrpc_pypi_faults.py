"""What does not work with the package `vrpc` of PyPI (3.0.3) does not work through Mosquitto either: it is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import HOST, Mosquitto
from tests.support.processes import wait_until
from tests.support.relay import Relay
from tests.support.vrpc import KINDS, Agent, Client, Fault
from tests.support.vrpc_team import Team

pytestmark = pytest.mark.stack

SOON = 1  # seconds until a client gives up
BROKERS = ["Gatehouse", "Mosquitto"]


@dataclass
class Place:
    """A broker, its agents (each behind a network that may break), and clients that know the agent of PyPI."""

    team: Team
    port: int
    folder: Path
    login: bool

    def __post_init__(self) -> None:
        self.relay = Relay(self.port)
        self.agent = self.start("pypi", "pypi-fault", self.relay.port)
        self.other = self.start("npm", "npm-fault", self.port)
        self.clients = {kind: self.connect(kind, self.port) for kind in KINDS}

    def start(self, kind: str, name: str, port: int) -> Agent:
        given = self.team.integration("agent") if self.login else None
        url = f"mqtt://{HOST}:{port}"
        return Agent(kind, url, self.team.domain, name, self.folder / name, given).ready()

    def connect(self, kind: str, port: int) -> Client:
        given: dict[str, Any] = self.team.integration("client") if self.login else {"username": "", "password": ""}
        url = f"mqtt://{HOST}:{port}"
        client = self.team.program(kind).connect(url, self.team.domain, given, timeout=SOON)
        return client.sees(self.agent.name).sees(self.other.name)

    def close(self) -> None:
        for client in self.clients.values():
            client.end()
        self.agent.kill()
        self.other.kill()
        self.relay.close()


@pytest.fixture(scope="module", params=BROKERS)
def place(request: pytest.FixtureRequest, team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    mosquitto = Mosquitto(folder) if request.param == "Mosquitto" else None
    made = Place(team, mosquitto.port if mosquitto else team.stack.mqtt_port, folder, login=mosquitto is None)
    yield made
    made.close()
    if mosquitto:
        mosquitto.stop()


@pytest.mark.parametrize("client", KINDS)
def test_a_promise_of_its_agent_is_never_kept(place, client):
    """The agent does not send the first answer, which would say how the second one can be known."""
    assert place.clients[client].call(place.agent.name, "Press", "add", 1, 2) == 3
    with pytest.raises(Fault, match="timed out"):
        place.clients[client].call(place.agent.name, "Press", "later", "value")
    assert place.clients[client].call(place.other.name, "Press", "later", "value") == "value"


def test_a_call_right_after_the_creation_may_be_lost_at_its_agent(place):
    """The agent answers first, and subscribes to the functions of its new instance then."""
    client, agent = place.clients["npm"], place.agent.name
    topic = f"{place.team.domain}/{agent}/Press/quick/+".encode()
    fixed_header, packet_id, length = 2, 2, 2  # of SUBSCRIBE, before the topic filter
    place.relay.hold(topic, before=fixed_header + packet_id + length)
    press = client.create(agent, "Press", "quick")
    lost = press.begin("pressure")
    with pytest.raises(Fault, match="timed out"):
        lost.result(20)
    place.relay.release()
    client.get(agent, "Press", "quick")
    assert press.call("pressure") == 10


def test_its_client_cannot_call_an_isolated_instance(place):
    """It looks for the instance among those that the agent tells everybody of."""
    name = place.other.name
    press = place.clients["pypi"].create(name, "Press", "alone", isolated=True)
    with pytest.raises(Fault, match="'alone' could not be found"):
        press.call("pressure")
    assert place.clients["npm"].create(name, "Press", "alone", isolated=True).call("pressure") == 10


def test_its_agent_does_not_listen_to_an_instance_that_it_made_itself(place):
    """It tells everybody of the instance, and does not subscribe to its functions."""
    place.agent.create("Press", "own")
    place.other.create("Press", "own")
    client = place.clients["npm"]
    press = client.get(place.agent.name, "Press", "own")
    with pytest.raises(Fault, match="timed out"):
        press.call("pressure")
    assert client.get(place.other.name, "Press", "own").call("pressure") == 10


def test_its_agent_and_its_client_end_with_their_connection(place):
    relay = Relay(place.port)
    agents = {kind: place.start(kind, f"{kind}-cut", relay.port) for kind in KINDS}
    clients = {kind: place.connect(kind, relay.port) for kind in KINDS}
    try:
        for agent in agents.values():  # all that it tells of itself has come
            place.clients["npm"].sees(agent.name)
        relay.cut()
        wait_until(lambda: not agents["pypi"].running, what="the agent to end")
        agents["npm"].wait_for("connect", times=2)
        place.clients["npm"].sees(agents["pypi"].name, "offline").sees(agents["npm"].name)
        wait_until(lambda: len(clients["npm"].events("connect")) == 2, what="the client of npm to be back")
        clients["npm"].sees(agents["npm"].name)
        assert clients["npm"].call(agents["npm"].name, "Press", "add", 1, 2) == 3
        with pytest.raises(Fault):
            clients["pypi"].call(agents["npm"].name, "Press", "add", 1, 2)
        clients["npm"].end()
    finally:
        for agent in agents.values():
            agent.kill()
        relay.close()
