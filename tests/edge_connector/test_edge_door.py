"""An agent that logs in as an integration of its own type: calls, topics outside its domain, one instance at a time."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.edge_connector.conftest import connect
from tests.edge_connector.cut import Way
from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import DOMAIN, Edge
from tests.support.clients import publish
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack
from tests.support.vrpc import Client, Clients

pytestmark = pytest.mark.stack

AGAIN = "another instance of this Edge Connector is online"


@pytest.fixture(scope="module")
def press(stack: Stack) -> dict[str, Any]:
    return stack.add("edge", domain=DOMAIN)


@pytest.fixture
def edge(make_edge: Callable[..., Edge], press: dict[str, Any]) -> Edge:
    credentials = {"username": press["username"], "password": press["password"]}
    return make_edge("press", credentials, connectors={"box": {"kind": "system"}}).start().ready()


def test_one_integration_serves_calls_and_publishes_and_retains_outside_its_domain(
    edge: Edge, stack: Stack, hall: dict[str, Any], programs: Callable[[str], Clients]
) -> None:
    caller = connect(programs("npm"), stack, stack.add("vrpc", domain=DOMAIN, role="client"))
    feed = {"connector": "box", "function": "uptime", "interval": 0.1, "topic": "plant/press/uptime", "retain": True}
    with Ear(stack.mqtt_port, hall, "plant/press/#") as ear:
        assert caller.get("press", "System", "box").call("versions")["system"]
        caller.call("press", "EdgeConnector", "set_feed", "uptime", feed)
        wait_until(lambda: len(ear.payloads) > 2, what="values outside the domain")
    with Ear(stack.mqtt_port, hall, "plant/press/#") as late:
        wait_until(lambda: late.payloads, what="the retained one")
    caller.call("press", "EdgeConnector", "remove_feed", "uptime")
    caller.end()
    assert "refuses" not in edge.log()


def test_what_it_reads_while_it_is_cut_off_comes_once_and_in_order(
    make_edge: Callable[..., Edge],
    way: Way,
    stack: Stack,
    hall: dict[str, Any],
    programs: Callable[[str], Clients],
) -> None:
    mill = stack.add("edge", domain=DOMAIN, username="mill")
    credentials = {"port": way.port, "username": "mill", "password": mill["password"]}
    edge = make_edge("mill", credentials, connectors={"box": {"kind": "system"}}).start().ready()
    caller = connect(programs("npm"), stack, hall).sees("mill")
    poll = {"connector": "box", "function": "uptime", "interval": 0.1}
    with Ear(stack.mqtt_port, hall, "mill/#") as ear:
        feeds = {f"f{number}": {**poll, "topic": f"mill/{number}"} for number in range(30)}
        caller.call("mill", "EdgeConnector", "set_feeds", feeds)
        for times in (2, 3):
            wait_until(lambda times=times: len(ear.heard) > 300 * (times - 1), 20, "values under load")
            way.cut()
            edge.says("the connection ended", times - 1)
            time.sleep(1)
            way.mend()
            edge.ready(times)
        caller.sees("mill")
        caller.call("mill", "EdgeConnector", "set_feeds", {})
        wait_until(lambda: _has_arrived(caller, ear), what="all that was read to arrive")
        told, numbers = _values(caller), [int(about["number"]) for _, _, about in ear.heard]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (told["dropped"], told["refused"]) == (0, 0)
    caller.end()


def _has_arrived(caller: Client, ear: Ear) -> bool:
    values = _values(caller)
    return values["buffered"] == 0 and values["sent"] <= len(ear.heard)


def _values(caller: Client) -> dict[str, Any]:
    return caller.call("mill", "EdgeConnector", "status")["values"]


@pytest.mark.parametrize(("protocol", "code"), [(paho.MQTTv311, "Server unavailable"), (paho.MQTTv5, "Quota exceeded")])
def test_a_second_instance_is_refused_with_its_reason_and_shown(
    edge: Edge, stack: Stack, press: dict[str, Any], protocol: Any, code: str
) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="ve3" + "f" * 20, protocol=protocol)
    client.username_pw_set(press["username"], press["password"])
    answers: list[tuple[str, Any]] = []
    client.on_connect = lambda client, data, flags, reason, properties: answers.append((str(reason), properties))
    client.connect("127.0.0.1", stack.mqtt_port)
    wait_until(lambda: client.loop(0.1) or answers, what="an answer")
    assert answers[0][0] == code
    if protocol == paho.MQTTv5:
        assert answers[0][1].ReasonString == AGAIN
    wait_until(lambda: stack.activity(f"detail = '{AGAIN}' AND username = '{press['username']}'"), what="a record")
    page = Session(stack).log_in().get(f"/integrations/{press['id']}").text
    assert f"Last refused login: <strong>{AGAIN}</strong>, from 127.0.0.1" in page
    assert stack.is_online(press["username"]) and edge.log().count("connected to") == 1


def test_a_removed_edge_connector_is_cut_off_and_leaves_nothing_behind(
    make_edge: Callable[..., Edge], stack: Stack, hall: dict[str, Any]
) -> None:
    saw = stack.add("edge", domain=DOMAIN, username="saw")
    credentials = {"username": "saw", "password": saw["password"]}
    edge = make_edge("saw", credentials, connectors={"box": {"kind": "system"}}).start().ready()
    infos = 5  # its own, and two of each class
    with Ear(stack.mqtt_port, hall, f"{DOMAIN}/saw/#") as ear:
        wait_until(lambda: len(ear.heard) >= infos, what="what it tells of itself")
        stack.flask("integrations", "delete", "saw")
        wait_until(lambda: ear.payloads.count(b"") == infos, what="all of that to be cleared")
    edge.says("refuses the connection")


def test_a_domain_is_closed_to_the_wildcards_of_other_integrations_over_every_protocol(
    edge: Edge, stack: Stack, hall: dict[str, Any]
) -> None:
    plain, script = stack.add("mqtt"), stack.add("http")
    info = f"{DOMAIN}/press/__agentInfo__"
    with Ear(stack.mqtt_port, plain, "#") as deaf, Ear(stack.mqtt_port, hall, f"{DOMAIN}/#") as named:
        wait_until(lambda: info in [topic for topic, *_ in named.heard], 5, "what names the domain")
        publish(stack.mqtt_port, plain, f"{DOMAIN}/press/System/box/cpu", "{}", "-q", "1")
        publish(stack.mqtt_port, hall, "plant/end", "x", "-q", "1")
        wait_until(lambda: "plant/end" in [topic for topic, *_ in deaf.heard], 5, "all that is in no domain")
        assert not any(topic.startswith(f"{DOMAIN}/") for topic, *_ in deaf.heard)
        assert f"{DOMAIN}/press/System/box/cpu" not in [topic for topic, *_ in named.heard]
    token = base64.b64encode(f"{script['username']}:{script['password']}".encode()).decode()
    assert "plant/end" in _listed(stack, token, "plant/")
    assert _listed(stack, token, f"{DOMAIN}/") == []


def _listed(stack: Stack, token: str, prefix: str) -> list[str]:
    """Return the topics that begin so, as the REST API lists them."""
    answer = Session(stack).get(f"/api/v1/values?prefix={prefix}", {"Authorization": f"Basic {token}"})
    return [one["topic"] for one in json.loads(answer.text)["values"]]
