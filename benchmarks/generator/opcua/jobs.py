"""The jobs of the OPC UA load: what each does, and what it answers."""

from __future__ import annotations

import heapq
import random
import select
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asyncua import ua

from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.opcua import doors, wire
from benchmarks.generator.opcua.askers import Asker, ask_until
from benchmarks.generator.opcua.doors import Door
from benchmarks.generator.opcua.sessions import PATIENCE, Session, enter
from benchmarks.generator.throughput import Watch

Say = Callable[[Job], None]

WARM_UP = 0.2  # seconds


def node(job: Job, number: int) -> str:
    """Return the node id of one of the variables."""
    return f"ns={job['namespace']};s={job['username']}/v{number % job['variables']}"


async def prepare(job: Job) -> Job:
    """Write each variable once, which creates them where they are not there yet."""
    (session,) = enter(await doors.find(job), 1)
    session.write(*(node(job, number) for number in range(job["variables"])))
    return {}


async def requests(job: Job) -> Job:
    """Read or write for some seconds, each client one value after the other; return how many a second."""
    askers, descriptors, sessions = await _askers(job)
    _for(askers, descriptors, WARM_UP)
    watch = Watch(job["pids"])
    count = _for(askers, descriptors, job["seconds"])
    return watch.answer(count, time.monotonic())


async def flood(job: Job, say: Say) -> Job:
    """Read or write until told to end; say when it begins."""
    askers, descriptors, sessions = await _askers(job)
    say({})
    watch = Watch(job["pids"])
    with select.epoll() as told:
        told.register(sys.stdin, select.EPOLLIN)
        count = ask_until(askers, descriptors, lambda: bool(told.poll(0)))
    return watch.answer(count, time.monotonic())


async def _askers(job: Job) -> tuple[list[Asker], list[int], list[Session]]:
    sessions = enter(await doors.find(job), job["clients"])
    askers = [Asker(session, job["kind"], node(job, number)) for number, session in enumerate(sessions)]
    return askers, [session.link.socket.fileno() for session in sessions], sessions


def _for(askers: list[Asker], descriptors: list[int], seconds: float) -> int:
    """Let all ask for so long, and wait for what is under way."""
    until = time.monotonic() + seconds
    return ask_until(askers, descriptors, lambda: time.monotonic() >= until)


async def connects(job: Job) -> Job:
    """Connect clients, some at a time, all of which stay; return how many a second were let in."""
    door = await doors.find(job)
    enter(door, 3)
    watch = Watch(job["pids"])
    there = enter(door, job["clients"])
    answer = watch.answer(len(there), time.monotonic())
    for session in there:
        session.link.socket.close()
    return answer


async def hold(job: Job, say: Say) -> Job:
    """Keep sessions that do nothing but read a value now and then, until told to end; return how many were lost.

    With "subscribe" each monitors that value too.
    """
    door = await doors.find(job)
    sessions = enter(door, job["clients"])
    if job.get("subscribe"):
        for session in sessions:
            session.subscribe(node(job, 0), 50.0)
    say({"sessions": len(sessions)})
    lost: set[int] = set()
    by_descriptor = {session.link.socket.fileno(): session for session in sessions}
    read = wire.read(node(job, 0))
    with select.epoll() as arrivals:
        arrivals.register(sys.stdin, select.EPOLLIN)
        for descriptor in by_descriptor:
            arrivals.register(descriptor, select.EPOLLIN)
        start, turn = time.monotonic(), 0
        while True:
            due = start + turn * job["every"] / len(sessions)
            for descriptor, _ in arrivals.poll(max(0.0, due - time.monotonic())):
                if descriptor == sys.stdin.fileno():
                    return {"lost": len(lost)}
                if not _goes_on(by_descriptor[descriptor]):
                    arrivals.unregister(descriptor)
                    lost.add(descriptor)
            if time.monotonic() >= due:
                session = sessions[turn % len(sessions)]
                turn += 1
                if session.link.socket.fileno() not in lost:
                    session.send(ua.ObjectIds.ReadRequest_Encoding_DefaultBinary, read)


def _goes_on(session: Session) -> bool:
    """Take what has arrived; return whether the session still stands."""
    try:
        for answer in session.link.receive():
            wire.check_good(session.channel.unpack(answer))
    except (LoadError, OSError):
        return False
    return True


class Subscriber:
    """Waits for the notification of one value."""

    def __init__(self, session: Session, node_id: str, interval: float) -> None:
        self.session = session
        self.write = wire.write(node_id)[: -wire.DOUBLE.size]
        self.subscription = session.subscribe(node_id, interval)
        self.value = b""  # that was written
        self.written_at = 0.0

    def took(self) -> float | None:
        """Take what has arrived; return the seconds since the write if its notification is there."""
        seconds = None
        for answer in self.session.link.receive():
            now = time.monotonic()
            body = self.session.channel.unpack(answer)
            wire.check_good(body)
            self.session.publish(wire.publish(self.subscription, wire.sequence_number_of(body)))
            if self.value and self.value in body:
                seconds = now - self.written_at
                self.value = b""
        return seconds


async def latency(job: Job) -> Job:
    """Write at random moments; return the seconds from each write to the notification that another client gets."""
    door = await doors.find(job)
    subscribers = _subscribers(door, job)
    (writer,) = enter(door, 1)
    draw = random.Random(1)
    low, high = job["pause"]
    due = [(time.monotonic() + 0.5 + draw.uniform(0, high), number) for number in range(len(subscribers))]
    heapq.heapify(due)
    by_descriptor = {one.session.link.socket.fileno(): one for one in subscribers}
    numbers = {id(one): number for number, one in enumerate(subscribers)}
    seconds: list[float] = []
    written = 0
    with select.epoll() as arrivals:
        for descriptor in by_descriptor:
            arrivals.register(descriptor, select.EPOLLIN)
        while len(seconds) < job["writes"]:
            pause = max(0.0, due[0][0] - time.monotonic()) if due else 1.0
            for descriptor, _ in arrivals.poll(pause):
                one = by_descriptor[descriptor]
                took = one.took()
                if took is not None:
                    seconds.append(took)
                    heapq.heappush(due, (time.monotonic() + draw.uniform(low, high), numbers[id(one)]))
            if any(one.value and time.monotonic() > one.written_at + PATIENCE for one in subscribers):
                raise LoadError("a notification did not arrive")
            if due and time.monotonic() >= due[0][0]:
                one = subscribers[heapq.heappop(due)[1]]
                written += 1
                one.value, one.written_at = wire.DOUBLE.pack(written + 0.123456789), time.monotonic()
                wire.check_results(writer.ask(ua.ObjectIds.WriteRequest_Encoding_DefaultBinary, one.write + one.value))
    return {"seconds": seconds}


def _subscribers(door: Door, job: Job) -> list[Subscriber]:
    sessions = enter(door, job["clients"])
    return [Subscriber(one, node(job, number), job["interval"]) for number, one in enumerate(sessions)]


def jobs(say: Say) -> dict[str, Callable[[Job], Awaitable[Any]]]:
    """Return all jobs by name."""
    return {
        "opcua_prepare": prepare,
        "opcua_requests": requests,
        "opcua_flood": lambda job: flood(job, say),
        "opcua_connects": connects,
        "opcua_hold": lambda job: hold(job, say),
        "opcua_latency": latency,
    }
