"""The load's own process: `python -m benchmarks.generator` reads a job as a line of JSON, and prints what it saw.

`benchmarks.load` starts it.  Times are those of time.monotonic(), which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from benchmarks import processes, wire
from benchmarks.streams import AcknowledgedStream, Client, Flight, LoadError, Receiver, Stream

try:
    import uvloop as loops
except ImportError:  # where it has no wheel
    import asyncio as loops  # type: ignore[no-redef]

Job = dict[str, Any]
AT_ONCE = 50  # connections under way
PATIENCE = 30  # seconds for what was sent to arrive
TOPIC = "bench/{:04}"


async def throughput(job: Job) -> Job:
    """Publish for some seconds; wait until every subscriber has every message."""
    qos, payload = job["qos"], b"x" * job["bytes"]
    topics = [TOPIC.format(number) for number in range(job["topics"])]
    size, id_at = len(wire.publish(topics[0], payload, qos)), 4 + len(topics[0])
    receivers: list[Receiver] = []
    progress = asyncio.Event()
    for client in await _open(job, "subscriber", job["subscribers"]):
        await client.subscribe("bench/+", qos)
        receivers.append(Receiver(client, size, qos, id_at, progress))
    flight = Flight(receivers, progress)
    publishers: list[Stream | AcknowledgedStream] = [
        AcknowledgedStream(client, topics[0], payload)
        if qos
        else Stream(client, [wire.publish(topic, payload) for topic in topics], flight, joined=job["joined"])
        for client in await _open(job, "publisher", job["publishers"])
    ]
    cpu = processes.cpu_seconds(job["pids"]), time.process_time()
    start = time.monotonic()
    await asyncio.gather(*(publisher.run(start + job["seconds"]) for publisher in publishers))
    sent = sum(publisher.sent for publisher in publishers)
    await _settle(receivers, sent)
    seconds = max(receiver.last_at for receiver in receivers) - start
    received = sum(receiver.count for receiver in receivers)
    return {
        "sent": sent,
        "lost": sent * len(receivers) - received,
        "rate": received / seconds,
        "broker_cpu": (processes.cpu_seconds(job["pids"]) - cpu[0]) / seconds,
        "load_cpu": (time.process_time() - cpu[1]) / seconds,
    }


async def _settle(receivers: list[Receiver], sent: int) -> None:
    """Wait until everything has arrived, or for long."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(receiver.wait_for(sent) for receiver in receivers)), PATIENCE)


async def round_trip(job: Job) -> Job:
    """Send one message at a time to another client; return the seconds of each."""
    (receiver,) = await _open(job, "receiver", 1)
    (sender,) = await _open(job, "sender", 1)
    await receiver.subscribe("bench/+", 0)
    packet = wire.publish(TOPIC.format(0), b"x" * job["bytes"])
    seconds: list[float] = []
    done = asyncio.Event()
    sent_at = 0.0

    def send() -> None:
        nonlocal sent_at
        sent_at = time.monotonic()
        sender.transport.write(packet)

    def arrived(data: bytes) -> None:
        if data != packet:
            raise LoadError(f"{len(data)} bytes arrived instead of the {len(packet)} sent")
        seconds.append(time.monotonic() - sent_at)
        if len(seconds) < job["messages"]:
            send()
        else:
            done.set()

    receiver.on_data = arrived
    send()
    await done.wait()
    return {"seconds": seconds}


async def connects(job: Job) -> Job:
    """Connect many clients, some at a time, all of which stay; return how many a second got their CONNACK."""
    start = time.monotonic()
    clients = await _open(job, "client", job["clients"])
    return {"rate": len(clients) / (time.monotonic() - start)}


async def hold(job: Job) -> Job:
    """Connect clients of their own credentials at a steady rate, and keep them until told to end.

    Prints {"sent": when each sent its CONNECT, "late": how far behind the rate the last one was}, and at the end
    returns {"lost": when each one's connection was closed by the broker, or null}.
    """
    start = time.monotonic() + 0.1
    pending = []
    for number, (client_id, username, password) in enumerate(job["clients"]):
        await asyncio.sleep(max(0.0, start + number / job["rate"] - time.monotonic()))
        pending.append(asyncio.create_task(Client.open(job["port"], client_id, username, password)))
    clients = await asyncio.gather(*pending)
    sent = [client.sent_at for client in clients]
    late = max(at - start - number / job["rate"] for number, at in enumerate(sent))
    _say({"sent": sent, "late": late})
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    return {"lost": [client.lost_at for client in clients]}


async def _open(job: Job, name: str, count: int) -> list[Client]:
    """Connect clients of one integration, `AT_ONCE` at a time."""
    numbers = iter(range(count))
    clients: list[Client] = []

    async def open_some() -> None:
        for number in numbers:
            clients.append(await Client.open(job["port"], f"{name}-{number}", job["username"], job["password"]))

    await asyncio.gather(*(open_some() for _ in range(min(AT_ONCE, count))))
    return clients


JOBS: dict[str, Callable[[Job], Awaitable[Job]]] = {
    "throughput": throughput,
    "round_trip": round_trip,
    "connects": connects,
    "hold": hold,
}


def _say(answer: Job) -> None:
    print(json.dumps(answer), flush=True)


async def _run(job: Job) -> None:
    """Run a job to its end, or to the first fault in one of its clients."""
    loop = asyncio.get_running_loop()
    fault: asyncio.Future[None] = loop.create_future()

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not fault.done():
            fault.set_exception(context.get("exception") or LoadError(context["message"]))

    loop.set_exception_handler(note)
    work = asyncio.ensure_future(JOBS[job["job"]](job))
    either: set[asyncio.Future[Any]] = {work, fault}
    await asyncio.wait(either, timeout=job["timeout"], return_when=asyncio.FIRST_COMPLETED)
    if fault.done():
        fault.result()
    if not work.done():
        raise LoadError(f"{job['job']} took longer than {job['timeout']} s")
    _say(work.result())


if __name__ == "__main__":
    processes.raise_file_limit()
    gc.disable()  # a pause of the load would look like one of the broker
    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        runner.run(_run(json.loads(sys.stdin.readline())))
