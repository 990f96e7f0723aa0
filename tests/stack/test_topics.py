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


def becomes(client: Any, node: str, value: Any) -> None:
    """Wait until a node has a value, or cannot be read for a reason."""

    def found() -> Any:
        try:
            return client.read(node)
        except Fault as fault:
            return str(fault).split()[0].rstrip(":")

    seen: list[Any] = []
    try:
        wait_until(lambda: seen.append(found()) or seen[-1] == value)
    except AssertionError:
        pytest.fail(f"{node} never was {value!r}, but {seen[-1]!r}")


@pytest.mark.parametrize("kind", ["node-opcua", "asyncua", "opcua"])
def test_every_kind_of_client_shares_values_with_mosquitto(stack, opcua_programs, kind: str):
    plc, device = integrations(stack)
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


def test_a_main_part_that_answers_nothing_for_a_while_keeps_nodes_from_nobody(make_stack, opcua_programs):
    stack = make_stack().start()
    plc, device = integrations(stack)
    client = opcua_programs("asyncua").connect(stack.opcua_port, plc)
    own, topic = f"ns=2;s={plc['username']}/x", "ns=3;s=plant/x"
    clients.publish(stack.mqtt_port, device, "plant/x", "1.5", "-r", "-q", "1")
    becomes(client, topic, 1.5)
    with clients.Subscriber(stack.mqtt_port, device).subscribed() as subscriber:
        os.kill(stack.worker_pid(), signal.SIGSTOP)
        try:
            for number in range(10):
                client.write(own, number + 0.5)
            assert client.read(own) == 9.5
            becomes(client, topic, "BadNoCommunication")
        finally:
            os.kill(stack.worker_pid(), signal.SIGCONT)
        subscriber.wait_for(f"{plc['username']}/x 9.5")
        becomes(client, topic, 1.5)
    client.close()
    stack.stop()


def test_a_killed_worker_comes_back_with_topics_and_with_what_was_not_published(make_stack, opcua_programs):
    stack = make_stack().start()
    plc, device = integrations(stack)
    client = opcua_programs("asyncua").connect(stack.opcua_port, plc)
    own = f"{plc['username']}/x"
    client.write(f"ns=2;s={own}", 1.0)
    clients.publish(stack.mqtt_port, device, "plant/x", "1.5", "-q", "1")
    becomes(client, f"ns=3;s={own}", 1.0)
    becomes(client, "ns=3;s=plant/x", 1.5)
    stack.wait_written("hub.db", "plant/x", b"1.5")
    pid = stack.worker_pid()
    os.kill(pid, signal.SIGSTOP)
    client.write(f"ns=2;s={own}", 2.0)
    stack.wait_written("opcua.db", "x", 2.0)
    os.kill(pid, signal.SIGKILL)
    client.wait_for_loss()  # the OPC UA part goes with the worker
    again = returned(stack, plc, opcua_programs)
    becomes(again, f"ns=2;s={own}", 2.0)
    becomes(again, f"ns=3;s={own}", 2.0)
    becomes(again, "ns=3;s=plant/x", 1.5)
    again.close()
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()


def test_a_killed_opcua_part_takes_over_what_it_has_missed(make_stack, opcua_programs):
    stack = make_stack().start()
    plc, device = integrations(stack)
    client = opcua_programs("asyncua").connect(stack.opcua_port, plc)
    own = f"{plc['username']}/x"
    client.write(f"ns=2;s={own}", 1.5)
    os.kill(stack.opcua_pid(), signal.SIGKILL)
    clients.publish(stack.mqtt_port, device, own, "2.5", "-q", "1")
    client.wait_for_loss()
    again = returned(stack, plc, opcua_programs)
    becomes(again, f"ns=2;s={own}", 2.5)
    again.close()
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_a_topic_that_becomes_another_integrations_leaves_the_node_to_who_has_written_it(
    make_stack, opcua_programs, is_killed: bool
):
    stack = make_stack().start()
    device, short = stack.add("mqtt"), stack.add("opcua", username="a")
    at_first, later = "ns=2;s=a/b/c", "ns=2;s=a%2Fb/c"
    client = opcua_programs("asyncua").connect(stack.opcua_port, short)
    with clients.Subscriber(stack.mqtt_port, device).subscribed() as subscriber:
        client.write(at_first, 1.0)
        subscriber.wait_for("a/b/c 1.0")
        long = stack.add("opcua", username="a/b")
        other = opcua_programs("asyncua").connect(stack.opcua_port, long)
        becomes(other, later, 1.0)  # what stands at its topic is whoever's may read there
        assert client.read(at_first) == 1.0
        apart(stack, subscriber, device, client, other, start=2)
    client.close()
    other.close()
    stack.wait_written("opcua.db", "b/c", 2.5)
    stack.wait_written("opcua.db", "c", 4.5)
    stack.wait_written("hub.db", "a/b/c", b"4.5")
    stack.kill() if is_killed else stack.stop()
    stack.start()
    client, other = (opcua_programs("asyncua").connect(stack.opcua_port, one) for one in (short, long))
    becomes(other, later, 4.5)
    assert client.read(at_first) == 2.5
    with clients.Subscriber(stack.mqtt_port, device).subscribed() as subscriber:
        apart(stack, subscriber, device, client, other, start=5)
    client.close()
    other.close()
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()


def apart(
    stack: Stack, subscriber: clients.Subscriber, device: dict[str, Any], client: Any, other: Any, *, start: int
) -> None:
    """Show that the node `b/c` of `a` is `a`'s alone, and that the topic `a/b/c` is the node `c` of `a/b`."""
    client.write("ns=2;s=a/b/c", start + 0.5)
    client.write("ns=2;s=a/last", start + 0.5)
    subscriber.wait_for(f"a/last {start}.5")
    assert f"a/b/c {start}.5" not in subscriber.text
    other.write("ns=2;s=a%2Fb/c", start + 1.5)
    subscriber.wait_for(f"a/b/c {start + 1}.5")
    clients.publish(stack.mqtt_port, device, "a/b/c", f"{start + 2}.5", "-r")
    becomes(other, "ns=2;s=a%2Fb/c", start + 2.5)
    assert client.read("ns=2;s=a/b/c") == start + 0.5


def integrations(stack: Stack) -> tuple[dict[str, Any], dict[str, Any]]:
    plc = stack.add("opcua")
    stack.flask("integrations", "permit", plc["username"], "--publish", "#", "--subscribe", "#")
    return plc, stack.add("mqtt")


def returned(stack: Stack, plc: dict[str, Any], opcua_programs: Any) -> Any:
    """Connect anew as soon as the part is there again."""

    def connected() -> Any:
        try:
            return opcua_programs("asyncua").connect(stack.opcua_port, plc)
        except Fault:
            return None

    return wait_until(connected, what="the OPC UA part to be back", every=0.2)
