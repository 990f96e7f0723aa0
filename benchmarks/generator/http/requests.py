"""One request after the other, or so many a second, over connections that stay open."""

from __future__ import annotations

import json
import select
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.http import wire
from benchmarks.generator.http.wire import Link
from benchmarks.generator.throughput import Watch

WARM_UP = 0.2  # seconds
BATCH = 1_000  # messages
FIRST = 10**8  # number that is written: all have as many digits
TOPIC = "bench/value"


@dataclass(slots=True)
class Kind:
    """A kind of request: the next one, and whether an answer is the right one."""

    next: Callable[[], bytes]
    is_good: Callable[[int, bytes], bool]


@contextmanager
def links(job: Job) -> Iterator[list[Link]]:
    """Connect so many times."""
    with ExitStack() as stack:
        found = [Link(job["port"]) for _ in range(job["clients"])]
        for link in found:
            stack.enter_context(closing(link.socket))
        yield found


def kind(job: Job) -> Kind:
    """Return what a job asks for."""
    headers = {"Authorization": wire.basic(job["username"], job["password"]), "Content-Type": "application/json"}
    return KINDS[job["kind"]](headers)


def _put(headers: dict[str, str]) -> Kind:
    numbers = iter(range(FIRST, 10 * FIRST))
    make = _with_number(lambda body: wire.request("PUT", f"/api/v1/values/{TOPIC}", headers, body), b"%d.5")
    return Kind(lambda: make(next(numbers)), lambda status, _: status in (200, 201, 204))


def _get(headers: dict[str, str]) -> Kind:
    asked = wire.request("GET", f"/api/v1/values/{TOPIC}", headers)
    return Kind(lambda: asked, lambda status, body: status == 200 and body.endswith(b".5"))


def _batch(headers: dict[str, str]) -> Kind:
    bodies = [[{"topic": f"bench/{place:04}", "value": value} for place in range(BATCH)] for value in (1.5, 2.5)]
    asked = [wire.request("POST", "/api/v1/messages", headers, json.dumps(body).encode()) for body in bodies]
    turns = iter(asked[turn % 2] for turn in range(10**9))
    return Kind(lambda: next(turns), lambda status, body: status == 200 and body.count(b",") == BATCH - 1)


def _peer_put(headers: dict[str, str]) -> Kind:
    """RabbitMQ's: publish to the queue, which keeps the last message."""
    numbers = iter(range(FIRST, 10 * FIRST))
    body = b'{"properties":{},"routing_key":"bench","payload":"%d.5","payload_encoding":"string"}'
    make = _with_number(
        lambda body: wire.request("POST", "/api/exchanges/%2F/amq.default/publish", headers, body), body
    )
    return Kind(lambda: make(next(numbers)), lambda status, body: status == 200 and body == b'{"routed":true}')


def _peer_get(headers: dict[str, str]) -> Kind:
    """RabbitMQ's: take the message, and put it back."""
    body = b'{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}'
    asked = wire.request("POST", "/api/queues/%2F/bench/get", headers, body)
    return Kind(lambda: asked, lambda status, body: status == 200 and b".5" in body)


def _with_number(make: Callable[[bytes], bytes], body: bytes) -> Callable[[int], bytes]:
    """Return what makes a request with a number in its body, of the same length each time."""
    before, _, after = make(body % FIRST).rpartition(b"%d" % FIRST)
    return lambda number: b"%b%d%b" % (before, number, after)


KINDS: dict[str, Callable[[dict[str, str]], Kind]] = {
    "put": _put,
    "get": _get,
    "batch": _batch,
    "peer_put": _peer_put,
    "peer_get": _peer_get,
}


async def requests(job: Job) -> Job:
    """Ask for some seconds, each connection again as soon as it has its answer; return how many a second."""
    asked = kind(job)
    with links(job) as there:
        ask_for(asked, there, WARM_UP)
        watch = Watch(job["pids"])
        count = ask_for(asked, there, job["seconds"])
        return watch.answer(count, time.monotonic())


def ask_for(asked: Kind, there: list[Link], seconds: float) -> int:
    """Let all connections ask for so long, and wait for the last answers; return how many there were."""
    count, under_way, until = 0, set(there), time.monotonic() + seconds
    give_up = until + wire.PATIENCE
    for link in there:
        link.send(asked.next())
    while under_way:
        for link in _answered(asked, under_way, wire.PATIENCE):
            count += 1
            if time.monotonic() < until:
                link.send(asked.next())
            else:
                under_way.remove(link)
        if time.monotonic() > give_up:
            raise LoadError("no answer came")
    return count


async def pace(job: Job) -> Job:
    """Ask so many times a second, whatever the answers; return the seconds from when each was due to its answer.

    A request that is due while no connection is free waits for one, which counts.
    """
    asked, seconds, late, last = kind(job), [], 0.0, 0.0
    with links(job) as there:
        ask_for(asked, there, WARM_UP)
        watch = Watch(job["pids"])
        dues = deque(watch.start + number / job["rate"] for number in range(job["requests"]))
        free, due_of = deque(there), {}
        while dues or due_of:
            while free and dues and dues[0] <= (now := time.monotonic()):
                link, due = free.popleft(), dues.popleft()
                late = max(late, now - max(due, last))
                due_of[link] = due
                link.send(asked.next())
            patience = max(0.0, dues[0] - time.monotonic()) if free and dues else wire.PATIENCE
            for link in _answered(asked, due_of, patience):
                last = time.monotonic()
                seconds.append(last - due_of.pop(link))
                free.append(link)
            if due_of and time.monotonic() > min(due_of.values()) + wire.PATIENCE:
                raise LoadError("no answer came")
        return watch.answer(len(seconds), time.monotonic()) | {"seconds": seconds, "late": late}


def _answered(asked: Kind, under_way: Collection[Link], patience: float) -> list[Link]:
    """Return the connections whose answer has come, each answer having been looked at.

    By select(), which waits for microseconds where epoll waits for milliseconds.
    """
    arrived, _, _ = select.select(under_way, (), (), patience)
    answered = []
    for link in arrived:
        if (found := link.receive()) is not None:
            if not asked.is_good(*found):
                raise LoadError(f"a request was answered by {found[0]}: {found[1][:200].decode(errors='replace')}")
            answered.append(link)
    return answered
