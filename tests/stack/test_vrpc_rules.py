"""No agent and no client of VRPC speaks for another, or hears what is another's: what the packages would never try."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
import pytest

from protocols.contract import Refusal
from tests.support.processes import wait_until
from tests.support.stack import HOST, Stack
from tests.support.vrpc_team import DOMAIN, Team

pytestmark = pytest.mark.stack

REFUSED = 128
NOT_AUTHORIZED = "Not authorized"
_numbers = itertools.count(1)


class Speaker:
    """A client of MQTT 3.1.1 that does as it is told."""

    def __init__(self, stack: Stack, integration: dict[str, Any], will: str | None) -> None:
        self.place = will.rpartition("/")[0] if will else ""
        self.heard: list[tuple[str, Any]] = []
        self._codes: list[str] = []
        self._granted: dict[int, list[int]] = {}
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"speaker-{next(_numbers)}")
        self._client.username_pw_set(integration["username"], integration["password"])
        if will:
            self._client.will_set(will, '{"status": "offline"}', retain=will.endswith("/__agentInfo__"))
        self._client.on_connect = lambda *event: self._codes.append(str(event[3]))
        self._client.on_subscribe = lambda *event: self._granted.update({event[2]: [one.value for one in event[3]]})
        self._client.on_message = lambda *event: self.heard.append((event[2].topic, event[2].payload))
        self._client.connect(HOST, stack.mqtt_port)
        self._client.loop_start()

    @property
    def answer(self) -> str:
        """Return how its CONNECT was answered."""
        return wait_until(lambda: self._codes, what="a CONNACK")[0]

    def subscribe(self, topic_filter: str) -> int:
        """Subscribe; return the code of the SUBACK."""
        _, number = self._client.subscribe(topic_filter)
        return wait_until(lambda: self._granted.get(number), what="a SUBACK")[0]

    def publish(self, topic: str, payload: Any, retain: bool = False) -> None:
        self._client.publish(topic, payload if isinstance(payload, bytes) else json.dumps(payload), retain=retain)

    def call(self, agent: str, function: str, *arguments: Any, reply_to: str = "") -> None:
        """Call a static function of `Press`; the answer goes to its own place, or to another's."""
        request = {"a": arguments, "i": f"call-{next(_numbers)}", "s": reply_to or self.place, "v": 3}
        self.publish(f"{DOMAIN}/{agent}/Press/__static__/{function}", request)

    def results(self) -> list[Any]:
        """Return the results that came to its own place."""
        return [json.loads(payload)["r"] for topic, payload in self.heard if topic == self.place]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def speaking(team: Team, role: str, will: str | None) -> Iterator[Speaker]:
    made = Speaker(team.stack, team.integration(role), will)
    try:
        yield made
    finally:
        made.close()


def agent_will(name: str, domain: str = DOMAIN) -> str:
    return f"{domain}/{name}/__agentInfo__"


def client_will(domain: str = DOMAIN) -> str:
    return f"{domain}/speakers/{next(_numbers)}/__clientInfo__"


@pytest.fixture
def rogue_agent(team: Team) -> Iterator[Speaker]:
    with speaking(team, "agent", agent_will(f"rogue-{next(_numbers)}")) as made:
        assert made.answer == "Success"
        yield made


@pytest.fixture
def clients(team: Team) -> Iterator[list[Speaker]]:
    """Two clients, each of which listens to its own answers."""
    with speaking(team, "client", client_will()) as one, speaking(team, "client", client_will()) as other:
        assert one.subscribe(one.place) == other.subscribe(other.place) == 0
        yield [one, other]


# --- an agent


def test_an_agent_cannot_tell_of_another_agent(team, rogue_agent):
    agent, client = team.agent("npm"), team.client("npm")
    before = client.sees(agent.name).agents()[agent.name]
    nothing = {"className": "Press", "instances": [], "memberFunctions": [], "staticFunctions": [], "v": 3}
    for payload in ({"status": "offline", "v": 3}, b""):
        rogue_agent.publish(agent_will(agent.name), payload, retain=True)
    for info in ("__classInfo__", "__classInfoConcise__"):
        rogue_agent.publish(f"{DOMAIN}/{agent.name}/Press/{info}", nothing, retain=True)
    own = rogue_agent.place.rpartition("/")[2]
    rogue_agent.publish(agent_will(own), {"status": "online", "v": 3}, retain=True)
    rogue_agent.publish(f"{DOMAIN}/{own}/Press/__classInfoConcise__", nothing, retain=True)
    client.sees(own)  # what came before it has come
    assert client.agents()[agent.name] == before
    newcomer = team.newcomer("npm").sees(own).sees(agent.name)
    assert newcomer.call(agent.name, "Press", "add", 1, 2) == 3
    newcomer.end()
    for topic in (agent_will(own), f"{DOMAIN}/{own}/Press/__classInfoConcise__"):
        rogue_agent.publish(topic, b"", retain=True)


def test_an_agent_cannot_make_another_agents_events(team, rogue_agent, clients):
    listener, name = clients[0], team.agent("npm").name
    event = f"{DOMAIN}/{name}/Press/p1:stroke-abcdefgh"
    assert listener.subscribe(event) == 0
    rogue_agent.publish(event, {"a": [1], "i": f"__e__{event}", "v": 3})
    rogue_agent.publish(listener.place, {"r": "hello", "i": "1", "v": 3})
    wait_until(lambda: listener.results() == ["hello"], what="what an agent may say")
    assert [topic for topic, _ in listener.heard] == [listener.place]


