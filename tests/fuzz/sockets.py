"""Random clients of a real server on real sockets, beside two that must not notice them."""

from __future__ import annotations

import asyncio
import base64
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.fuzz.bystanders import Bystander, exchange
from tests.fuzz.target import Target
from tests.fuzz.writer import Writer, answers, cut, mutated
from tests.protocols.mqtt import mqtt_wire as wire

CLIENTS = 12  # at once
ROUND = 15.0  # seconds between looks at what is left
GROWTH = 64 << 20  # bytes that the process may have more than after the first round
_SLOW = 0.3  # seconds to wait for a server that does not read


class Attack:
    """One client, from its first byte to its last."""

    def __init__(self, seed: str, ports: dict[str, int]) -> None:
        self._random = Random(seed)
        self._is_web = self._random.random() < 0.2
        self._port = ports["ws" if self._is_web else "tcp"]
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
                self._leave(writer)

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

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        match self._random.randrange(3):
            case 0:  # with a reset
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            case 1:
                writer.transport.abort()
            case _:
                writer.close()


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


class Run:
    """Attacks until the time is over, and looks in between at what they leave."""

    def __init__(self, seed: int, target: Target) -> None:
        self.number = 0
        self.exchanged = 0
        self.slowest = 0.0
        self.under_way: set[int] = set()
        self._seed = seed
        self._target = target

    async def go(self, seconds: float, only: int | None = None) -> None:
        """Attack for so many seconds, or with one attack of a former run only."""
        pair = Bystander(4), Bystander(5)
        for one in pair:
            await one.connect(self._target.ports["tcp"])
        until = time.monotonic() + seconds
        size = 0
        while (now := time.monotonic()) < until:
            await self._round(pair, min(until, now + ROUND), only)
            await asyncio.to_thread(self._target.settle, len(pair))
            size = size or _resident()
            assert _resident() < size + GROWTH, f"grown from {size:,} to {_resident():,} bytes"
        for one in pair:
            one.close()

    async def _round(self, pair: tuple[Bystander, Bystander], until: float, only: int | None) -> None:
        async with asyncio.TaskGroup() as group:
            attacks = [group.create_task(self._attack(until, only)) for _ in range(CLIENTS)]
            group.create_task(self._watch(pair, attacks))

    async def _attack(self, until: float, only: int | None) -> None:
        while time.monotonic() < until:
            number = self.number if only is None else only
            self.number += 1
            self.under_way.add(number)
            await Attack(f"{self._seed}/{number}", self._target.ports).run()
            assert not self._target.faults, "\n".join(self._target.faults)
            self.under_way.discard(number)

    async def _watch(self, pair: tuple[Bystander, Bystander], attacks: list[asyncio.Task[None]]) -> None:
        while not all(attack.done() for attack in attacks):
            took = await exchange(*pair, self.exchanged)
            self.slowest = max(self.slowest, took)
            self.exchanged += 1
            await asyncio.sleep(0.005)


def run(seed: int, seconds: float, folder: Path, only: int | None = None) -> Run:
    """Attack a new server; raises what went wrong, with what was under way."""
    target = Target(folder)
    attempt = Run(seed, target)
    try:
        try:
            asyncio.run(attempt.go(seconds, only))
        finally:
            target.end()
    except BaseException as error:
        error.add_note(f"seed {seed}; under way were attacks {sorted(attempt.under_way)}")
        raise
    return attempt


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
