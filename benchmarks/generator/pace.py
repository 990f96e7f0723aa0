"""Jobs that go at a steady pace."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import deque
from collections.abc import Callable

from benchmarks.generator import wire
from benchmarks.generator.clients import Client, Job, LoadError, open_clients

TOPIC, FILTER = "bench/00000", "bench/+"
FILTERS_OF_A_CLIENT, FILTERS_AT_ONCE = 1_000, 100
OTHERS = ("bench/{}/state", "plant/{}/+/value", "plant/+/{}/alarm", "other/{}/#")

Say = Callable[[Job], None]


async def round_trip(job: Job) -> Job:
    """Send messages to another client, so many a second; return the seconds that each was under way."""
    (receiver,) = await open_clients(job, "receiver", 1)
    (sender,) = await open_clients(job, "sender", 1)
    await receiver.subscribe([FILTER], 0)
    packet = wire.publish(TOPIC, b"x" * job["bytes"])
    under_way: deque[float] = deque()
    seconds: list[float] = []
    done = asyncio.Event()

    def arrived(data: bytes) -> None:
        now = time.monotonic()
        count, rest = divmod(len(data), len(packet))
        if rest or data != packet * count:
            raise LoadError(f"{len(data)} bytes arrived where packets of {len(packet)} bytes were expected")
        seconds.extend(now - under_way.popleft() for _ in range(count))
        if len(seconds) == job["messages"]:
            done.set()

    receiver.on_data = arrived
    start = time.monotonic() + 0.1
    for number in range(job["messages"]):
        if (early := start + number / job["rate"] - time.monotonic()) > 0:
            await asyncio.sleep(early)
        under_way.append(time.monotonic())
        sender.transport.write(packet)
    await done.wait()
    return {"seconds": seconds}


async def hold(job: Job, say: Say) -> Job:
    """Connect clients of their own credentials at a steady rate, and keep them until told to end.

    Says {"sent": when each sent its CONNECT, "late": how far behind the rate the last one was}, and at the end returns
    {"lost": when each one's connection was closed by the broker, or null}.  With a keep alive each of them pings.
    """
    keep_alive = job.get("keep_alive", 0)
    pending = []
    start = time.monotonic() + 0.1
    for number, (client_id, username, password) in enumerate(job["clients"]):
        await asyncio.sleep(max(0.0, start + number / job["rate"] - time.monotonic()))
        own = {**job, "username": username, "password": password}
        pending.append(asyncio.create_task(Client.open(own, client_id, keep_alive=keep_alive, on_data=_expect_pong)))
    clients = await asyncio.gather(*pending)
    sent = [client.sent_at for client in clients]
    late = max(at - start - number / job["rate"] for number, at in enumerate(sent))
    pings = asyncio.create_task(_ping(clients, keep_alive)) if keep_alive else None
    say({"sent": sent, "late": late})
    await told_to_end()
    if pings is not None:
        pings.cancel()
    return {"lost": [client.lost_at for client in clients]}


async def _ping(clients: list[Client], keep_alive: float) -> None:
    """Let each client ping once in its keep alive, one after the other."""
    start = time.monotonic()
    for number, client in enumerate(itertools.cycle(clients), 1):
        client.transport.write(wire.PINGREQ)
        await asyncio.sleep(max(0.0, start + number * keep_alive / len(clients) - time.monotonic()))


def _expect_pong(data: bytes) -> None:
    if data != wire.PINGRESP:
        raise LoadError(f"a PINGREQ was answered by {data[:20].hex()}")


async def crowd(job: Job, say: Say) -> Job:
    """Subscribe to filters with the numbers from "first" to "last" that no message of other jobs matches; stay."""
    for first in range(job["first"], job["last"], FILTERS_OF_A_CLIENT):
        client = await Client.open(job, f"crowd-{first}")
        last = min(first + FILTERS_OF_A_CLIENT, job["last"])
        filters = [OTHERS[number % len(OTHERS)].format(number) for number in range(first, last)]
        for start in range(0, len(filters), FILTERS_AT_ONCE):
            await client.subscribe(filters[start : start + FILTERS_AT_ONCE], 0)
    say({})
    await told_to_end()
    return {}


async def told_to_end() -> None:
    """Wait for the line that ends a job."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
