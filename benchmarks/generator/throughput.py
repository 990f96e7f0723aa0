"""Jobs that publish as quickly as the broker takes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks import processes
from benchmarks.generator import receivers, wire
from benchmarks.generator.clients import Client, Job, LoadError, open_clients
from benchmarks.generator.receivers import Receiver
from benchmarks.generator.streams import AcknowledgedStream, Flight, Stream

PATIENCE = 5  # seconds for the next of what was sent to arrive
TOPIC = "bench/{:05}"
FILTER = "bench/+"


async def throughput(job: Job) -> Job:
    """Publish for some seconds; wait until every subscriber has every message."""
    qos, level, payload = job["qos"], job["level"], b"x" * job["bytes"]
    topics = [TOPIC.format(number) for number in range(job["topics"])]
    packets = [wire.publish(topic, payload, qos, level=level) for topic in topics]
    subscribed: list[Receiver] = []
    progress = asyncio.Event()
    for client in await open_clients(job, "subscriber", job["subscribers"]):
        await client.subscribe([FILTER], qos)
        subscribed.append(receivers.receiver(client, qos, packets[0], topics[0], progress))
    flight = Flight(subscribed, progress, job["deliveries"])
    publishers: list[Stream | AcknowledgedStream] = [
        AcknowledgedStream(client, topics[0], payload, qos)
        if qos
        else Stream(client, packets, flight, joined=job["joined"])
        for client in await open_clients(job, "publisher", job["publishers"])
    ]
    watch = Watch(job["pids"])
    await asyncio.gather(*(publisher.run(watch.start + job["seconds"]) for publisher in publishers))
    sent = sum(publisher.sent for publisher in publishers)
    await _settle(subscribed, sent)
    received = sum(receiver.count for receiver in subscribed)
    return watch.answer(received, max(receiver.last_at for receiver in subscribed)) | {
        "sent": sent,
        "lost": sent * len(subscribed) - received,
    }


async def offline(job: Job) -> Job:
    """Publish QoS 1 to a durable session that is offline, as quickly as it is acknowledged; then fetch everything."""
    payload, topic = b"x" * job["bytes"], TOPIC.format(0)
    absent = await Client.open(job, "absent", clean=False)
    await absent.subscribe([FILTER], 1)
    await absent.leave()
    publisher = AcknowledgedStream(await Client.open(job, "publisher"), topic, payload, 1, at_most=job["at_most"])
    watch = Watch(job["pids"])
    await publisher.run(watch.start + job["seconds"])
    answer = watch.answer(publisher.sent, time.monotonic())
    early: list[bytes] = []  # what arrives in one piece with CONNACK
    returned = await Client.open(job, "absent", clean=False, on_data=early.append)
    receiver = receivers.receiver(returned, 1, wire.publish(topic, payload, 1), topic, asyncio.Event())
    receiver.feed(b"".join(early))
    await _settle([receiver], publisher.sent)
    if receiver.count > publisher.sent:
        raise LoadError(f"{receiver.count:,} messages arrived of {publisher.sent:,} sent")
    await returned.leave()
    await Client.open(job, "absent")  # ends the session
    return answer | {"sent": publisher.sent, "lost": publisher.sent - receiver.count}


class Watch:
    """The clock of a run, and the processor time of the broker and of the load."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._broker, self._load = processes.cpu_seconds(pids), time.process_time()
        self.start = time.monotonic()

    def answer(self, count: int, end: float) -> Job:
        """Return the rate of what was counted until a time, and the shares of a core used so far."""
        now = time.monotonic() - self.start
        return {
            "rate": count / (end - self.start),
            "broker_cpu": (processes.cpu_seconds(self._pids) - self._broker) / now,
            "load_cpu": (time.process_time() - self._load) / now,
        }


async def _settle(subscribed: list[Receiver], sent: int) -> None:
    """Wait until everything has arrived, or nothing arrives any more."""
    waiting = {asyncio.create_task(receiver.wait_for(sent)) for receiver in subscribed}
    before = -1
    while waiting and (count := sum(receiver.count for receiver in subscribed)) > before:
        before = count
        _, waiting = await asyncio.wait(waiting, timeout=PATIENCE)
    for task in waiting:
        task.cancel()
