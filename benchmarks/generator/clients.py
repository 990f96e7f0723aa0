"""One connection of the load, and how many are opened."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

from benchmarks.generator import wire

Job = dict[str, Any]
AT_ONCE = 50  # connections under way


class LoadError(Exception):
    """The broker did something that the load cannot measure."""


class Client(asyncio.Protocol):
    """One connection; `on_data` gets everything after CONNACK."""

    transport: asyncio.Transport

    def __init__(self, connect: bytes, level: int) -> None:
        self.level = level
        self._connect = connect
        self._early = b""  # a CONNACK in parts
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.on_data: Callable[[bytes], None] = self._unexpected
        self.sent_at = 0.0  # of CONNECT, by time.monotonic(), which all processes of a machine share
        self.lost_at: float | None = None

    @classmethod
    async def open(
        cls,
        job: Job,
        client_id: str,
        *,
        clean: bool = True,
        keep_alive: int = 0,
        on_data: Callable[[bytes], None] | None = None,
    ) -> Client:
        """Connect with a job's credentials and level, and wait for CONNACK."""
        level = job.get("level", wire.LEVEL_3_1_1)
        packet = wire.connect(
            client_id, job["username"], job["password"], level=level, clean=clean, keep_alive=keep_alive
        )
        made = cls(packet, level)
        if on_data is not None:
            made.on_data = on_data
        await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", job["port"])
        await made.accepted
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.sent_at = time.monotonic()
        self.transport.write(self._connect)

    def data_received(self, data: bytes) -> None:
        if self.accepted.done():
            self.on_data(data)
            return
        self._early += data
        end = wire.accepted(self._early)
        if end < 0:
            self.accepted.set_exception(LoadError(f"CONNECT was answered by {self._early.hex()}"))
        elif end:
            self.accepted.set_result(None)
            if rest := self._early[end:]:
                self.on_data(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_at = time.monotonic()
        self.closed.set()
        self.writable.set()
        if not self.accepted.done():
            self.accepted.set_exception(LoadError("closed instead of CONNACK"))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def subscribe(self, filters: list[str], qos: int) -> None:
        """Subscribe, and wait for SUBACK."""
        wanted = wire.suback(len(filters), qos, level=self.level)
        arrived = bytearray()
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def collect(data: bytes) -> None:
            arrived.extend(data)
            if len(arrived) >= len(wanted) and not answered.done():
                answered.set_result(None)

        self.on_data = collect
        self.transport.write(wire.subscribe(filters, qos, level=self.level))
        await answered
        self.on_data = self._unexpected
        if arrived != wanted:
            raise LoadError(f"SUBSCRIBE was answered by {arrived[:40].hex()}")

    async def leave(self) -> None:
        """Disconnect, and wait until the broker has closed the connection."""
        self.transport.write(wire.DISCONNECT)
        await self.closed.wait()

    def _unexpected(self, data: bytes) -> None:
        raise LoadError(f"{len(data)} unexpected bytes: {data[:20].hex()}")


async def open_clients(job: Job, name: str, count: int) -> list[Client]:
    """Connect clients of one integration, `AT_ONCE` at a time."""
    numbers = iter(range(count))
    clients: list[Client] = []

    async def open_some() -> None:
        for number in numbers:
            clients.append(await Client.open(job, f"{name}-{number}"))

    await asyncio.gather(*(open_some() for _ in range(min(AT_ONCE, count))))
    return clients
