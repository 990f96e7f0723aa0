"""VRPC on the real broker, without sockets: what it is told, what it hears, and what of that stays out of the hub."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from protocols.contract import Grant
from protocols.mqtt.following import follow
from protocols.mqtt.keeping import Stored
from protocols.mqtt.limits import Limits as MqttLimits
from protocols.mqtt.packets import Message
from protocols.vrpc.limits import Limits
from protocols.vrpc.vrpc import Vrpc
from tests.protocols.mqtt import mqtt_wire as wire

D = "acme.default"
INFO = f"{D}/press/__agentInfo__"
ADD = f"{D}/press/Press/__static__/add"
ONLINE, OFFLINE = b'{"status": "online", "v": 3}', b'{"status": "offline", "v": 3}'


class Portal:
    """A broker, and VRPC on it."""

    def __init__(self, limits: MqttLimits | None = None) -> None:
        numbers = itertools.count(1)
        self.time = 100.0
        self._soon: list[Callable[[], object]] = []
        self.broker = wire.broker(limits)
        self.broker.authenticate.answers["press"] = Grant(10, "press", (), (), D, "agent")
        self.vrpc = Vrpc(Limits(client_info=600.0), lambda: 1_000.0, lambda: f"{next(numbers):024x}")
        follow(self.broker, self.vrpc, self._now, self._soon.append)
        self.do = self.vrpc.actions()

    def _now(self) -> float:
        self.broker.common.now = self.time
        return self.time

    def run(self) -> Portal:
        while self._soon:
            self._soon.pop(0)()
        self.broker.hub.settle()
        return self

    def agent(self, client_id: str = "va3", *packets: bytes) -> wire.Peer:
        will = (INFO, OFFLINE, 0, True)
        peer = wire.joined(self.broker, client_id, "press", will=will)
        peer.send(wire.subscribe((ADD, 0)), wire.publish(INFO, ONLINE, retain=True), *packets)
        self.run()
        peer.received()
        return peer

    @property
    def status(self) -> str:
        (agent,) = self.do["vrpc_agents"]()
        return agent["status"]

    def topics(self) -> list[str]:
        """Return the topics that have a value in the hub."""
        return [one.topic for one in self.broker.hub.values("", None, 100, lambda _: True).messages]


def call(portal: Portal) -> str:
    return portal.do["vrpc_call"](D, "press", "Press", "", "add", "[1, 2]")["call"]


def request(peer: wire.Peer) -> tuple[str, dict[str, Any]]:
    (found,) = [wire.message(one) for one in peer.received() if one[0] >> 4 == 3]
    return found[0], json.loads(found[1])


def test_an_agent_is_online_while_it_is_connected_and_says_so():
    portal = Portal()
    peer = portal.agent()
    (shown,) = portal.do["vrpc_agents"]()
    assert (shown["status"], shown["integration"], shown["address"], shown["client_id"]) == (
        "online",
        "press",
        "192.0.2.7",
        "va3",
    )
    peer.connection.close("gone")
    portal.run()
    assert portal.status == "offline"


def test_an_agent_that_disconnects_without_a_word_is_offline_for_everybody():
    portal = Portal()
    watching = wire.joined(portal.broker).send(wire.subscribe((INFO, 0)))
    portal.agent().send(wire.disconnect())
    portal.run()
    assert json.loads(portal.broker.retained.get(INFO).payload)["status"] == "offline"
    told = [json.loads(wire.message(one)[1])["status"] for one in watching.received() if one[0] >> 4 == 3]
    assert told == ["online", "offline"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_call_is_answered_whatever_the_qos(qos):
    portal = Portal()
    peer = portal.agent()
    asked = call(portal)
    topic, sent = request(peer)
    assert (topic, sent["a"]) == (ADD, [1, 2])
    peer.send(wire.publish(sent["s"], json.dumps({"i": sent["i"], "r": 3}).encode(), qos, packet_id=9 if qos else 0))
    portal.run()
    assert portal.do["vrpc_result"](asked)["result"] == "3"


def test_calls_leave_nothing_in_the_hub():
    portal = Portal()
    peer = portal.agent()
    before = portal.topics()
    call(portal)
    _, sent = request(peer)
    for qos in (0, 1):
        peer.send(wire.publish(sent["s"], b'{"i": "x"}', qos, packet_id=9 if qos else 0))
        peer.send(wire.publish(f"{sent['s']}/ab", b'{"a": []}', qos, packet_id=8 if qos else 0))
    portal.run()
    assert portal.topics() == before == [INFO]
    assert len(portal.broker.sessions) == 1, "the portal's own is no session of anybody"


def test_what_agents_say_of_classes_is_no_value_and_is_retained_all_the_same():
    """It is large, and would push out the values of others."""
    portal = Portal()
    names = [f"{D}/press/Press/{kind}" for kind in ("__classInfo__", "__classInfoConcise__")]
    portal.agent("va3", *(wire.publish(name, b"{}", retain=True) for name in (*names, "a/b/__classInfo__")))
    assert portal.topics() == [INFO], "the agent may publish no other topic"
    assert portal.broker.retained.names("#") == [INFO, *names]
    peer = wire.joined(portal.broker).send(wire.publish("a/__classInfo__", b"1", retain=True))
    assert not peer.closed and portal.run().topics() == ["a/__classInfo__", INFO]
    stored = Stored()
    stored.retained.append(Message(names[0], b"{}", 0, True))
    other = Portal()
    other.broker.restore(stored, 50.0)
    assert (other.topics(), other.broker.retained.names("#")) == ([], names[:1])


def test_other_topics_go_the_way_they_went():
    portal = Portal()
    portal.agent()
    route = portal.broker.subscriptions.route(f"{D}/host/client")
    assert (route.special, route.entry.topic) == ((), f"{D}/host/client")


def test_nobody_listens_any_more_once_a_domain_has_no_agent():
    portal = Portal()
    portal.agent().send(wire.disconnect())
    portal.run().do["vrpc_remove"](D, "press")
    portal.run()
    assert portal.broker.subscriptions.count == 0
    assert portal.broker.retained.count == 0


def test_a_call_that_waits_fails_when_the_integration_is_deactivated():
    portal = Portal()
    portal.agent()
    asked = call(portal)
    portal.broker.sessions.disconnect([10], "integration deactivated", forget=False)
    portal.run()
    assert portal.do["vrpc_result"](asked)["error"] == "the agent went offline"


def test_a_take_over_ends_the_calls_to_the_old_connection():
    portal = Portal()
    portal.agent()
    asked = call(portal)
    portal.agent()
    assert (portal.status, portal.do["vrpc_result"](asked)["error"]) == ("online", "the agent went offline")
    assert portal.do["vrpc_agents"]()[0]["twins"] is None


def test_twins_are_flagged_with_both_addresses():
    portal = Portal()
    for _ in range(4):
        portal.agent()
    assert portal.do["vrpc_agents"]()[0]["twins"]["addresses"] == ["192.0.2.7", "192.0.2.7"]


def test_an_agent_that_unregisters_as_npm_does_leaves_nothing_behind():
    """It clears its agent's and class's infos, and forgets the concise ones."""
    portal = Portal()
    names = [f"{D}/press/Press/{kind}" for kind in ("__classInfo__", "__classInfoConcise__")]
    said = json.dumps({"instances": [], "memberFunctions": ["a"], "staticFunctions": []}).encode()
    peer = portal.agent("va3", *(wire.publish(name, said, retain=True) for name in names))
    (shown,) = portal.do["vrpc_agents"]()
    assert (shown["classes"], shown["functions"], portal.broker.retained.count) == (1, 1, 3)
    peer.send(wire.publish(INFO, OFFLINE, retain=True), *(wire.publish(one, retain=True) for one in (INFO, names[0])))
    peer.send(wire.disconnect())
    portal.run()
    assert (portal.broker.retained.count, portal.do["vrpc_agents"]()) == (0, [])


# --- a start


def test_at_a_start_agents_are_offline_before_anybody_is_let_in():
    portal = Portal()
    stored = Stored()
    stored.retained += [Message(INFO, ONLINE, 0, True), Message("a/b", b"1", 0, True)]
    portal.broker.restore(stored, 50.0)
    portal.vrpc.restored()
    assert portal.status == "offline"
    assert json.loads(portal.broker.retained.get(INFO).payload)["status"] == "offline"
    assert json.loads(portal.broker.hub.get(INFO).payload)["status"] == "offline"
    assert portal.broker.retained.get("a/b").payload == b"1"


# --- what clients leave behind


def test_what_a_client_leaves_behind_expires_also_in_the_hub_and_nobody_is_told():
    portal = Portal()
    topic = f"{D}/host/id/__clientInfo__"
    watching = wire.joined(portal.broker).send(wire.subscribe((topic, 0)))
    wire.joined(portal.broker, "other").send(wire.publish(topic, OFFLINE, retain=True))
    portal.run()
    assert len([one for one in watching.received() if one[0] >> 4 == 3]) == 1
    assert portal.broker.retained.get(topic).expires_at == 600.0
    portal.broker.sweep(599.0)
    assert portal.broker.retained.get(topic)
    portal.broker.sweep(700.0)
    assert (portal.broker.retained.get(topic), watching.received()) == (None, [])
    value = portal.broker.hub.get(topic)
    assert value is not None, "the hub has a clock of its own"
    assert 599 < portal.broker.hub.entry(topic).expires_at - value.time <= 600


def test_what_a_client_of_an_earlier_run_left_behind_expires_too():
    portal = Portal()
    topic = f"{D}/host/id/__clientInfo__"
    stored = Stored()
    stored.retained.append(Message(topic, OFFLINE, 0, True))
    portal.broker.restore(stored, 50.0)
    assert portal.broker.retained.get(topic).expires_at == 650.0


def test_what_expires_by_itself_keeps_its_own_time_and_is_forgotten_with_it():
    portal = Portal()
    peer = wire.joined(portal.broker, "five", level=5)
    peer.send(wire.publish(INFO, ONLINE, retain=True, level=5, stated={0x02: 5}))
    portal.run()
    assert portal.status == "offline"
    portal.broker.sweep(30.0)
    assert portal.run().do["vrpc_agents"]() == []


def test_an_info_that_there_is_no_room_for_is_gone():
    portal = Portal(MqttLimits(retained_bytes=1_000))
    peer = portal.agent()
    peer.send(wire.publish(INFO, b'{"status": "online", "hostname": "' + b"x" * 2_000 + b'"}', retain=True))
    portal.run()
    assert (portal.broker.retained.get(INFO), portal.status) == (None, "offline")
