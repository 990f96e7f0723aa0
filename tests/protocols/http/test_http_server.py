"""The server on a loop, with sockets that are handed over as web workers do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_agents import DOMAIN, Agents
from http_wire import ADDRESS, Door, Recorder, caller, events

from portal import config, handover
from protocols.contract import Grant
from protocols.http import server as http_server
from protocols.http.limits import Limits
from protocols.http.server import STOPPED, HttpServer
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.looper import Looper
from tests.support.processes import wait_until

LIMITS = Limits(
    online=0.5,
    streams=8,
    streams_per_integration=5,
    outbound_bytes=100_000,
    heartbeat=0.2,
    stalled=1.0,
    unasked=1_000,
)


class Running:
    """A server with a hub of its own, on a thread; everything about it happens there."""

    def __init__(self, folder: Path) -> None:
        self.settings = config.load({"DATA_DIR": str(folder)})
        self.door, self.presence, self.agents = Door(), Recorder(), Agents()
        self.door.answers["ada"] = Grant(1, "ada", domain=DOMAIN)
        self.hub = Hub(HubLimits(), lambda: 1_000_000.0)
        self.server = HttpServer(
            authenticate=self.door,
            presence=self.presence,
            hub=self.hub,
            names=lambda number: "",
            limits=LIMITS,
            vrpc=self.agents,
        )
        self.looper = Looper("http")
        self.looper.start()
        self.opened = contextlib.ExitStack()
        listener = handover.listen(folder, handover.STREAMS)
        self.looper.run(self.server.start({"http": [listener]}, {}), 5)

    def on_loop(self, act: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return act()

        return self.looper.run(run(), 5)

    def ask(self, action: str, *arguments: Any, **who: Any) -> Any:
        return self.on_loop(lambda: self.server.actions()[f"http_{action}"](caller(**who), *arguments))

    def publish(self, topic: str, payload: bytes, count: int = 1) -> None:
        def act() -> None:
            for _ in range(count):
                self.hub.publish(topic, payload)
            self.hub.settle()

        self.on_loop(act)

    def ticket(self, *filters: str, **who: Any) -> str:
        return str(self.ask("enter", list(filters), **who)["ok"])

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Return a client's socket, and the web worker's end of the connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = self.opened.enter_context(socket.create_connection(listener.getsockname(), timeout=20))
            theirs, _ = listener.accept()
        return ours, theirs

    def stream(self, ticket: str, after: int | None = None) -> socket.socket:
        ours, theirs = self.pair()
        with theirs:
            handover.stream(self.settings, theirs, ticket, {"X-Test": "yes"}, after=after)
        return ours

    def poll(self, ticket: str, topic: str, number: int, seconds: float) -> socket.socket:
        ours, theirs = self.pair()
        with theirs:
            wish = {"topic": topic, "number": number, "seconds": seconds, "raw": False}
            handover.poll(self.settings, theirs, ticket, {"X-Test": "yes"}, **wish)
        return ours

    def call(self, *, interim: bool = True) -> socket.socket:
        """Have add(1, 2) called."""
        ours, theirs = self.pair()
        ticket = self.ask("call", "press", "Press", "add", "", "[1, 2]", None)["ok"]
        with theirs:
            handover.call(self.settings, theirs, ticket, {"X-Test": "yes"}, interim=interim)
        return ours

    def calls(self) -> int:
        return self.usage("HTTP_CALLS")

    def streams(self) -> int:
        return self.usage("HTTP_STREAMS")

    def usage(self, name: str) -> int:
        (usage,) = [one for one in self.on_loop(self.server.usage) if one.name == name]
        return int(usage.used or 0)

    def stop(self) -> None:
        self.looper.run(self.server.stop(), 5)
        self.on_loop(lambda: None)
        self.opened.close()
        self.looper.stop(5)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(http_server, "SWEEP", 0.05)
    made = Running(tmp_path)
    yield made
    made.stop()
    assert made.presence.open == {}


def read_until(client: socket.socket, text: bytes) -> bytes:
    received = b""
    while text not in received:
        data = client.recv(65536)
        assert data, received
        received += data
    return received


def rest_of(client: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return received


def test_a_stream_is_written_on_the_clients_own_socket(running: Running) -> None:
    client = running.stream(running.ticket("a/#"))
    head = read_until(client, b"id: ")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nX-Test: yes\r\n")
    running.publish("a/b", b"1")
    ((name, _, data),) = events(read_until(client, b"}\n\n"))
    assert (name, data["topic"], data["value"], data["time"]) == ("message", "a/b", 1, "1970-01-12T13:46:40.000+00:00")
    assert read_until(client, b":\n\n"), "a heartbeat"
    assert running.streams() == 1


def test_a_long_poll_is_answered_and_closed(running: Running) -> None:
    client = running.poll(running.ticket("a"), "a", 0, 5)
    wait_until(lambda: running.streams() == 1)
    running.publish("a", b"42")
    answer = rest_of(client)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nX-Test: yes\r\n") and answer.endswith(b"\r\n\r\n42")
    number = int(answer.partition(b'Etag: "')[2].partition(b'"')[0])
    answer = rest_of(running.poll(running.ticket("a"), "a", number, 0.2))
    assert answer.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    wait_until(lambda: running.streams() == 0)


@pytest.mark.parametrize(("known", "status"), [(True, b"304"), (False, b"404")])
def test_a_long_poll_of_a_client_that_says_no_more_is_answered_with_what_is_known(
    running: Running, known: bool, status: bytes
) -> None:
    if known:
        running.publish("a", b"1")
    number = running.on_loop(lambda: running.hub.number) if known else 0
    client = running.poll(running.ticket("a"), "a", number, 30)
    wait_until(lambda: running.streams() == 1)
    client.shutdown(socket.SHUT_WR)
    assert rest_of(client).startswith(b"HTTP/1.1 " + status)
    wait_until(lambda: running.streams() == 0)


def test_a_period_lasts_while_a_stream_is_open_and_a_while_longer(running: Running) -> None:
    client = running.stream(running.ticket("a"))
    read_until(client, b":\n\n")
    running.on_loop(lambda: None)
    for _ in range(5):
        read_until(client, b":\n\n")
    assert len(running.presence.open) == 1, "it is longer than HTTP_ONLINE now"
    client.close()
    wait_until(lambda: not running.presence.open)
    assert running.streams() == 0


@pytest.mark.parametrize("reason", ["integration deactivated", "integration deleted", "password changed"])
def test_a_cut_ends_periods_and_closes_streams_in_the_same_turn(running: Running, reason: str) -> None:
    mine = [running.stream(running.ticket("a")), running.stream(running.ticket("b", address="192.0.2.2"))]
    waiting = running.poll(running.ticket("a"), "a", 0, 5)
    other = running.stream(running.ticket("bob/#", username="bob"))
    for client in (*mine, other):
        read_until(client, b"id: ")
    wait_until(lambda: running.streams() == 4)
    unused = running.ticket("a")

    def cut() -> int:
        running.server.disconnect([1, 77], reason, forget=False)
        running.hub.publish("a", b"after the cut")
        running.hub.settle()
        return len(running.presence.open)

    assert running.on_loop(cut) == 1
    assert sorted(running.presence.closed) == [("c1", reason), ("c2", reason)]
    for client in (*mine, waiting):
        assert b"after the cut" not in rest_of(client)
    assert rest_of(running.stream(unused)).startswith(b"HTTP/1.1 503 ")
    read_until(other, b":\n\n")
    wait_until(lambda: running.streams() == 1)


def test_a_kick_ends_one_period(running: Running) -> None:
    first = running.stream(running.ticket("a"))
    second = running.stream(running.ticket("a", address="192.0.2.2"))
    read_until(second, b"id: ")
    (kicked,) = [name for name, login in running.presence.open.items() if login.address == ADDRESS]
    running.on_loop(lambda: running.server.kick([kicked, "another node's"], "disconnected in the portal"))
    rest_of(first)
    assert running.presence.closed == [(kicked, "disconnected in the portal")]
    read_until(second, b":\n\n")


def test_permissions_reach_open_streams(running: Running) -> None:
    client = running.stream(running.ticket("#"))
    read_until(client, b"id: ")
    running.on_loop(lambda: running.server.permit({1: Grant(1, "ada", subscribe=("b",)), 9: Grant(9, "eve")}))
    running.publish("a", b"1")
    running.publish("b", b"2")
    assert [data["topic"] for _, _, data in events(read_until(client, b"}\n\n"))] == ["b"]


def test_beyond_the_bounds_streams_are_told_to_come_back(running: Running) -> None:
    for _ in range(5):
        read_until(running.stream(running.ticket("a")), b"id: ")
    answer = rest_of(running.stream(running.ticket("a")))
    assert (
        answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\nX-Test: yes\r\n")
        and b"\r\nRetry-After: 5\r\n" in answer
    )
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 503
    for _ in range(3):
        read_until(running.stream(running.ticket("bob/x", username="bob")), b"id: ")
    assert rest_of(running.poll(running.ticket("bob/x", username="bob"), "bob/x", 0, 1)).startswith(b"HTTP/1.1 503 ")
    counted = {one.name: one.exceeded for one in running.on_loop(running.server.usage)}
    assert counted == {
        "HTTP_ONLINE": None,
        "HTTP_STREAMS": 1,
        "HTTP_STREAMS_PER_INTEGRATION": 1,
        "HTTP_OUTBOUND_BYTES": 0,
        "HTTP_CALLS": 0,
        "HTTP_CALLS_PER_INTEGRATION": 0,
    }


def test_what_is_known_of_a_period_is_told(running: Running) -> None:
    client = running.stream(running.ticket("a/#", "b"))
    read_until(client, b"id: ")
    running.publish("b", b"1")
    read_until(client, b"}\n\n")
    running.ask("publish", [["x", b"123", 0, False]])
    (info,) = running.on_loop(lambda: running.server.connections(1))
    assert (info.connection_id, info.client_id) == ("c1", "curl/8")
    assert (info.messages_in, info.messages_out, info.bytes_in) == (1, 1, 4)
    assert (info.subscription_count, info.subscriptions) == (1, (("a/#", 0), ("b", 0)))
    assert running.on_loop(lambda: running.server.connections(2)) == []
    traffic = running.on_loop(running.server.traffic)
    assert (traffic[1].messages_in, traffic[1].messages_out) == (1, 1)
    assert running.on_loop(running.server.traffic) == {}


def test_a_client_that_never_reads_is_bounded_and_given_up(running: Running) -> None:
    client = running.stream(running.ticket("a"))
    other = running.stream(running.ticket("b"))
    read_until(other, b"id: ")
    wait_until(lambda: running.streams() == 2)
    for _ in range(50):
        running.publish("a", b"x" * 10_000, 100)
    (info,) = running.on_loop(lambda: running.server.connections(1))
    assert info.dropped > 1_000
    wait_until(lambda: running.streams() == 1)
    assert len(rest_of(client)) < 30_000_000, "what the kernel and the bound hold, of fifty million"
    running.publish("b", b"1")
    read_until(other, b"}\n\n")


@pytest.mark.parametrize(
    "leave",
    [
        socket.socket.close,
        lambda client: client.shutdown(socket.SHUT_WR),
        lambda client: client.sendall(b"x" * 5_000),
    ],
    ids=["closes", "half-closes", "sends on"],
)
def test_a_client_that_leaves_or_talks_is_forgotten(running: Running, leave: Callable[[socket.socket], None]) -> None:
    client = running.stream(running.ticket("a"))
    read_until(client, b"id: ")
    waiting = running.poll(running.ticket("a"), "a", 0, 60)
    wait_until(lambda: running.streams() == 2)
    leave(client)
    leave(waiting)
    wait_until(lambda: running.streams() == 0)
    running.publish("a", b"1")


def test_a_client_that_has_left_before_its_socket_comes_costs_nothing(running: Running) -> None:
    ticket = running.ticket("a")
    ours, theirs = running.pair()
    ours.close()
    with theirs:
        handover.stream(running.settings, theirs, ticket, {}, after=None)
    wait_until(lambda: running.streams() == 0 and running.on_loop(lambda: len(asyncio.all_tasks())) == 1)


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b"\xff", b'{"ticket": 1}'])
def test_what_no_web_worker_says_is_turned_away(running: Running, message: bytes) -> None:
    ours, theirs = running.pair()
    with theirs:
        handover._give(running.settings.data_dir, handover.STREAMS, theirs, message)
    assert rest_of(ours) == b""
    assert running.streams() == 0


def test_a_stop_ends_every_period_and_stream(running: Running) -> None:
    client = running.stream(running.ticket("a"))
    read_until(client, b"id: ")
    running.looper.run(running.server.stop(), 5)
    rest_of(client)
    assert running.presence.closed == [("c1", STOPPED)]
