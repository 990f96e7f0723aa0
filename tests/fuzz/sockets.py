"""Random MQTT clients of a real server on real sockets."""

from __future__ import annotations

import asyncio
import base64
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.fuzz import running
from tests.fuzz.target import Target
from tests.fuzz.writer import Writer, answers, cut, mutated
from tests.protocols.mqtt import mqtt_wire as wire

_SLOW = 0.3  # seconds to wait for a server that does not read


class Attack:
    """One client, from its first byte to its last."""

    def __init__(self, seed: str, number: int, target: Target) -> None:
        self._random = Random(f"{seed}/{number}")
        self._is_web = self._random.random() < 0.2
        self._port = target.ports["ws" if self._is_web else "tcp"]
        self._writer = Writer(self._random, self._random.choice([4, 5]))
        self._polite = self._random.random() < 0.7
        self._reads = self._random.random() < 0.9
        self._rest = b""

    async def run(self) -> None:
        """Do it; that the server closes or resets the connection is as good an end as any."""
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
            try:
                await self._talk(reader, writer)
            finally:
                leave(self._random, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        random = self._random
        if self._is_web:
            writer.write(mutated(random, HANDSHAKE) if random.randrange(10) == 0 else HANDSHAKE)
        for packet in self._packets():
            for part in cut(random, packet):
                writer.write(frame(random, part) if self._is_web else part)
                if random.randrange(10) == 0:
                    await asyncio.sleep(random.random() * 0.01)
            await asyncio.wait_for(writer.drain(), _SLOW)
            if self._reads:
                await self._read(reader, writer)
        await asyncio.sleep(random.choice([0, 0, 0.02, 0.3]))

    def _packets(self) -> Iterator[bytes]:
        random = self._random
        match random.randrange(10):
            case 0:
                yield random.randbytes(random.randrange(1, 300))
            case 1:
                data = self._writer.connect()
                yield data[: random.randrange(1, len(data))]
            case 2:
                yield mutated(random, self._writer.connect())
            case _:
                yield self._writer.connect()
                for _ in range(random.choice([2, 20, 80])):
                    yield self._writer.packet()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what has arrived, and answer it."""
        try:
            data = await asyncio.wait_for(reader.read(1 << 20), 0.001)
        except TimeoutError:
            return
        if not data:
            raise ConnectionError
        if not self._polite or self._is_web:
            return
        found, self._rest = wire.split(self._rest + data)
        writer.writelines(answers(found))


HANDSHAKE = (
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: "
    + base64.b64encode(bytes(16))
    + b"\r\n\r\n"
)


def frame(random: Random, data: bytes) -> bytes:
    """Return a masked WebSocket frame, nearly always a right one."""
    opcode = 2 if random.randrange(50) else random.randrange(16)
    head = bytes(((0x80 if random.randrange(50) else 0) | opcode,))
    size = len(data)
    if size < 126:
        head += bytes((0x80 | size,))
    elif size < 65_536:
        head += b"\xfe" + size.to_bytes(2, "big")
    else:
        head += b"\xff" + size.to_bytes(8, "big")
    mask = random.randbytes(4)
    whole = mask * (size // 4 + 1)
    body = int.from_bytes(data, "big") ^ int.from_bytes(whole[:size], "big")
    data = head + mask + body.to_bytes(size, "big")
    return mutated(random, data) if random.randrange(200) == 0 else data


def leave(random: Random, writer: asyncio.StreamWriter) -> None:
    """End a connection in one way or another."""
    match random.randrange(3):
        case 0:  # with a reset
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        case 1:
            writer.transport.abort()
        case _:
            writer.close()


def run(seed: int, seconds: float, folder: Path, only: int | None = None) -> running.Run:
    """Attack a new server; raises what went wrong, with what was under way."""
    return running.run(Target(folder), Attack, seed, seconds, only)
