"""Another broker: Debian's Mosquitto, bridged both ways, read and published to, gone and back."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes

from edge_connector.connectors.base import Home
from edge_connector.connectors.mqtt import MQTT
from edge_connector.connectors.mqtt_bridge import Direction, Route
from edge_connector.connectors.mqtt_values import Values, packed, plain
from edge_connector.errors import ConfigFault, Refused
from edge_connector.following import Following, Heard, properties
from edge_connector.outbox import Message
from edge_connector.settings import Table
from tests.edge_connector.cut import Way
from tests.edge_connector.ear import Ear
from tests.edge_connector.edge import DOMAIN, Edge
from tests.edge_connector.maker import Maker
from tests.support.mosquitto import Mosquitto
from tests.support.processes import free_port, wait_until
from tests.support.stack import Stack
from tests.support.told import Fault
from tests.support.vrpc import Client

Make = Callable[..., MQTT]

ANYBODY = {"username": "anybody", "password": "none"}


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    found = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield found
    found.stop()


@pytest.fixture
def make(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Make]:
    numbers = count(1)
    with Maker(MQTT, "cell", host="127.0.0.1", port=mosquitto.port, transport="tcp") as making:

        def connector(**values: Any) -> MQTT:
            made, number = making(**values), next(numbers)
            place = f"acme.default/hall/cell{number}"
            made.begin(Home(tmp_path / str(number), place, lambda message: None, lambda topics, hear: None))
            return made

        yield connector


def is_up(cell: MQTT) -> bool:
    return cell.status()["connection"]["connections"] == 1


class Load:
    """Publishes numbers at a broker with QoS 2, from a thread of its own."""

    def __init__(self, port: int, topic: str, count: int, integration: dict[str, Any] = ANYBODY) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(integration["username"], integration["password"])
        self._client.max_inflight_messages_set(20)
        self._client.connect("127.0.0.1", port)
        self._thread = threading.Thread(target=self._publish, args=(topic, count))

    def __enter__(self) -> Load:
        self._client.loop_start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, topic: str, count: int) -> None:
        for number in range(count):
            self._client.publish(topic, str(number), qos=2)
            if number % 20 == 0:
                time.sleep(0.03)
        wait_until(lambda: not self._client._out_messages, what="all to be published")


def numbers(ear: Ear) -> list[int]:
    return [int(one) for one in ear.payloads]


@pytest.mark.stack
def test_with_each_side_gone_for_a_while_nothing_is_lost_doubled_or_out_of_order(
    make_edge: Callable[..., Edge], mosquitto: Mosquitto, stack: Stack, hall: dict[str, Any]
) -> None:
    hub, local = Way(stack.mqtt_port), Way(mosquitto.port)
    table = {"kind": "mqtt", "host": "127.0.0.1", "port": local.port, "transport": "tcp"}
    table |= {"in": [{"filter": "cell/#", "prefix": "bridged/"}], "out": [{"filter": "to/#", "remove": "to/"}]}
    made = stack.add("edge", username="bridge", domain=DOMAIN)
    server = {"port": hub.port, "username": made["username"], "password": made["password"]}
    edge = make_edge("bridge", server, connectors={"cell": table}).start()
    edge.says(f"connected to 127.0.0.1:{local.port}").says(f"connected to 127.0.0.1:{hub.port}")
    inward = partial(Load, mosquitto.port, "cell/up", 2000)
    outward = partial(Load, stack.mqtt_port, "to/orders", 2000, hall)
    with (
        Ear(stack.mqtt_port, hall, "bridged/#") as there,
        Ear(mosquitto.port, ANYBODY, "orders") as here,
        inward(),
        outward(),
    ):
        for way in (hub, local):
            up, down = len(there.heard) + 50, len(here.heard) + 50
            wait_until(lambda up=up, down=down: len(there.heard) > up and len(here.heard) > down, what="both to go")
            way.cut()
            time.sleep(0.3)
            way.mend()
        wait_until(lambda: len(there.heard) >= 2000 and len(here.heard) >= 2000, what="all to arrive")
        time.sleep(0.2)
        assert numbers(there) == list(range(2000))
        assert numbers(here) == list(range(2000))
    assert there.heard[0][0] == "bridged/cell/up"
    assert there.heard[0][2]["via"] == "acme.default/bridge/cell"
    assert edge.stop() == 0
    assert "Traceback" not in edge.log()
    for one in (hub, local):
        one.close()


@pytest.mark.stack
def test_what_a_bridge_published_does_not_come_back(
    make_edge: Callable[..., Edge], mosquitto: Mosquitto, client: Client, stack: Stack, hall: dict[str, Any]
) -> None:
    table = {"kind": "mqtt", "host": "127.0.0.1", "port": mosquitto.port, "transport": "tcp"}
    table |= {"in": [{"filter": "loop/#"}], "out": [{"filter": "loop/#"}, {"filter": "loop/+"}], "read": ["loop/#"]}
    edge = make_edge("looped", connectors={"cell": table, "box": {"kind": "system"}}).start().ready(2)
    cell = client.sees(edge.name).get(edge.name, "MQTT", "cell")
    with Ear(stack.mqtt_port, hall, "loop/#") as there, Ear(mosquitto.port, ANYBODY, "loop/#") as here:
        here.publish("loop/a", b"1")
        wait_until(lambda: there.payloads == [b"1"], what="what came from there")
        there.publish("loop/b", b"2")
        # Two routes fit it: each sends it on once, however often the server says it.
        wait_until(lambda: here.payloads == [b"1", b"2", b"2"], what="what came from the hub")
        wait_until(lambda: cell.call("status")["in"]["returned"] == 2, what="what came back to be let go of")
        assert cell.call("status")["in"]["passed"] == 1
        assert cell.call("status")["out"] == {"passed": 2, "returned": 2, "dropped": 0}
        feed = {"connector": "cell", "function": "watch_value", "arguments": ["loop/a"], "topic": "seen/a"}
        client.call(edge.name, "EdgeConnector", "set_feed", "seen", feed)
        with Ear(stack.mqtt_port, hall, "seen/#") as seen:
            here.publish("loop/a", b'{"t": 21.5}')
            wait_until(lambda: b'{"t":21.5}' in seen.payloads, what="the value of the feed")
        assert (there.payloads, len(here.heard)) == ([b"1", b"2", b'{"t": 21.5}'], 4)
    with pytest.raises(Fault, match="publishing to loop/a is not allowed"):
        cell.call("publish", "loop/a", 1)
    assert edge.stop() == 0


@pytest.mark.stack
def test_what_is_retained_is_bridged_when_the_agent_starts_and_stays_retained(
    make_edge: Callable[..., Edge], mosquitto: Mosquitto, stack: Stack, hall: dict[str, Any]
) -> None:
    table = {"kind": "mqtt", "host": "127.0.0.1", "port": mosquitto.port, "transport": "tcp"}
    table |= {"in": [{"filter": "kept/+"}], "out": [{"filter": "kept/too/+"}]}
    with Ear(mosquitto.port, ANYBODY, "kept/too/#") as here, Ear(stack.mqtt_port, hall, "kept/+") as there:
        here.publish("kept/a", b"1", retain=True)
        there.publish("kept/too/b", b"2", retain=True)
        edge = make_edge("keeper", connectors={"cell": table}).start()
        wait_until(lambda: (here.payloads, there.payloads) == ([b"2"], [b"1"]), what="what was retained")
        for port, who, topic in ((mosquitto.port, ANYBODY, "kept/too/b"), (stack.mqtt_port, hall, "kept/a")):
            with Ear(port, who, topic) as late:
                wait_until(lambda late=late: late.heard, what="what is retained there")
                late.publish(topic, b"", retain=True)
        here.publish("kept/a", b"", retain=True)
        there.publish("kept/too/b", b"", retain=True)
    assert edge.stop() == 0


def test_values_are_read_and_watched_where_the_configuration_lets_them(make: Make, mosquitto: Mosquitto) -> None:
    cell = make(read=["cell/+/t", "cell/name"], publish=["cell/#"], topics=2)
    heard: list[Any] = []
    names: list[Any] = []
    wait_until(lambda: is_up(cell), what="the connection")
    cell.watch("cell/+/t", heard.append)
    cell.watch_value("cell/name", names.append)
    with pytest.raises(Refused, match="nothing has come on cell/1/t yet"):
        cell.value("cell/1/t")
    for topic, value in (("cell/1/t", 21.5), ("cell/name", "mixer"), ("cell/2/t", {"a": [1, None]})):
        assert cell.publish(topic, value) is True
    wait_until(lambda: len(heard) == 2 and names, what="what was published")
    assert heard == [{"topic": "cell/1/t", "value": 21.5}, {"topic": "cell/2/t", "value": {"a": [1, None]}}]
    assert names == ["mixer"]
    assert cell.values("cell/+/t") == {"cell/2/t": {"a": [1, None]}}  # the oldest gave way
    later: list[Any] = []
    cell.watch("cell/name", later.append)()
    assert later == [{"topic": "cell/name", "value": "mixer"}]
    cell.publish("cell/name", "press")
    wait_until(lambda: names == ["mixer", "press"], what="the change")
    assert (len(later), cell.value("cell/name")) == (1, "press")


@pytest.mark.parametrize(
    ("function", "arguments", "why"),
    [
        ("value", ["cell/name"], "reading cell/name is not allowed"),
        ("values", ["cell/#"], "reading cell/# is not allowed"),
        ("watch", ["#", print], "reading # is not allowed"),
        ("value", ["cell/+/t"], "a topic has no +"),
        ("watch", ["a#", print], "filter has to have"),
        ("publish", ["cell/name", 1], "publishing to cell/name is not allowed"),
        ("publish", ["set/#", 1], "topic has to be one that can be published to"),
        ("publish", ["set/a", "base64:ä"], "what follows base64: is none"),
    ],
)
def test_what_the_configuration_does_not_name_is_refused(
    function: str, arguments: list[Any], why: str, make: Make
) -> None:
    cell = make(read=["cell/+/t"], publish=["set/+"])
    with pytest.raises(Refused, match=why):
        cell.invoke(function, arguments)


def test_a_broker_that_is_not_there_or_refuses_is_said(make: Make, tmp_path: Path) -> None:
    away = make(port=free_port(), publish=["a"])
    wait_until(lambda: "cannot connect" in away.status()["connection"]["trouble"])
    with pytest.raises(Refused, match="there is no connection to the broker: cannot connect"):
        away.publish("a", 1)


@pytest.mark.stack
def test_a_broker_is_known_by_its_fingerprint_and_says_what_it_refuses(
    make: Make, stack: Stack, hall: dict[str, Any]
) -> None:
    shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", stack.tls_port), timeout=5))
    fingerprint = hashlib.sha256(shown).hexdigest()
    user = {"username": hall["username"], "password": hall["password"]}
    there = {"port": stack.tls_port, "transport": "tls", "publish": ["#"], **user}
    right = make(fingerprint=fingerprint, **there)
    wait_until(lambda: is_up(right), what="the connection")
    assert right.publish("tls/a", 1) is True
    wrong = make(fingerprint="ab" * 32, **there)
    wait_until(lambda: f"has the fingerprint {fingerprint}" in wrong.status()["connection"]["trouble"])
    narrow = stack.add("mqtt")
    stack.flask("integrations", "permit", narrow["username"], "--publish", "narrow/#")
    held = make(fingerprint=fingerprint, **there | {key: narrow[key] for key in user})
    wait_until(lambda: is_up(held), what="the connection")
    with pytest.raises(Refused, match="the broker refuses it, with reason 0x87"):
        held.publish("elsewhere", 1)


def test_a_message_is_renamed_and_goes_over_a_bridge_once() -> None:
    sent: list[Message] = []
    way = Direction("cell", "d/a/cell", sent.append, inward=True)
    route = Route("plant/#", "plant/", "hall/")
    way.take(route, Heard("plant/1/t", b"x", True, ()))
    way.take(route, Heard("plant/1/t", b"x", False, ("d/b/cell",)))
    way.take(route, Heard("plant/1/t", b"x", False, ("d/b/cell", "d/a/cell")))
    way.take(route, Heard("plant/a/__agentInfo__", b"x", False, ()))
    way.take(route, Heard("plant/1/t", b"x", False, tuple(map(str, range(16)))))
    assert [(one.topic, one.retain, one.via) for one in sent] == [
        ("hall/1/t", True, ("d/a/cell",)),
        ("hall/1/t", False, ("d/b/cell", "d/a/cell")),
    ]
    assert way.status() == {"passed": 2, "returned": 1, "dropped": 2}


@pytest.mark.parametrize(
    ("inward", "route", "topic"),
    [
        (True, Route("#", "", ""), "d/host/client"),
        (True, Route("cell/#", "cell/", "d/"), "cell/b"),
        (False, Route("#", "", ""), "d/a/SQL/orders/change"),
        (False, Route("d/#", "d/", ""), "d/a/SQL/orders/change"),
    ],
)
def test_what_is_said_in_the_agents_domain_does_not_go_over_a_bridge(inward: bool, route: Route, topic: str) -> None:
    sent: list[Message] = []
    way = Direction("cell", "d/a/cell", sent.append, inward=inward)
    way.take(route, Heard(topic, b"x", False, ()))
    way.take(Route("#", "", ""), Heard("dd/host/client", b"x", False, ()))
    assert [one.topic for one in sent] == ["dd/host/client"]
    assert way.status() == {"passed": 1, "returned": 0, "dropped": 1}


def test_a_broker_does_not_widen_what_was_asked_for() -> None:
    heard: list[tuple[str, str]] = []
    following = Following()
    for filter in ("cell/#", "cell/+/t", "#"):
        following.add(filter, lambda one, filter=filter: heard.append((filter, one.topic)))
    for topic, numbers in (("cell/1", [2, 3]), ("plant/valve", [2, 3]), ("$SYS/x", [4]), ("cell/1/t", [3])):
        message = paho.MQTTMessage(topic=topic.encode())
        message.properties = properties(PacketTypes.PUBLISH)
        for number in numbers:
            message.properties.SubscriptionIdentifier = number
        assert following.heard(message) is False
    assert heard == [("cell/#", "cell/1"), ("cell/+/t", "cell/1/t")]


@pytest.mark.parametrize("value", ["text", 'a "b"', 7, 2**63, 1.5, True, None, [1], {"a": "ä"}, "base64:AP8="])
def test_what_is_published_is_read_as_it_was(value: Any) -> None:
    assert plain(packed(value)) == value


def test_values_are_kept_within_bounds_and_go_when_they_are_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_connector.connectors.mqtt_values.BYTES", 100)
    values = Values("cell", 10)
    for name in "abc":
        values.hear(Heard(name, b"x" * 40, True, ()))
    assert list(values.get("#")) == ["b", "c"]
    values.hear(Heard("b", b"", True, ()))
    values.hear(Heard("c", b"", False, ()))
    assert values.get("#") == {"c": b""}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"in": [{"filter": "a#"}]}, r"connectors\.cell\.in\[0\]\.filter has to have"),
        ({"in": [{"filter": "$share/g/a"}]}, "cannot be a shared one"),
        ({"in": [{"filter": "a/+/b", "remove": "a/+/"}]}, r"in\[0\]\.remove has to be what the filter begins with"),
        ({"out": [{"filter": "a/b", "prefix": "$SYS/"}]}, r"out\[0\]\.prefix has to be one that can be published to"),
        ({"out": [{"filter": "a/b", "qos": 1}]}, r"out\[0\]\.qos is unknown"),
        ({"out": {"filter": "a"}}, "has to be a list of tables"),
        ({"read": ["a/#/b"]}, r"connectors\.cell\.read has 'a/#/b', which has to have"),
        ({"transport": "tcp", "fingerprint": "ab" * 32}, "is not encrypted"),
    ],
)
def test_a_table_that_cannot_be_used_is_said(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigFault, match=why):
        MQTT("cell", Table("connectors.cell", {"host": "x", **values}))


def test_what_is_published_is_json_for_everybody(make: Make, mosquitto: Mosquitto) -> None:
    cell = make(publish=["json"])
    wait_until(lambda: is_up(cell), what="the connection")
    with Ear(mosquitto.port, ANYBODY, "json") as ear:
        cell.publish("json", {"a": [1, "ä"]}, retain=True)
        wait_until(lambda: ear.heard, what="the message")
        assert json.loads(ear.payloads[0]) == {"a": [1, "ä"]}
        ear.publish("json", b"")
