"""MQTT clients of the load: what they send, and how they count what they get.

All PUBLISH packets of one run have one size, so a block of them is checked and counted without a loop over packets:
the load has to be quicker than the brokers that it measures.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from benchmarks import wire

BLOCK_BYTES = 64 * 1024
DELIVERIES = 200_000  # QoS 0 messages under way to all receivers together
WINDOW = 100  # QoS 1 messages that a publisher sends ahead of their PUBACK
LAST_PACKET_ID = 60_000


class LoadError(Exception):
    """The broker did something that the load cannot measure."""


class Client(asyncio.Protocol):
    """One connection; `on_data` gets everything after CONNACK."""

    transport: asyncio.Transport

    def __init__(self, connect: bytes) -> None:
        self._connect = connect
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.writable.set()
        self.on_data: Callable[[bytes], None] = self._unexpected
        self.sent_at = 0.0  # of CONNECT, by time.monotonic(), which all processes of a machine share
        self.lost_at: float | None = None

    @classmethod
    async def open(cls, port: int, client_id: str, username: str, password: str) -> Client:
        """Connect, and wait for CONNACK."""
        packet = wire.connect(client_id, username, password)
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(packet), "127.0.0.1", port)
        await client.accepted
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.sent_at = time.monotonic()
        self.transport.write(self._connect)

    def data_received(self, data: bytes) -> None:
        if self.accepted.done():
            self.on_data(data)
        elif data == wire.ACCEPTED:
            self.accepted.set_result(None)
        else:
            self.accepted.set_exception(LoadError(f"CONNECT was answered by {data.hex()}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_at = time.monotonic()
        self.writable.set()
        if not self.accepted.done():
            self.accepted.set_exception(LoadError("closed instead of CONNACK"))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def subscribe(self, topic_filter: str, qos: int) -> None:
        """Subscribe, and wait for SUBACK."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.on_data = answer.set_result
        self.transport.write(wire.subscribe(topic_filter, qos))
        if await answer != bytes([0x90, 3, 0, 1, qos]):
            raise LoadError(f"SUBSCRIBE was answered by {answer.result().hex()}")
        self.on_data = self._unexpected

    def _unexpected(self, data: bytes) -> None:
        raise LoadError(f"{len(data)} unexpected bytes")


class Receiver:
    """Counts the PUBLISH packets that a client gets, and acknowledges those of QoS 1."""

    def __init__(self, client: Client, size: int, qos: int, id_at: int, progress: asyncio.Event) -> None:
        client.on_data = self._feed
        self._progress = progress
        self.count = 0
        self.last_at = 0.0
        self._client = client
        self._size = size
        self._head = bytes([0x30 | qos << 1])  # neither DUP nor RETAIN
        self._id_at = id_at if qos else 0
        self._rest = b""
        self._wanted = math.inf
        self._complete = asyncio.Event()

    async def wait_for(self, count: int) -> None:
        """Wait until so many have arrived."""
        self._wanted = count
        if self.count < count:
            await self._complete.wait()

    def _feed(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        count, rest = divmod(len(data), self._size)
        self._rest = data[len(data) - rest :] if rest else b""
        if not count:
            return
        whole = data[: count * self._size] if rest else data
        if whole[:: self._size].count(self._head) != count:
            raise LoadError("something else than the PUBLISH packets of this run arrived")
        if self._id_at:
            self._client.transport.write(wire.pubacks(whole, self._size, self._id_at))
        self.count += count
        self.last_at = time.monotonic()
        self._progress.set()
        if self.count >= self._wanted:
            self._complete.set()


class Flight:
    """Bounds what is under way: a run should not end with a minute of catching up."""

    def __init__(self, receivers: list[Receiver], progress: asyncio.Event) -> None:
        self.sent = 0
        self._receivers = receivers
        self._progress = progress
        self._window = DELIVERIES // len(receivers)

    async def wait_for_room(self) -> None:
        """Wait until the slowest receiver is not too far behind."""
        while self.sent - min(receiver.count for receiver in self._receivers) > self._window:
            self._progress.clear()
            await self._progress.wait()


class Stream:
    """Publishes QoS 0 as fast as the connection takes it: the packets over and over.

    With `joined` one write has as many as fit, else it has each of them once.
    """

    def __init__(self, client: Client, packets: list[bytes], flight: Flight, *, joined: bool) -> None:
        repeats = max(1, BLOCK_BYTES // sum(map(len, packets))) if joined else 1
        self.sent = 0
        self._client = client
        self._flight = flight
        self._block = b"".join(packets) * repeats
        self._count = len(packets) * repeats

    async def run(self, until: float) -> None:
        """Publish until a time."""
        client = self._client
        while time.monotonic() < until and client.lost_at is None:
            client.transport.write(self._block)
            self.sent += self._count
            self._flight.sent += self._count
            await asyncio.sleep(0)
            await client.writable.wait()
            await self._flight.wait_for_room()


class AcknowledgedStream:
    """Publishes QoS 1: `WINDOW` messages ahead, then one for each PUBACK."""

    def __init__(self, client: Client, topic: str, payload: bytes) -> None:
        packets = [wire.publish(topic, payload, 1, packet_id) for packet_id in range(1, LAST_PACKET_ID + 1)]
        client.on_data = self._feed
        self.sent = 0
        self._client = client
        self._ring = b"".join(packets + packets[:WINDOW])
        self._size = len(packets[0])
        self._acknowledged = 0
        self._rest = 0
        self._until = 0.0
        self._done = asyncio.Event()

    async def run(self, until: float) -> None:
        """Publish until a time, and wait for the last PUBACK."""
        self._until = until
        self._send(WINDOW)
        await self._done.wait()

    def _feed(self, data: bytes) -> None:
        count, self._rest = divmod(self._rest + len(data), wire.PUBACK_SIZE)
        self._acknowledged += count
        if time.monotonic() < self._until:
            self._send(count)
        elif self._acknowledged == self.sent:
            self._done.set()

    def _send(self, count: int) -> None:
        start = self.sent % LAST_PACKET_ID
        self._client.transport.write(self._ring[start * self._size : (start + count) * self._size])
        self.sent += count
