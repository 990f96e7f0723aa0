"""OPC UA and MQTT clients of other makers share one space of values, whichever part is killed."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.support import clients
from tests.support.opcua import Fault
from tests.support.processes import wait_until
from tests.support.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
def plc(stack: Stack) -> dict[str, Any]:
    """An OPC UA integration that may read and publish on everything."""
    made = stack.add("opcua")
    stack.flask("integrations", "permit", made["username"], "--publish", "#", "--subscribe", "#")
    return made


@pytest.fixture
def device(stack: Stack) -> dict[str, Any]:
    return stack.add("mqtt")


def becomes(client: Any, node: str, value: Any) -> None:
    """Wait until a node has a value, or cannot be read for a reason."""

    def found() -> Any:
        try:
            return client.read(node)
        except Fault as fault:
            return str(fault).split()[0]

    wait_until(lambda: found() == value, 10, f"{node} to be {value!r}")


@pytest.mark.parametrize("kind", ["node-opcua", "asyncua", "opcua"])
def test_every_kind_of_client_shares_values_with_mosquitto(stack, plc, device, opcua_programs, kind: str):
    client = opcua_programs(kind).connect(stack.opcua_port, plc)
    own = f"{plc['username']}/line/speed"
    with clients.Subscriber(stack.mqtt_port, device).subscribed() as subscriber:
        client.write(f"ns=2;s={own}", 1.5)
        subscriber.wait_for(f"{own} 1.5")
        client.subscribe(f"ns=2;s={own}")
        client.subscribe("ns=3;s=plant/new")
        clients.publish(stack.mqtt_port, device, own, "2.25")
        client.wait_for(2.25)
        clients.publish(stack.mqtt_port, device, "plant/new", "7.5")
        client.wait_for(7.5)
        assert client.read("ns=3;s=plant/new") == 7.5
        client.write("ns=3;s=plant/set", 3.25)
        subscriber.wait_for("plant/set 3.25")
    client.close()


def test_the_main_part_is_killed_and_the_opcua_part_goes_on(stack, plc, device, opcua_programs):
    client = opcua_programs("asyncua").connect(stack.opcua_port, plc)
    own, topic = f"ns=2;s={plc['username']}/x", "ns=3;s=plant/x"
    clients.publish(stack.mqtt_port, device, "plant/x", "1.5", "-r", "-q", "1")
    becomes(client, topic, 1.5)
    client.subscribe(topic)
    client.wait_for(1.5)
    pid = stack.worker_pid()
    os.kill(pid, signal.SIGSTOP)  # so that it is away for a while
    client.write(own, 1.0)
    os.kill(pid, signal.SIGKILL)
    if not client.is_connected:  # its keeper ends it, too
        client = opcua_programs("asyncua").connect(stack.opcua_port, plc)
    becomes(client, topic, 1.5)
    becomes(client, own, 1.0)
    clients.publish(stack.mqtt_port, device, "plant/x", "2.5", "-q", "1")
    becomes(client, topic, 2.5)


def test_the_opcua_part_is_killed_and_takes_over_what_it_has_missed(stack, plc, device, opcua_programs):
    client = opcua_programs("asyncua").connect(stack.opcua_port, plc)
    own = f"{plc['username']}/x"
    client.write(f"ns=2;s={own}", 1.5)
    with clients.Subscriber(stack.mqtt_port, device).subscribed():
        os.kill(stack.opcua_pid(), signal.SIGKILL)
        clients.publish(stack.mqtt_port, device, own, "2.5", "-q", "1")
    client.wait_for_loss()
    again = wait_until(lambda: _connected(stack, plc, opcua_programs), 15)
    becomes(again, f"ns=2;s={own}", 2.5)


def _connected(stack: Stack, plc: dict[str, Any], opcua_programs: Any) -> Any:
    try:
        return opcua_programs("asyncua").connect(stack.opcua_port, plc)
    except Fault:
        return None
