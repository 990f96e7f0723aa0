"""Connects many clients as quickly as the broker lets them in.

Without an event loop: a CONNECT costs the load little, so that it is the broker that is measured.
"""

from __future__ import annotations

import select
import socket
import time

from benchmarks.generator import wire
from benchmarks.generator.clients import AT_ONCE, Job, LoadError
from benchmarks.generator.throughput import Watch

PATIENCE = 10  # seconds for an answer


async def connects(job: Job) -> Job:
    """Connect clients, some at a time, all of which stay; return how many a second got their CONNACK."""
    waiting: dict[int, socket.socket] = {}
    there: list[socket.socket] = []
    numbers = iter(range(job["clients"]))
    watch = Watch(job["pids"])
    with select.epoll() as answers:

        def begin() -> None:
            for number in numbers:
                connection = socket.create_connection(("127.0.0.1", job["port"]), PATIENCE)
                connection.sendall(wire.connect(f"client-{number}", job["username"], job["password"]))
                answers.register(connection, select.EPOLLIN)
                waiting[connection.fileno()] = connection
                return

        for _ in range(AT_ONCE):
            begin()
        while waiting:
            arrived = answers.poll(PATIENCE)
            if not arrived:
                raise LoadError(f"{len(waiting)} clients got no CONNACK")
            for descriptor, _ in arrived:
                connection = waiting.pop(descriptor)
                _check(connection.recv(1024))
                answers.unregister(descriptor)
                there.append(connection)
                begin()
    answer = watch.answer(len(there), time.monotonic())
    for connection in there:
        connection.close()
    return answer


def _check(data: bytes) -> None:
    if not data or wire.accepted(data) <= 0:
        raise LoadError(f"CONNECT was answered by {data.hex() or 'nothing'}")
