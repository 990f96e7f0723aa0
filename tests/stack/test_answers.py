"""Pages that ask the running protocol servers: over few connections, again at once, and beside whatever else asks."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest

from portal import unix, worker_client
from tests.support import clients, processes
from tests.support.clients import logged_in
from tests.support.processes import wait_until
from tests.support.stack import Session, Stack

pytestmark = pytest.mark.stack

NO_ANSWER = "does not answer"


def dial(stack: Stack, part: str) -> socket.socket:
    folder = Path(stack.environ["DATA_DIR"])
    return unix.connect_to(folder, part, 10)


def usage(client: socket.socket) -> list[dict]:
    """Ask a part as a web worker does."""
    client.sendall(msgpack.packb([7, "usage", []]))
    number, answer = next(iter(msgpack.Unpacker(client.makefile("rb", 0))))
    assert number == 7
    return answer["answer"]


def connections(pid: int, name: str) -> int:
    """Return how many connections a process has accepted at a Unix socket."""
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held.add(os.readlink(descriptor))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]]
    return sum(row[-1].endswith(f"/{name}") and row[5] == "03" and f"socket:[{row[6]}]" in held for row in rows)


def test_many_pages_are_answered_over_few_connections(make_stack):
    stack = make_stack().start()
    sessions = [Session(stack).log_in() for _ in range(8)]
    worker, told = stack.worker_pid(), []

    def visit(session: Session) -> None:
        for _ in range(10):
            text = session.get("/server/limits").text
            told.append("of 10,000" in text and NO_ANSWER not in text)

    visitors = [threading.Thread(target=visit, args=(session,)) for session in sessions]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(60)
    assert told == [True] * 80
    assert 1 <= connections(worker, "mqtt.sock") <= 16
    assert 1 <= connections(stack.opcua_pid(), "opcua.sock") <= 16
    stack.stop()
    stack.clean_log()


def test_a_part_that_was_made_again_is_asked_as_soon_as_it_answers(make_stack):
    stack = make_stack().start()
    session = Session(stack).log_in()
    plant = stack.add("opcua", username="plant")
    ((number,),) = stack.query(f"SELECT id FROM integration WHERE username = '{plant['username']}'")  # noqa: S608
    path = f"/integrations/{number}/nodes/table"
    assert NO_ANSWER not in session.get(path).text
    killed = stack.opcua_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not processes.alive(killed), what="the part to end")
    assert NO_ANSWER in session.get(path).text

    def answers() -> bool:
        with suppress(OSError), dial(stack, worker_client.OPCUA) as client:
            return bool(usage(client))
        return False

    wait_until(answers, what="the part to answer")
    assert NO_ANSWER not in session.get(path).text
    stack.stop()
    assert "Traceback" not in stack.log()


def test_broken_processes_at_the_socket_disturb_neither_pages_nor_mqtt(make_stack):
    stack = make_stack().start()
    session, worker = Session(stack).log_in(), stack.worker_pid()
    with logged_in(stack.mqtt_port, stack.add(), "stays") as stays:
        idle = [dial(stack, worker_client.MQTT) for _ in range(200)]
        for client, data in zip(idle, (b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\xdd\xff\xff\xff\xff"), strict=False):
            client.sendall(data)
        deaf = dial(stack, worker_client.MQTT)
        deaf.settimeout(0.2)
        with suppress(OSError):
            while True:
                deaf.sendall(msgpack.packb([7, "usage", []]) * 100)
        endless = dial(stack, worker_client.MQTT)
        with suppress(OSError):
            endless.sendall(b"\xc6\x7f\xff\xff\xff")
            while True:
                endless.sendall(bytes(1_000_000))
        for _ in range(20):
            stays.sendall(b"\xc0\x00")
            assert clients.receive(stays, 2) == b"\xd0\x00"
            assert NO_ANSWER not in session.get("/server/limits").text
        for client in (*idle, deaf, endless):
            client.close()
        wait_until(lambda: connections(worker, "mqtt.sock") <= 16, what="the connections to be forgotten")
    assert stack.worker_pid() == worker
    stack.stop()
    assert "a frame is too long" in stack.clean_log()


def test_the_main_part_answers_where_mqtt_is_turned_off(make_stack):
    off = dict.fromkeys(("MQTT_PORT", "MQTT_TLS_PORT", "MQTT_WS_PORT", "MQTT_WSS_PORT"), "off")
    stack = make_stack(**off, MQTT_WEB="off").start()
    with dial(stack, worker_client.MQTT) as client:
        assert "MQTT_RETAINED_MESSAGES" in {row["name"] for row in usage(client)}
    assert NO_ANSWER not in Session(stack).log_in().get("/server").text
    stack.stop()
    stack.clean_log()
