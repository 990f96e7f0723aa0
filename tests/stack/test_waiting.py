"""Requests that wait, and clients that are given away, under gunicorn: neither takes a thread from others."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from portal import handover, patient, waiting
from tests.support import processes
from tests.support.processes import wait_until
from tests.support.stack import HOST, ROOT

pytestmark = pytest.mark.stack

THREADS = 2
MANY = 200


class Web:
    """gunicorn with few threads and an application whose clients wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = processes.free_port()
        self.log = folder / "web.log"
        options = ["--bind", f"{HOST}:{self.port}", "--threads", str(THREADS), "--no-control-socket"]
        with self.log.open("ab") as log:
            self.process = processes.start(
                [sys.executable, "-m", "gunicorn", "-c", "/dev/null", "-k", "portal.patient.PatientWorker", *options]
                + ["tests.support.waiting_app:app"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "DATA_DIR": str(folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=10)

    def is_up(self) -> bool:
        with contextlib.suppress(OSError), self.connect():
            return True
        return False

    def memory(self) -> int:
        """Return the bytes of memory of the web worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (worker,) = children.split()
        return 4096 * int(Path(f"/proc/{worker}/statm").read_text().split()[1])

    def get(self, path: str, connection: HTTPConnection | None = None) -> Any:
        if connection is None:
            with contextlib.closing(HTTPConnection(HOST, self.port, timeout=10)) as connection:
                return self.get(path, connection)
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return json.loads(response.read())


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    running = Web(tmp_path_factory.mktemp("web"))
    try:
        wait_until(running.is_up, what="gunicorn to be ready")
        yield running
    finally:
        processes.stop(running.process)
    assert "Traceback" not in running.log.read_text()


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode()


def answers(client: socket.socket, count: int) -> list[Any]:
    """Read so many answers."""
    found, rest = [], b""
    while len(found) < count:
        while (end := rest.find(b"}\n")) < 0:
            data = client.recv(65536)
            assert data, rest
            rest += data
        head, _, body = rest[: end + 1].partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        found.append(json.loads(body))
        rest = rest[end + 2 :]
    return found


def test_a_request_that_waits_runs_again_whole(web: Web) -> None:
    with web.connect() as client:
        body = b"x" * 100_000
        head = b"POST /later/0.4?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.sendall(head + body)
        (answer,) = answers(client, 1)
    assert answer["body"].encode() == body and answer["query"] == "a=b"
    assert 0.4 <= answer["waited"] < 60


def test_the_connection_is_kept_and_its_next_request_has_not_waited(web: Web) -> None:
    with contextlib.closing(HTTPConnection(HOST, web.port, timeout=10)) as connection:
        assert web.get("/later/0.2", connection)["waited"] >= 0.2
        first = connection.sock
        assert web.get("/now", connection)["waited"] == 0
        assert 0.2 <= web.get("/later/0.2", connection)["waited"] < 60
        assert connection.sock is first


@pytest.mark.parametrize("pause", [0, 0.1])
def test_requests_that_follow_one_that_waits_are_answered_after_it(web: Web, pause: float) -> None:
    with web.connect() as client:
        client.sendall(get("/later/0.4?1"))
        time.sleep(pause)
        client.sendall(get("/now") + get("/later/0.2?2") + get("/now"))
        first, second, third, fourth = answers(client, 4)
    assert first["query"] == "1" and third["query"] == "2"
    assert second["waited"] == fourth["waited"] == 0


def test_threads_stay_free_while_many_requests_wait(web: Web) -> None:
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(web.connect()) for _ in range(MANY)]
        before = web.get("/now")["runs"]
        for number, client in enumerate(clients):
            client.sendall(get(f"/later/6.0?{number}"))
        wait_until(lambda: web.get("/now")["runs"] == before + MANY, what="all of them to wait, on two threads")
        for number, client in enumerate(clients):
            client.settimeout(30)
            (answer,) = answers(client, 1)
            assert answer["query"] == str(number)


def test_a_client_that_leaves_is_waited_for_no_more(web: Web) -> None:
    before = web.get("/now")["runs"]
    with web.connect() as one, web.connect() as other:
        for client in (one, other):
            client.sendall(get("/later/4.0"))
        wait_until(lambda: web.get("/now")["runs"] == before + 2, what="their requests to wait")
        one.close()
        other.shutdown(socket.SHUT_WR)
        web.get("/later/4.0")  # runs three times, the last two after theirs would have
        assert web.get("/now")["runs"] == before + 2 + 3, "what nobody waits for does not run again"


def test_what_is_sent_while_waiting_is_bounded_and_the_request_answered(web: Web) -> None:
    with web.connect() as client:
        client.sendall(get("/later/4.0"))
        client.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += client.send(b"x" * 65536)
        assert sent < 64 * 1024 * 1024, "more was taken than the kernel and the bound hold"
        client.settimeout(20)
        (answer,) = answers(client, 1)
    assert answer["waited"] >= 4


def test_more_requests_than_may_wait_are_told_to_come_back(web: Web) -> None:
    body = b"x" * 200_000
    head = b"POST /later/60.0 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    count = waiting.MOST_BYTES // len(head + body)
    before = web.get("/now")["runs"]
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(web.connect()) for _ in range(count + 1)]
        for client in clients[:count]:
            client.sendall(head + body)
        wait_until(lambda: web.get("/now")["runs"] == before + count, what="all of them to wait")
        clients[-1].sendall(head + body)
        answer = clients[-1].recv(1000)
        assert answer.startswith(b"HTTP/1.1 503") and b"\r\nRetry-After: 3\r\n" in answer
        assert web.get("/now")
    wait_until(lambda: _waits(web), what="the room of those that left")


def test_more_bytes_than_threads_can_take_are_told_to_come_back(web: Web) -> None:
    body = b"x" * 200_000
    head = b"POST /busy/%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    count = patient.MOST_AT_ONCE // len(body) + 10
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(web.connect()) for _ in range(count)]
        for client in clients:
            client.sendall(head % (b"free", len(body)) + body)
        small = opened.enter_context(web.connect())
        small.sendall(get("/now"))
        wait_until(lambda: len(select.select(clients, [], [], 0)[0]) >= 5, what="what is told to come back")
        (web.folder / "free").touch()
        statuses = [client.recv(12) for client in clients]
        assert 5 <= statuses.count(b"HTTP/1.1 503") <= 20 and statuses.count(b"HTTP/1.1 200") >= count - 20
        answers(small, 1)
    with web.connect() as client:
        for _ in range(count):  # none of it is counted any more
            client.sendall(head % (b"free", len(body)) + body)
            answers(client, 1)


def test_a_request_that_waits_takes_little_more_than_its_bytes(tmp_path: Path) -> None:
    web = Web(tmp_path)
    try:
        wait_until(web.is_up, what="gunicorn to be ready")
        request = get("/later/60.0", *[f"X-{number}: {'x' * 1_500}" for number in range(10)])
        runs, before = web.get("/now")["runs"], web.memory()
        with contextlib.ExitStack() as opened:
            for _ in range(800):
                opened.enter_context(web.connect()).sendall(request)
            wait_until(lambda: web.get("/now")["runs"] == runs + 800, what="all of them to wait")
            assert web.memory() - before < 2 * 800 * len(request)
    finally:
        processes.stop(web.process)


def _waits(web: Web) -> bool:
    with web.connect() as client:
        client.sendall(get("/later/0.1"))
        return client.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_is_given_away_hears_nothing_more_from_the_worker(web: Web) -> None:
    with handover.listen(web.folder, handover.STREAMS) as listener, web.connect() as client:
        client.sendall(get("/away/ticket-1"))
        courier, _ = listener.accept()
        with courier:
            message, (descriptor,), _, _ = socket.recv_fds(courier, 65536, 4)
        assert json.loads(message) == {"ticket": "ticket-1", "headers": {"X-Test": "yes"}, "after": None}
        web.get("/now")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(20)
        with socket.socket(fileno=descriptor) as given:
            given.sendall(b"hello")
        assert client.recv(5) == b"hello"
        assert client.recv(1) == b"", "the worker has closed its copy"
