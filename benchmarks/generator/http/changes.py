"""Many topics, some of which change all the time."""

from __future__ import annotations

import asyncio
import random
import time

from benchmarks.generator import wire
from benchmarks.generator.clients import Client, Job, LoadError
from benchmarks.generator.pace import Say, told_to_end
from benchmarks.generator.throughput import Watch

BELOW = 1_000  # topics below one level
AT_ONCE = 50  # messages in a write


async def change(job: Job, say: Say) -> Job:
    """Publish to each topic once; then to the first of them so many times a second each, until told to end.

    Returns how many messages a second that were, and how busy the load was.
    """
    client = await Client.open(job, "changes")
    topics = [f"live/{number // BELOW:03}/{number % BELOW:03}" for number in range(job["topics"])]
    for start in range(0, len(topics), AT_ONCE):
        await client.writable.wait()
        client.transport.write(b"".join(wire.publish(topic, b"0.5") for topic in topics[start : start + AT_ONCE]))
    say({})
    ending = asyncio.create_task(told_to_end())
    watch, sent = Watch(job["pids"]), 0
    changing = topics[: job["changing"]]
    random.Random(1).shuffle(changing)  # those on one page do not change all at once
    while not ending.done():
        part = [changing[(sent + place) % len(changing)] for place in range(AT_ONCE)]
        await client.writable.wait()
        if client.lost_at is not None:
            raise LoadError("the broker closed the connection")
        client.transport.write(b"".join(wire.publish(topic, b"%d.5" % (sent + 1)) for topic in part))
        sent += AT_ONCE
        due = watch.start + sent / (len(changing) * job["rate"])
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return watch.answer(sent, time.monotonic())
