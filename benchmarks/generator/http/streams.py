"""Streams of events: how soon a change by MQTT is told, and many on which nothing is told."""

from __future__ import annotations

import asyncio
import json
import random
import time
from urllib.parse import quote

from benchmarks.generator import wire as mqtt
from benchmarks.generator.clients import AT_ONCE, Client, Job, LoadError
from benchmarks.generator.http import wire
from benchmarks.generator.pace import Say, told_to_end
from benchmarks.generator.throughput import Watch

TOPIC = "bench/change"
_DATA = b"data:"


class Stream:
    """One open stream of events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def open(cls, job: Job, topic_filter: str) -> Stream:
        """Ask for the messages of a filter, and wait until the stream has begun."""
        reader, writer = await asyncio.open_connection("127.0.0.1", job["port"])
        headers = {"Authorization": wire.basic(job["username"], job["password"])}
        writer.write(wire.request("GET", f"/api/v1/messages?filter={quote(topic_filter, safe='')}", headers))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            writer.close()
            raise LoadError(f"a stream was answered by {head[:80].decode(errors='replace')}")
        return cls(reader, writer)

    async def next(self) -> Job:
        """Return what the next event holds."""
        while line := await self._reader.readline():
            if line.startswith(_DATA):
                found: Job = json.loads(line[len(_DATA) :])
                return found
        raise LoadError("the server closed a stream")

    async def ended(self) -> None:
        """Wait until the server closes it; pass over what it says."""
        while await self._reader.read(65_536):
            pass


async def events(job: Job) -> Job:
    """Publish by MQTT at random moments; return the seconds from each PUBLISH to its event on a stream."""
    publisher = await Client.open({**job, **job["mqtt"]}, "publisher")
    stream = await Stream.open(job, TOPIC)
    sent_at: list[float] = []
    draw = random.Random(1)

    async def publish() -> None:
        for number in range(job["messages"]):
            await asyncio.sleep(draw.uniform(0, 2 / job["rate"]))
            sent_at.append(time.monotonic())
            publisher.transport.write(mqtt.publish(TOPIC, str(number).encode()))

    watch = Watch(job["pids"])
    publishing = asyncio.create_task(publish())
    seconds = []
    for number in range(job["messages"]):
        told = await stream.next()
        if told.get("value") != number:
            raise LoadError(f"change {number} was told as {told}")
        seconds.append(time.monotonic() - sent_at[number])
    await publishing
    stream.writer.close()
    return watch.answer(len(seconds), time.monotonic()) | {"seconds": seconds}


async def hold(job: Job, say: Say) -> Job:
    """Open streams on which nothing is told, keep them until told to end; return how many the server closed."""
    numbers, opened = iter(range(job["clients"])), []

    async def open_some() -> None:
        for number in numbers:
            opened.append(await Stream.open(job, f"silent/{number}"))

    await asyncio.gather(*(open_some() for _ in range(min(AT_ONCE, job["clients"]))))
    ends = [asyncio.create_task(stream.ended()) for stream in opened]
    say({"streams": len(opened)})
    await told_to_end()
    lost = sum(end.done() for end in ends)
    for end, stream in zip(ends, opened, strict=True):
        end.cancel()
        stream.writer.close()
    return {"lost": lost}
