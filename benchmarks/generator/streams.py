"""What the clients of the load publish.

All PUBLISH packets of one run have one size, so a block of them is sent, checked and counted without a loop over
packets: the load has to be quicker than the brokers that it measures.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.generator import wire
from benchmarks.generator.clients import Client, LoadError
from benchmarks.generator.receivers import Receiver

BLOCK_BYTES = 64 * 1024
# Messages that a publisher sends ahead of their last acknowledgement, by QoS.  Beyond its max_inflight_messages,
# which is 20, Mosquitto takes QoS 2 messages and the run gets stuck.
WINDOWS = {1: 100, 2: 20}
LAST_PACKET_ID = 60_000


class Flight:
    """Bounds what is under way: a run should not end with a minute of catching up."""

    def __init__(self, receivers: list[Receiver], progress: asyncio.Event, deliveries: int) -> None:
        self.sent = 0
        self.window = max(1, deliveries // len(receivers))
        self._receivers = receivers
        self._progress = progress

    async def wait_for_room(self) -> None:
        """Wait until the slowest receiver is not too far behind."""
        while self.sent - min(receiver.count for receiver in self._receivers) > self.window:
            self._progress.clear()
            await self._progress.wait()


class Stream:
    """Publishes QoS 0 as fast as the connection takes it: the packets over and over.

    With `joined` one write has as many as fit, else it has each of them once.
    """

    def __init__(self, client: Client, packets: list[bytes], flight: Flight, *, joined: bool) -> None:
        most = min(BLOCK_BYTES // len(packets[0]), flight.window) // len(packets)
        repeats = max(1, most) if joined else 1
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
    """Publishes QoS 1 or 2: a window of messages ahead, then one for each that is through its handshake."""

    def __init__(self, client: Client, topic: str, payload: bytes, qos: int, *, at_most: int | None = None) -> None:
        packets = [wire.publish(topic, payload, qos, packet_id) for packet_id in range(1, LAST_PACKET_ID + 1)]
        client.on_data = self._acknowledged if qos == 1 else self._shake_hands
        self.sent = 0
        self._window = WINDOWS[qos]
        self._at_most = at_most
        self._client = client
        self._ring = b"".join(packets + packets[: self._window])
        self._size = len(packets[0])
        self._finished = 0
        self._rest = b""
        self._until = 0.0
        self._done = asyncio.Event()

    async def run(self, until: float) -> None:
        """Publish until a time, and wait until every message is through."""
        self._until = until
        self._client.transport.write(self._take(self._window))
        await self._done.wait()

    def _acknowledged(self, data: bytes) -> None:
        data = self._whole(data)
        count = len(data) // wire.ACK_SIZE
        if data[:: wire.ACK_SIZE].count(wire.PUBACK) != count:
            raise LoadError("something else than PUBACKs arrived")
        self._client.transport.write(self._finish(count))

    def _shake_hands(self, data: bytes) -> None:
        data = self._whole(data)
        releases, finished = bytearray(), 0
        for at in range(0, len(data), wire.ACK_SIZE):
            if data[at] == wire.PUBCOMP:
                finished += 1
            elif data[at] == wire.PUBREC:
                releases += b"\x62\x02" + data[at + 2 : at + 4]
            else:
                raise LoadError(f"0x{data[at]:02x} where PUBREC or PUBCOMP were expected")
        self._client.transport.write(bytes(releases) + self._finish(finished))

    def _whole(self, data: bytes) -> bytes:
        """Return the complete packets, and keep the rest."""
        data = self._rest + data
        end = len(data) - len(data) % wire.ACK_SIZE
        self._rest = data[end:]
        return data[:end]

    def _finish(self, count: int) -> bytes:
        """Count messages that are through; return as many new ones."""
        self._finished += count
        more = time.monotonic() < self._until and (self._at_most is None or self.sent + count <= self._at_most)
        packets = self._take(count) if more else b""
        if self._finished == self.sent:
            self._done.set()
        return packets

    def _take(self, count: int) -> bytes:
        start = self.sent % LAST_PACKET_ID
        self.sent += count
        return self._ring[start * self._size : (start + count) * self._size]
