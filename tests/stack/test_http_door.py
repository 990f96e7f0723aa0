"""HTTP clients at the running product: logins that wait, presence, streams and long polls, and what ends them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support import clients, processes
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack

pytestmark = pytest.mark.stack

WAITING, STREAMS = 200, 100
WRONG = "wrong"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, address_space) -> Iterator[Stack]:
    running = Stack(
        tmp_path_factory.mktemp("door"), GUESSES_PER_ADDRESS="off", GUESSES_PER_USERNAME="off", HTTP_ONLINE="5"
    )
    running.app = "tests.support.door_app:app"
    running.take(address_space)
    try:
        running.start()
        yield running
        running.stop()
        running.clean_log()
    finally:
        running.kill()


@pytest.fixture
def script(door: Stack) -> dict[str, Any]:
    return door.add("http")


def request(path: str, credentials: dict[str, Any], password: str | None = None) -> bytes:
    secret = f"{credentials['username']}:{password or credentials['password']}".encode()
    login = base64.b64encode(secret).decode()
    return f"GET /door/{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {login}\r\nUser-Agent: test\r\n\r\n".encode()


@contextlib.contextmanager
def asked(door: Stack, path: str, credentials: dict[str, Any], password: str | None = None) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, door.port), timeout=20) as client:
        client.sendall(request(path, credentials, password))
        yield client


def read_until(client: socket.socket, text: bytes) -> bytes:
    received = b""
    while text not in received:
        data = client.recv(65536)
        assert data, received
        received += data
    return received


def get(door: Stack, path: str, credentials: dict[str, Any], password: str | None = None) -> tuple[int, Any]:
    with asked(door, path, credentials, password) as client:
        head = read_until(client, b"\r\n\r\n")
        head, _, body = head.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += client.recv(65536)
    return int(head.split()[1]), json.loads(body) if body else None


def page(door: Stack) -> int:
    with contextlib.closing(HTTPConnection(HOST, door.port, timeout=20)) as connection:
        connection.request("GET", "/login")
        return connection.getresponse().status


def test_a_request_is_a_login_and_shows_the_integration_online(door: Stack, script: dict[str, Any]) -> None:
    assert get(door, "me", script)[0] == 200
    wait_until(lambda: door.is_online(script["username"]))
    first = door.shown(script["username"])
    assert first["connections"] == 1 and first["last_login"]
    assert get(door, "me", script) == (200, {"username": script["username"], "waited": 0.0})
    wait_until(lambda: not door.is_online(script["username"]), what="the period to end")
    assert door.shown(script["username"])["last_login"] == first["last_login"]
    (login,) = door.activity(f"kind = 'login.accepted' AND username = '{script['username']}'")
    assert (login["protocol"], login["detail"]) == ("http", "test")


def test_wrong_credentials_wait_and_are_refused(door: Stack, script: dict[str, Any]) -> None:
    assert get(door, "me", script, WRONG)[0] == 401
    other = door.add("mqtt")
    assert get(door, "me", other)[0] == 401
    for one, reason in ((script, "wrong password"), (other, "integration is of another type")):
        refused = f"kind = 'login.refused' AND username = '{one['username']}'"
        (row,) = wait_until(lambda where=refused: door.activity(where))
        assert (row["protocol"], row["detail"]) == ("http", reason)
    assert get(door, "me", script)[0] == 200


def test_threads_stay_free_while_many_wait_and_many_streams_are_open(door: Stack, script: dict[str, Any]) -> None:
    with contextlib.ExitStack() as opened:
        streams = [opened.enter_context(asked(door, "stream/free", script)) for _ in range(STREAMS)]
        for one in streams:
            read_until(one, b"id: ")
        waiting = [opened.enter_context(asked(door, "me", script, f"{WRONG}{n}")) for n in range(WAITING)]
        assert page(door) == 200
        assert get(door, "me", script)[0] == 200
        assert get(door, "put/free/7", script)[0] == 200
        for one in streams:
            assert b'"value": 7' in read_until(one, b"}\n\n")
        for one in waiting:
            assert read_until(one, b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")
        with asked(door, "stream/free", script) as one_more:
            answer = read_until(one_more, b"}")
        assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: " in answer
        assert page(door) == 200
    assert Session(door).log_in().get("/integrations").status == 200


def test_a_deactivation_cuts_streams_and_polls_at_once(door: Stack, script: dict[str, Any]) -> None:
    with asked(door, "stream/a", script) as stream, asked(door, "poll/a", script) as poll:
        assert b"X-Content-Type-Options: nosniff\r\n" in read_until(stream, b"id: ")
        wait_until(lambda: door.is_online(script["username"]))
        door.flask("integrations", "deactivate", script["username"])
        assert clients.is_closed(stream) and clients.is_closed(poll)
    assert get(door, "me", script)[0] == 401
    wait_until(lambda: not door.is_online(script["username"]))
    where = f"kind = 'connection.cut' AND username = '{script['username']}'"
    (cut,) = wait_until(lambda: door.activity(where))
    assert (cut["protocol"], cut["detail"]) == ("http", "integration deactivated")


def test_mqtt_and_http_clients_hear_each_other(door: Stack, script: dict[str, Any]) -> None:
    device = door.add("mqtt")
    with asked(door, "stream/plant/%23", script) as stream, asked(door, "poll/plant/b", script) as poll:
        read_until(stream, b"id: ")
        clients.publish(door.mqtt_port, device, "plant/a", "21.5")
        event = read_until(stream, b"}\n\n")
        assert b'"topic": "plant/a"' in event and b'"value": 21.5' in event
        assert f'"integration": "{device["username"]}"'.encode() in event
        clients.publish(door.mqtt_port, device, "plant/b", "on")
        assert read_until(poll, b"\r\n\r\non").startswith(b"HTTP/1.1 200 ")
    number = int(event.partition(b"id: ")[2].partition(b"\n")[0])
    with asked(door, f"stream/plant/%23?after={number}", script) as resumed:
        assert b'"topic": "plant/b"' in read_until(resumed, b"}\n\n")
    with clients.Subscriber(door.mqtt_port, device, "plant/c").subscribed() as subscriber:
        assert get(door, "put/plant/c/17", script)[0] == 200
        subscriber.wait_for("plant/c 17")


def test_after_the_end_of_the_protocols_worker_clients_come_back(door: Stack, script: dict[str, Any]) -> None:
    with asked(door, "stream/a", script) as stream:
        read_until(stream, b"id: ")
        wait_until(lambda: door.is_online(script["username"]))
        before = door.worker_pid()
        os.kill(before, signal.SIGKILL)
        assert clients.is_closed(stream)
    wait_until(lambda: not processes.alive(before) and _lets_in(door, script), what="clients to be let in again")


def _lets_in(door: Stack, script: dict[str, Any]) -> bool:
    with contextlib.suppress(AssertionError, OSError):
        return get(door, "me", script)[0] == 200
    return False
