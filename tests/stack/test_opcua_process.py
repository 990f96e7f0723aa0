"""OPC UA as a process of its own: killed, made again, stopped, turned off; and MQTT beside it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.stack.test_operation import came_back, failed_start
from tests.support import clients, processes
from tests.support.clients import connack, logged_in
from tests.support.opcua import KINDS, Client, Program
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack

pytestmark = pytest.mark.stack

Programs = Callable[[str], Program]


def answers(client: socket.socket) -> bool:
    """Send a PINGREQ over MQTT, and tell whether it is answered."""
    client.sendall(b"\xc0\x00")
    return clients.receive(client, 2) == b"\xd0\x00"


def connect_all(stack: Stack, integration: dict[str, Any], programs: Programs) -> list[Client]:
    """Connect a client of each kind; node-opcua's comes back by itself."""
    more: dict[str, dict[str, Any]] = {"node-opcua": {"retry": True}}
    return [programs(kind).connect(stack.opcua_port, integration, **more.get(kind, {})) for kind in KINDS]


def test_a_killed_part_is_made_again_with_its_values_and_mqtt_does_not_notice(make_stack, opcua_programs):
    stack = make_stack().start()
    plant, leaves, mqtt = stack.add("opcua", username="plant"), stack.add("opcua"), stack.add("mqtt")
    worker = stack.worker_pid()
    opcua_programs("asyncua").connect(stack.opcua_port, leaves)
    with logged_in(stack.mqtt_port, mqtt, "stays") as stays:
        before = connect_all(stack, plant, opcua_programs)
        for number, client in enumerate(before):
            client.write(f"ns=2;s=plant/{number}", float(number))
        before[0].subscribe("ns=2;s=plant/0")
        before[0].wait_for(0.0)
        for number in range(len(before)):
            stack.wait_written("opcua.db", str(number), float(number))
        pings = 0
        keeper, killed = stack.opcua_keeper_pid(), stack.opcua_pid()
        os.kill(killed, signal.SIGKILL)
        for client in before:
            client.wait_for_loss()
        while processes.living_children(keeper) in ([], [killed]):
            assert answers(stays)
            pings += 1
        after = [opcua_programs(kind).connect(stack.opcua_port, plant) for kind in KINDS]
        for number, client in enumerate(after):
            assert client.read(f"ns=2;s=plant/{number}") == float(number)
        after[1].write("ns=2;s=plant/0", 10.0)
        before[0].wait_for(10.0)  # it came back by itself, with its subscription
        assert answers(stays) and pings > 0
        assert (stack.worker_pid(), stack.opcua_keeper_pid()) == (worker, keeper)
        wait_until(lambda: not stack.is_online(leaves["username"]), what="who did not come back to be offline")
        wait_until(lambda: stack.is_online(mqtt["username"]) and stack.is_online("plant"))
        for client in [before[0], *after]:
            client.close()
    stack.stop()
    assert "Traceback" not in stack.log()
    assert stack.log().count("the opcua part of the protocols worker ended (-9), and is started again") == 1


def test_a_killed_protocols_worker_takes_its_parts_along_and_new_ones_come(make_stack, opcua_programs):
    stack = make_stack().start()
    plant, mqtt = stack.add("opcua", username="plant"), stack.add("mqtt")
    client = opcua_programs("asyncua").connect(stack.opcua_port, plant)
    client.write("ns=2;s=plant/a", 1.0)
    stack.wait_written("opcua.db", "a", 1.0)
    old = [stack.worker_pid(), stack.opcua_keeper_pid(), stack.opcua_pid()]
    os.kill(old[0], signal.SIGKILL)
    client.wait_for_loss()
    wait_until(lambda: not any(map(processes.alive, old)), what="the old processes to end")
    wait_until(lambda: came_back(stack, old[0]), what="another worker")
    assert connack(stack.mqtt_port, mqtt["username"], mqtt["password"]) == 0
    again = opcua_programs("asyncua").connect(stack.opcua_port, plant)
    assert again.read("ns=2;s=plant/a") == 1.0
    again.close()
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()