@pytest.mark.parametrize("below", ["#", "+/Press/__static__/add", "npm-tcp/Press/__static__/+", "npm-tcp/#", "+/+"])
def test_an_agent_cannot_hear_calls_of_others_or_their_answers(team, rogue_agent, below):
    assert rogue_agent.subscribe(f"{DOMAIN}/{below}") == REFUSED


def test_an_agent_hears_what_is_its_own_and_that_clients_go(rogue_agent):
    for topic_filter in (f"{rogue_agent.place}/Press/__static__/add", f"{rogue_agent.place}/Press/p1/+"):
        assert rogue_agent.subscribe(topic_filter) == 0
    assert rogue_agent.subscribe(f"{DOMAIN}/speakers/any/__clientInfo__") == 0


def test_an_agent_cannot_call(team, rogue_agent, clients):
    agent, (client, _) = team.agent("npm"), clients
    rogue_agent.call(agent.name, "echo", "by the rogue", reply_to=client.place)
    rogue_agent.publish(client.place, {"r": "after it", "i": "1", "v": 3})
    client.call(agent.name, "echo", "by the client")
    wait_until(lambda: len(client.results()) >= 2, what="an answer")
    assert sorted(client.results()) == ["after it", "by the client"]


# --- a client


@pytest.mark.parametrize("what", ["{other}", "{other}/#", "{domain}/speakers/+", "{domain}/#", "{domain}/+/+", "#"])
def test_a_client_cannot_hear_anothers_answers(clients, what):
    rogue, victim = clients
    assert rogue.subscribe(what.format(other=victim.place, domain=DOMAIN)) == REFUSED


@pytest.mark.parametrize("below", ["Press/__static__/add", "Press/__static__/+", "Press/p1/+", "+/+/+", "#"])
def test_a_client_cannot_hear_what_others_call(team, clients, below):
    assert clients[0].subscribe(f"{DOMAIN}/{team.agent('npm').name}/{below}") == REFUSED


def test_a_client_cannot_have_an_answer_sent_to_another(team, clients):
    (rogue, victim), agent = clients, team.agent("npm")
    rogue.call(agent.name, "echo", "unasked", reply_to=victim.place)
    rogue.call(agent.name, "echo", "asked")
    wait_until(lambda: rogue.results() == ["asked"], what="its own answer")
    victim.call(agent.name, "echo", "its own")
    wait_until(lambda: victim.results(), what="an answer")
    assert victim.results() == ["its own"]


def test_a_client_cannot_be_an_agent_or_unregister_one(team, clients):
    rogue, agent, client = clients[0], team.agent("npm"), team.client("npm")
    rogue.publish(agent_will("made-up"), {"status": "online", "v": 3}, retain=True)
    rogue.publish(agent_will(agent.name), b"", retain=True)
    rogue.publish(f"{DOMAIN}/{agent.name}/Press/__classInfoConcise__", b"", retain=True)
    rogue.publish(f"{clients[1].place}/__clientInfo__", {"status": "offline"})
    rogue.call(agent.name, "echo", "done")
    wait_until(lambda: rogue.results() == ["done"], what="what it may do")
    newcomer = team.newcomer("npm").sees(agent.name)
    assert newcomer.call(agent.name, "Press", "add", 1, 2) == 3
    assert "made-up" not in newcomer.agents() and "made-up" not in client.agents()
    newcomer.end()


# --- who it is, by its Will


@pytest.mark.parametrize(
    ("role", "will", "why"),
    [
        ("agent", agent_will("press", "other.default"), Refusal.OTHER_DOMAIN),
        ("client", client_will("other.default"), Refusal.OTHER_DOMAIN),
        ("agent", client_will(), Refusal.OTHER_ROLE),
        ("client", agent_will("press"), Refusal.OTHER_ROLE),
    ],
)
def test_a_will_of_another_domain_or_role_is_refused(team, role, will, why):
    who = f"kind = 'login.refused' AND username = '{team.integration(role)['username']}'"
    before = sum(row["count"] for row in team.stack.activity(who))
    with speaking(team, role, will) as speaker:
        assert speaker.answer == NOT_AUTHORIZED
    wait_until(lambda: sum(row["count"] for row in team.stack.activity(who)) > before, what="it to be on record")
    assert why.value in {row["detail"] for row in team.stack.activity(who)}


def test_who_has_no_will_may_read_about_agents_as_a_client_and_nothing_as_an_agent(team):
    name = team.agent("npm").name
    with speaking(team, "client", None) as reader, speaking(team, "agent", None) as nobody:
        assert reader.subscribe(f"{DOMAIN}/+/__agentInfo__") == 0
        wait_until(lambda: agent_will(name) in [topic for topic, _ in reader.heard], what="what is retained")
        assert reader.subscribe(f"{DOMAIN}/speakers/none") == REFUSED
        assert nobody.subscribe(f"{DOMAIN}/+/__agentInfo__") == REFUSED
        assert nobody.subscribe(f"{DOMAIN}/{name}/Press/__static__/add") == REFUSED
