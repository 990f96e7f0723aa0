"""`$SYS` topics: names and formats that monitoring tools know from Mosquitto."""

import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import mqtt_wire as wire
import pytest

from protocols.contract import Grant
from protocols.mqtt.sys_topics import Ever, Load, State, SysPublisher, SysTopics
from release import VERSION

MONITOR = Grant(9, "monitor", (), ("$SYS/#",))


def told(topics: SysTopics, ever: Ever, state: State, now: float) -> dict[str, str]:
    return {topic.removeprefix("$SYS/broker/"): value.decode() for topic, value in topics.changed(ever, state, now)}


def test_counters_become_topics() -> None:
    ever = Ever(messages_in=5, messages_out=6, dropped=1, bytes_in=70, bytes_out=80)
    state = State(2, 3, 4, 10, 1, 7, 700, 8, 800)
    found = told(SysTopics(100.0), ever, state, 107.4)
    assert {name: value for name, value in found.items() if not name.startswith("load/")} == {
        "version": f"gatehouse version {VERSION}",
        "uptime": "7 seconds",
        "clients/connected": "2",
        "clients/disconnected": "3",
        "clients/total": "5",
        "clients/maximum": "2",
        "clients/expired": "4",
        "clients/active": "2",
        "clients/inactive": "3",
        "messages/received": "5",
        "messages/sent": "6",
        "messages/stored": "15",
        "publish/messages/received": "5",
        "publish/messages/sent": "6",
        "publish/messages/dropped": "1",
        "bytes/received": "70",
        "bytes/sent": "80",
        "publish/bytes/received": "70",
        "publish/bytes/sent": "80",
        "subscriptions/count": "10",
        "shared_subscriptions/count": "1",
        "retained messages/count": "8",
        "store/messages/count": "15",
        "store/messages/bytes": "1500",
    }


def test_the_version_is_read_as_mosquittos_is() -> None:
    found = told(SysTopics(0.0), Ever(), State(), 0.0)["version"]
    assert re.fullmatch(r"gatehouse version (\d+)\.(\d+)\.(\d+)", found), found  # there "mosquitto version 2.0.11"


def test_only_what_has_changed_is_told_again() -> None:
    topics = SysTopics(0.0)
    told(topics, Ever(), State(connected=4), 0.0)
    told(topics, Ever(), State(connected=4), 10.0)
    assert told(topics, Ever(), State(connected=3), 20.0) == {
        "uptime": "20 seconds",
        "clients/connected": "3",
        "clients/total": "3",
        "clients/active": "3",
    }


def test_a_steady_rate_is_where_the_averages_end() -> None:
    load, averages = Load(), [0.0]
    for step in range(1, 1_000):
        averages = list(load.add(step * 50, 10.0))
    assert averages == pytest.approx([300, 300, 300], rel=0.01)


def test_averages_grow_as_those_of_mosquitto() -> None:
    # seen: one connection in the first 11 seconds comes to 0.91, 0.20 and 0.07
    found = told(SysTopics(0.0), Ever(connects=1), State(), 11.0)
    assert [found[f"load/connections/{span}min"] for span in (1, 5, 15)] == ["0.91", "0.20", "0.07"]


def test_a_client_reads_them_if_its_integration_may() -> None:
    broker = wire.broker()
    broker.authenticate.answers["monitor"] = MONITOR  # type: ignore[attr-defined]
    publisher = SysPublisher(broker, 10.0, 0.0)
    assert publisher.is_due(0.0)
    publisher.publish(0.0)
    assert not publisher.is_due(9.9)
    monitor = wire.joined(broker, "m", "monitor")
    monitor.send(wire.subscribe(("$SYS/broker/clients/#", 1)))
    _, *messages = monitor.received()
    assert {wire.message(one)[:2] for one in messages} >= {("$SYS/broker/clients/connected", b"0")}
    assert {head for head, _ in messages} == {0x31}  # retained, and of QoS 0
    publisher.publish(10.0)
    assert ("$SYS/broker/clients/connected", b"1", 0, 0) in map(wire.message, monitor.received())


@pytest.mark.parametrize("wanted", ["$SYS/#", "$SYS/broker/uptime", "$share/g/$SYS/#"])
def test_a_client_of_a_default_integration_may_not(wanted: str) -> None:
    broker = wire.broker()
    SysPublisher(broker, 10.0, 0.0).publish(0.0)
    peer = wire.joined(broker).send(wire.subscribe((wanted, 0)))
    assert peer.received() == [(0x90, b"\0\1\x80")]
    peer.send(wire.subscribe(("#", 0), packet_id=2))
    assert peer.received() == [(0x90, b"\0\2\0")]


def test_counters_follow_what_happens() -> None:
    broker = wire.broker()
    publisher = SysPublisher(broker, 10.0, 0.0)
    topic = "$SYS/broker/"

    def told(name: str) -> bytes | None:
        message = broker.retained.get(topic + name)
        return message.payload if message is not None else None

    kept = wire.joined(broker, "kept", clean=False).send(wire.subscribe(("a", 1), ("$share/g/b", 1)))
    wire.joined(broker, "other").send(wire.publish("a", b"x", 1), wire.publish("r", b"x", retain=True))
    kept.connection.close("gone")
    wire.joined(broker, "more").send(wire.publish("a", b"y", 1))
    publisher.publish(1.0)
    assert told("clients/connected") == b"2"
    assert told("clients/disconnected") == b"1"
    assert told("subscriptions/count") == b"1"
    assert told("shared_subscriptions/count") == b"1"
    assert told("store/messages/count") == b"2"  # one queued, one retained
    kept = wire.joined(broker, "kept", clean=True)
    publisher.publish(2.0)
    assert told("clients/disconnected") == b"0"
    assert told("shared_subscriptions/count") == b"0"


@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto-clients is not installed")
def test_mosquitto_sub_reads_them(start: Callable[..., Any]) -> None:
    running = start(sys_interval=0.2)
    running.door.answers["monitor"] = MONITOR
    publisher = running.client("p")
    publisher.send(wire.publish("a", b"x") * 3)
    names = ("version", "uptime", "clients/connected", "bytes/received", "load/messages/received/1min")
    command = ["mosquitto_sub", "-p", str(running.port), "-u", "monitor", "-P", "right", "-v", "-W", "10"]
    for name in names:
        topic = f"$SYS/broker/{name}"
        seen = subprocess.run([*command, "-C", "1", "-t", topic], capture_output=True, text=True, timeout=20)
        assert seen.stdout.startswith(topic + " "), seen
    everything = subprocess.run([*command, "-C", "40", "-t", "$SYS/#"], capture_output=True, text=True, timeout=20)
    assert len(everything.stdout.splitlines()) == 40
