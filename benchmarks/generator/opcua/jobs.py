"""The jobs of the OPC UA load: what each does, and what it answers."""

from __future__ import annotations

import heapq
import random
import select
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any

from asyncua import ua

from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.opcua import doors, wire
from benchmarks.generator.opcua.askers import Asker, ask_until
from benchmarks.generator.opcua.leaving import leave
from benchmarks.generator.opcua.sessions import PATIENCE, Session, entered
from benchmarks.generator.throughput import Watch

Say = Callable[[Job], None]

WARM_UP = 0.2  # seconds


def node(job: Job, number: int) -> str:
    """Return the node id of one of the variables."""
    return f"ns={job['namespace']};s={job['username']}/v{number % job['variables']}"


async def prepare(job: Job) -> Job:
    """Write each variable once, which creates them where they are not there yet."""
    with entered(await doors.find(job), 1) as (session,):
        session.write(*(node(job, number) for number in range(job["variables"])))
    return {}


async def requests(job: Job) -> Job:
    """Read or write for some seconds, each client one value after the other; return how many a second."""
    with entered(await doors.find(job), job["clients"]) as sessions:
        askers = _askers(job, sessions)
        _ask_for(askers, WARM_UP)
        watch = Watch(job["pids"])
        count = _ask_for(askers, job["seconds"])
        return watch.answer(count, time.monotonic())


async def flood(job: Job, say: Say) -> Job:
    """Read or write until told to end; say when it begins."""
    with entered(await doors.find(job), job["clients"]) as sessions, select.epoll() as told:
        askers = _askers(job, sessions)
        told.register(sys.stdin, select.EPOLLIN)
        say({})
        watch = Watch(job["pids"])
        count = ask_until(askers, lambda: bool(told.poll(0)))
        return watch.answer(count, time.monotonic())


def _askers(job: Job, sessions: list[Session]) -> list[Asker]:
    """Return who asks; with several kinds, joined by "+", each kind in turn."""
    kinds = cycle(job["kind"].split("+"))
    return [
        Asker(session, kind, node(job, place))
        for place, (session, kind) in enumerate(zip(sessions, kinds, strict=False))
    ]


def _ask_for(askers: list[Asker], seconds: float) -> int:
    """Let all ask for so long; return how many answers there were."""
    until = time.monotonic() + seconds
    return ask_until(askers, lambda: time.monotonic() >= until)


async def connects(job: Job) -> Job:
    """Connect clients, some at a time, all of which stay; return how many a second were let in."""
    door = await doors.find(job)
    with entered(door, 3):
        pass
    watch = Watch(job["pids"])
    with entered(door, job["clients"]) as there:
        return watch.answer(len(there), time.monotonic())


async def hold(job: Job, say: Say) -> Job:
    """Keep sessions that do nothing but read a value now and then, until told to end; return how many were lost.

    With "subscribe" each monitors that value too.
    """
    with entered(await doors.find(job), job["clients"]) as sessions:
        if job.get("subscribe"):
            for session in sessions:
                session.subscribe(node(job, 0), 50.0)
        say({"sessions": len(sessions)})
        return {"lost": _keep(sessions, wire.read(node(job, 0)), job["every"])}


def _keep(sessions: list[Session], read: bytes, every: float) -> int:
    """Let each session read once in a while, until told to end; return how many were lost."""
    lost: set[int] = set()
    by_descriptor = {session.link.socket.fileno(): session for session in sessions}
    with select.epoll() as arrivals:
        for descriptor in (sys.stdin.fileno(), *by_descriptor):
            arrivals.register(descriptor, select.EPOLLIN)
        start, turn = time.monotonic(), 0
        while True:
            due = start + turn * every / len(sessions)
            for descriptor, _ in arrivals.poll(max(0.0, due - time.monotonic())):
                if descriptor == sys.stdin.fileno():
                    return len(lost)
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
        self._write = wire.write(node_id)[: -wire.DOUBLE.size]
        self.subscription = session.subscribe(node_id, interval)
        self.value = b""  # that was written
        self.written_at = 0.0
        self._number = 0

    def begin(self, writer: Session) -> None:
        """Have a value written that was never there before."""
        self._number += 1
        self.value, self.written_at = wire.DOUBLE.pack(self._number + 0.123456789), time.monotonic()
        wire.check_results(writer.ask(ua.ObjectIds.WriteRequest_Encoding_DefaultBinary, self._write + self.value))

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
    with entered(await doors.find(job), job["clients"] + 1) as (writer, *others):
        subscribers = [Subscriber(one, node(job, number), job["interval"]) for number, one in enumerate(others)]
        return {"seconds": _write(writer, subscribers, job["pause"], job["writes"])}


def _write(writer: Session, subscribers: list[Subscriber], pause: tuple[float, float], count: int) -> list[float]:
    """Write a value for each subscriber again and again, a random pause after it was seen."""
    draw = random.Random(1)
    by_descriptor = {one.session.link.socket.fileno(): one for one in subscribers}
    due = [(time.monotonic() + 0.5 + draw.uniform(0, pause[1]), descriptor) for descriptor in by_descriptor]
    heapq.heapify(due)
    seconds: list[float] = []
    with select.epoll() as arrivals:
        for descriptor in by_descriptor:
            arrivals.register(descriptor, select.EPOLLIN)
        while len(seconds) < count:
            for descriptor, _ in arrivals.poll(max(0.0, due[0][0] - time.monotonic()) if due else 1.0):
                took = by_descriptor[descriptor].took()
                if took is not None:
                    seconds.append(took)
                    heapq.heappush(due, (time.monotonic() + draw.uniform(*pause), descriptor))
            if any(one.value and time.monotonic() > one.written_at + PATIENCE for one in subscribers):
                raise LoadError("a notification did not arrive")
            if due and time.monotonic() >= due[0][0]:
                by_descriptor[heapq.heappop(due)[1]].begin(writer)
    return seconds


def jobs(say: Say) -> dict[str, Callable[[Job], Awaitable[Any]]]:
    """Return all jobs by name."""
    return {
        "opcua_prepare": prepare,
        "opcua_requests": requests,
        "opcua_flood": lambda job: flood(job, say),
        "opcua_connects": connects,
        "opcua_hold": lambda job: hold(job, say),
        "opcua_latency": latency,
        "opcua_leave": lambda job: leave(job, node, say),
    }
