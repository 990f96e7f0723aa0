"""Counts what subscribers get, and acknowledges it."""

from __future__ import annotations

import asyncio
import math
import time

from benchmarks.generator import wire
from benchmarks.generator.clients import Client, LoadError


class Receiver:
    """Counts the QoS 0 PUBLISH packets of one size that a client gets; no byte is copied, however large they are."""

    qos = 0

    def __init__(self, client: Client, size: int, progress: asyncio.Event) -> None:
        client.on_data = self.feed
        self.count = 0
        self.last_at = 0.0
        self._client = client
        self._size = size
        self._head = bytes([0x30 | self.qos << 1])  # neither DUP nor RETAIN
        self._progress = progress
        self._missing = 0  # bytes of a packet that has arrived in part
        self._wanted = math.inf
        self._complete = asyncio.Event()

    async def wait_for(self, count: int) -> None:
        """Wait until so many have arrived."""
        self._wanted = count
        if self.count < count:
            await self._complete.wait()

    def feed(self, data: bytes) -> None:
        """Count what arrived."""
        if len(data) < self._missing:
            self._missing -= len(data)
            return
        heads = data[self._missing :: self._size]
        if heads.count(self._head) != len(heads):
            raise LoadError("something else than the PUBLISH packets of this run arrived")
        count, rest = divmod(len(data) - self._missing, self._size)
        self._arrived(count + (self._missing > 0))
        self._missing = self._size - rest if rest else 0

    def _arrived(self, count: int) -> None:
        if count:
            self.count += count
            self.last_at = time.monotonic()
            self._progress.set()
            if self.count >= self._wanted:
                self._complete.set()


class AcknowledgingReceiver(Receiver):
    """Counts QoS 1 messages, and acknowledges them."""

    qos = 1

    def __init__(self, client: Client, size: int, progress: asyncio.Event, id_at: int) -> None:
        super().__init__(client, size, progress)
        self._id_at = id_at
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Count what arrived, and acknowledge it."""
        data = self._rest + data
        count, rest = divmod(len(data), self._size)
        self._rest = data[len(data) - rest :]
        if not count:
            return
        whole = data[: count * self._size]
        if whole[:: self._size].count(self._head) != count:
            raise LoadError("something else than the PUBLISH packets of this run arrived")
        self._client.transport.write(wire.pubacks(whole, self._size, self._id_at))
        self._arrived(count)


class HandshakingReceiver(AcknowledgingReceiver):
    """Counts QoS 2 messages, and answers PUBLISH by PUBREC and PUBREL by PUBCOMP."""

    qos = 2

    def feed(self, data: bytes) -> None:
        """Count what arrived, and answer it."""
        data = self._rest + data
        size, id_at, publish = self._size, self._id_at, self._head[0]
        at = count = 0
        answers = bytearray()
        while len(data) - at >= wire.ACK_SIZE:
            if data[at] == wire.PUBREL:
                answers += b"\x70\x02" + data[at + 2 : at + 4]
                at += wire.ACK_SIZE
            elif data[at] != publish:
                raise LoadError(f"0x{data[at]:02x} where PUBLISH or PUBREL were expected")
            elif len(data) - at < size:
                break
            else:
                answers += b"\x50\x02" + data[at + id_at : at + id_at + 2]
                at += size
                count += 1
        self._rest = data[at:]
        self._client.transport.write(bytes(answers))
        self._arrived(count)


def receiver(client: Client, qos: int, packet: bytes, topic: str, progress: asyncio.Event) -> Receiver:
    """Return a receiver for packets like this one."""
    if not qos:
        return Receiver(client, len(packet), progress)
    id_at = packet.index(topic.encode()) + len(topic)
    kind = AcknowledgingReceiver if qos == 1 else HandshakingReceiver
    return kind(client, len(packet), progress, id_at)
