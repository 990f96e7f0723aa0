"""The HTTP load takes an answer for one only when it is whole and right, and waits for no answer in vain."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from benchmarks.generator.clients import LoadError
from benchmarks.generator.http import calls, requests, streams, wire

WRITTEN = b'HTTP/1.1 204 No Content\r\nETag: "1"\r\n\r\n'
VALUE = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n100000000.5"

Behave = Callable[[socket.socket, bytes], None]


@contextmanager
def server(behave: Behave) -> Iterator[dict[str, Any]]:
    """Serve any number of connections; `behave` gets each request's head with the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65_536):
                behave(connection, data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield {"port": listener.getsockname()[1], "username": "ada", "password": "right", "pids": [os.getpid()]}
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(5)


def in_parts(answer: bytes) -> Behave:
    def behave(connection: socket.socket, _: bytes) -> None:
        for start in range(0, len(answer), 7):
            connection.sendall(answer[start : start + 7])

    return behave


@pytest.mark.parametrize("size", range(len(VALUE)))
def test_an_answer_in_parts_is_none_before_its_end(size: int) -> None:
    assert wire.answer(VALUE[:size]) is None
    assert wire.answer(VALUE) == (200, b"100000000.5", len(VALUE))
    assert wire.answer(WRITTEN) == (204, b"", len(WRITTEN))


def test_an_answer_whose_end_nobody_knows_is_a_fault() -> None:
    with pytest.raises(LoadError, match="without its length"):
        wire.answer(b"HTTP/1.1 200 OK\r\n\r\n21.5")


@pytest.mark.parametrize(("kind", "answer"), [("put", WRITTEN), ("get", VALUE)])
def test_each_answer_is_counted_once(kind: str, answer: bytes) -> None:
    seen: list[bytes] = []

    def behave(connection: socket.socket, data: bytes) -> None:
        seen.append(data)
        in_parts(answer)(connection, data)

    with server(behave) as job:
        asked = requests.kind(job | {"kind": kind})
        with requests.links(job | {"clients": 3}) as there:
            count = requests.ask_for(asked, there, 0.5)
    assert count == len(seen) > 3
    assert {data[:4] for data in seen} == {kind.upper().encode() + b" " * (4 - len(kind))}


def test_at_a_steady_pace_as_many_are_asked_for_as_were_wanted() -> None:
    with server(in_parts(WRITTEN)) as job:
        answer = asyncio.run(requests.pace(job | {"kind": "put", "clients": 2, "rate": 500, "requests": 40}))
    assert len(answer["seconds"]) == 40
    assert min(answer["seconds"]) > 0


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", WRITTEN + WRITTEN, b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_another_answer_is_a_fault(answer: bytes) -> None:
    with (
        server(lambda connection, _: connection.sendall(answer)) as job,
        pytest.raises(LoadError),
    ):
        asyncio.run(requests.requests(job | {"kind": "put", "clients": 1, "seconds": 0.1}))


@pytest.mark.parametrize("kind", ["put", "peer_put"])
def test_each_number_is_written_in_a_request_of_the_same_length(kind: str) -> None:
    asked = requests.kind({"kind": kind, "username": "ada", "password": "right"})
    first, second = asked.next(), asked.next()
    assert len(first) == len(second)
    assert first.count(b"100000000.5") == second.count(b"100000001.5") == 1
    assert first.replace(b"100000000.5", b"100000001.5") == second


def test_events_are_read_one_by_one_and_the_end_of_a_stream_is_a_fault() -> None:
    text = b'HTTP/1.1 200 OK\r\n\r\n:\n\nid: 1\nevent: message\ndata: {"value":0}\n\nid: 2\ndata: {"value":1}\n\n'

    def behave(connection: socket.socket, _: bytes) -> None:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)

    async def read(job: dict[str, Any]) -> None:
        stream = await streams.Stream.open(job, "bench/#")
        assert [await stream.next(), await stream.next()] == [{"value": 0}, {"value": 1}]
        with pytest.raises(LoadError, match="closed a stream"):
            await stream.next()
        stream.writer.close()
        await stream.writer.wait_closed()

    with server(behave) as job:
        asyncio.run(read(job))


def test_a_stream_that_is_refused_is_a_fault() -> None:
    async def read(job: dict[str, Any]) -> None:
        with pytest.raises(LoadError, match="503"):
            await streams.Stream.open(job, "bench/#")
        await asyncio.sleep(0)  # the connection closes in a turn of the loop

    with server(lambda connection, _: connection.sendall(b"HTTP/1.1 503 Busy\r\n\r\n")) as job:
        asyncio.run(read(job))


def adding(wrong: int = 0) -> Behave:
    """Return what adds as an agent does, and closes; a number is answered wrongly."""

    def behave(connection: socket.socket, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /api/v1/agents/press/Press/add HTTP/1.1\r\n")
        first, second = json.loads(body)["arguments"]
        result = json.dumps({"result": first + second - (first == wrong), "seconds": 0.1}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(result), result))
        connection.shutdown(socket.SHUT_WR)

    return behave


def test_each_call_has_a_connection_of_its_own_and_its_own_result() -> None:
    with server(adding()) as there:
        answer = asyncio.run(calls.calls({**there, "agent": "press", "callers": 3, "seconds": 0.2}))
    assert answer["rate"] > 0 and len(answer["took"]) >= 3 and min(answer["took"]) > 0


def test_a_call_with_a_wrong_result_is_no_call() -> None:
    with server(adding(wrong=2)) as there, pytest.raises(LoadError, match="answered by 200"):
        asyncio.run(calls.calls({**there, "agent": "press", "callers": 1, "seconds": 0.2}))