def test_a_killed_keeper_takes_the_worker_along_and_all_come_back(make_stack, opcua_programs):
    stack = make_stack().start()
    old = [stack.worker_pid(), stack.opcua_keeper_pid(), stack.opcua_pid()]
    os.kill(old[1], signal.SIGKILL)
    wait_until(lambda: not any(map(processes.alive, old)), what="the old processes to end")
    wait_until(lambda: came_back(stack, old[0]), what="another worker")
    client = opcua_programs("asyncua").connect(stack.opcua_port, stack.add("opcua"))
    client.close()
    stack.stop()
    assert "Traceback" not in stack.log(), stack.log()


def test_sigterm_ends_everything_with_clients_connected(make_stack, opcua_programs):
    stack = make_stack().start()
    plant = stack.add("opcua")
    connected = [
        opcua_programs(kind).connect(stack.opcua_port, plant, mode)
        for kind in KINDS
        for mode in ("None", "Sign", "SignAndEncrypt")
        for _ in range(2)
    ]
    for client in connected[::2]:
        client.subscribe("i=2258")
    wait_until(lambda: stack.query("SELECT COUNT(*) FROM connection") == [(len(connected),)])
    stack.stop()
    for client in connected:
        client.wait_for_loss()
    assert stack.query("SELECT * FROM connection") == []
    assert stack.query("SELECT * FROM node") == []
    assert stack.query("SELECT last_login FROM integration")[0][0] is not None
    stack.clean_log()


def test_sigterm_ends_it_while_the_address_space_is_being_built(make_stack):
    stack = make_stack()
    stack.address_space.unlink()
    stack.launch()
    wait_until(lambda: list(stack.address_space.parent.glob("*.new")), what="the file to be begun")
    assert not stack.address_space.exists()
    stack.stop()
    stack.clean_log()


def test_ctrl_c_reaches_every_process_and_all_of_them_end(make_stack, opcua_programs):
    """A terminal sends the signal to the whole group, not to the first process alone."""
    stack = make_stack().start()
    opcua_programs("asyncua").connect(stack.opcua_port, stack.add("opcua"))
    for pid in processes.descendants(stack.process.pid):
        os.kill(pid, signal.SIGINT)
    stack.stop(signal.SIGINT)
    assert "Traceback" not in stack.log(), stack.log()


def test_turned_off_it_has_no_process_and_no_port(make_stack):
    stack = make_stack(OPCUA_PORT="off").start()
    assert processes.descendants(stack.worker_pid()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, stack.opcua_port), timeout=20)
    assert connack(stack.mqtt_port, **_login(stack.add())) == 0
    assert Session(stack).log_in().get("/server").status == 200
    stack.stop()
    stack.clean_log()


def test_it_serves_where_mqtt_is_turned_off(make_stack, opcua_programs):
    off = dict.fromkeys(("MQTT_PORT", "MQTT_TLS_PORT", "MQTT_WS_PORT", "MQTT_WSS_PORT"), "off")
    stack = make_stack(**off, MQTT_WEB="off").start()
    client = opcua_programs("asyncua").connect(stack.opcua_port, stack.add("opcua"))
    assert client.read("i=2259") == 0
    client.close()
    stack.stop()
    stack.clean_log()


def test_a_port_in_use_is_named(make_stack):
    with socket.create_server((HOST, 0)) as holder:
        port = holder.getsockname()[1]
        line = failed_start(make_stack(OPCUA_PORT=str(port)))
    reason = f"cannot listen on {HOST} port {port}: Address already in use; 'off' turns this listener off"
    assert line == f"gatehouse: OPCUA_PORT: {reason}"


def _login(integration: dict[str, Any]) -> dict[str, str]:
    return {name: integration[name] for name in ("username", "password")}
