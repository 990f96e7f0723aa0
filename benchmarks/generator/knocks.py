"""Clients that nobody knows, each of which tries once a second for ever."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from benchmarks.generator import wire
from benchmarks.generator.clients import Job

PERIOD = 1.0  # seconds between the beginnings of two tries of one client


async def knocks(job: Job) -> Job:
    """Have `clients` of so many `addresses` try for `seconds`; return how many tries were begun, and answered."""
    until = time.monotonic() + job["seconds"]
    counts = {"tries": 0, "answers": 0}
    await asyncio.gather(*(_insist(job, number, until, counts) for number in range(job["clients"])))
    return counts


async def _insist(job: Job, number: int, until: float, counts: dict[str, int]) -> None:
    packet = wire.connect(f"flood-{number}", f"flood-{number}", f"made-up-{number}")
    own = number % job["addresses"]
    address = f"127.{1 + own // 250}.0.{1 + own % 250}"
    await asyncio.sleep(number / job["clients"] * PERIOD)
    while (began := time.monotonic()) < until:
        counts["tries"] += 1
        with suppress(OSError, TimeoutError):
            counts["answers"] += await asyncio.wait_for(_try(job["port"], address, packet), until - began + PERIOD)
        await asyncio.sleep(max(0.0, began + PERIOD - time.monotonic()))


async def _try(port: int, address: str, packet: bytes) -> int:
    """Return 1 if the broker answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(packet)
        return int(bool(await reader.read(4)))
    finally:
        writer.close()
