"""The load counts rightly, however what it gets is cut into parts: otherwise no figure means anything."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import processes
from benchmarks.generator import receivers, wire
from benchmarks.generator.clients import LoadError
from benchmarks.generator.knocks import knocks
from benchmarks.generator.streams import AcknowledgedStream

TOPIC = "bench/00000"
COUNT = 7


class Transport:
    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> None:
        self.written += data


def client() -> Any:
    return SimpleNamespace(transport=Transport(), on_data=None)


def publishes(qos: int, size: int) -> list[bytes]:
    return [wire.publish(TOPIC, b"x" * size, qos, packet_id) for packet_id in range(1, COUNT + 1)]


@pytest.mark.parametrize("part", [1, 2, 3, 5, 79, 80, 81, 1_000])
@pytest.mark.parametrize("size", [1, 64, 300])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_message_is_counted_and_acknowledged_once(qos: int, size: int, part: int) -> None:
    subscriber, packets = client(), publishes(qos, size)
    receiver = receivers.receiver(subscriber, qos, packets[0], TOPIC, asyncio.Event())
    data = b"".join(packets)
    for start in range(0, len(data), part):
        subscriber.on_data(data[start : start + part])
    assert receiver.count == COUNT
    head = {0: b"", 1: b"\x40\x02\x00", 2: b"\x50\x02\x00"}[qos]
    wanted = b"".join(head + bytes([packet_id]) for packet_id in range(1, COUNT + 1)) if qos else b""
    assert subscriber.transport.written == wanted


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_something_else_than_the_messages_of_a_run_is_noticed(qos: int) -> None:
    subscriber, packets = client(), publishes(qos, 64)
    receivers.receiver(subscriber, qos, packets[0], TOPIC, asyncio.Event())
    with pytest.raises(LoadError):
        subscriber.on_data(packets[0] + b"\x90" * len(packets[0]))


def test_a_qos_2_publisher_releases_each_message_and_goes_on_after_its_end() -> None:
    async def run() -> None:
        publisher = client()
        stream = AcknowledgedStream(publisher, TOPIC, b"x", 2)
        task = asyncio.create_task(stream.run(until=float("inf")))
        await asyncio.sleep(0)
        first = len(publisher.transport.written)
        publisher.on_data(b"\x50\x02\x00\x01\x50\x02")
        publisher.on_data(b"\x00\x02\x70\x02\x00\x01")
        answers = publisher.transport.written[first:]
        assert answers.startswith(b"\x62\x02\x00\x01\x62\x02\x00\x02")
        assert len(answers) == 8 + len(publishes(2, 1)[0])
        task.cancel()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"\x20", 0),
        (b"\x20\x02\x00", 0),
        (b"\x20\x02\x01\x00rest", 4),
        (b"\x20\x03\x00\x00\x00", 5),
        (b"\x20\x05\x00\x00\x02\x22", 0),
        (b"\x20\x02\x00\x05", -1),
        (b"\x90\x03\x00\x01\x00", -1),
    ],
)
def test_a_connack_is_recognised_in_parts_and_in_both_versions(data: bytes, end: int) -> None:
    assert wire.accepted(data) == end


def test_a_helper_that_has_ended_has_used_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert processes.cpu_seconds([ended.pid]) == 0
    assert processes.cpu_seconds([os.getpid(), ended.pid]) > 0


def test_tries_of_unknown_clients_are_counted_as_begun_and_as_answered() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(1_000)
        seen.append(data)
        if b"flood-1" in data:
            writer.write(b"\x20\x02\x00\x04")
        writer.close()

    async def run() -> dict[str, int]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await knocks({"port": port, "clients": 2, "addresses": 2, "seconds": 2})

    counts = asyncio.run(run())
    told = sum(b"flood-1" in data for data in seen)
    assert 0 < counts["answers"] <= told < len(seen) <= counts["tries"] <= 2 * 3
