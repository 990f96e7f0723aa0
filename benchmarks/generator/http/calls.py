"""Calls of an agent's function, so many at a time; each has a connection of its own, since an answer ends it."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.http import wire
from benchmarks.generator.http.wire import Link
from benchmarks.generator.throughput import Watch

WARM_UP = 0.2  # seconds


class Callers:
    """So many callers, each of which calls again as soon as it has its result."""

    def __init__(self, job: Job) -> None:
        self._port = job["port"]
        self._path = f"/api/v1/agents/{job['agent']}/Press/add"
        token = wire.basic(job["username"], job["password"])
        self._headers = {"Authorization": token, "Content-Type": "application/json"}
        self._callers = job["callers"]
        self._numbers: Iterator[int] = count(1)
        self._under_way: dict[Link, tuple[int, float]] = {}  # what was added to 1, and when

    def call_for(self, seconds: float) -> list[float]:
        """Call for so long, and wait for the last results; return how many seconds each took."""
        took: list[float] = []
        until = time.monotonic() + seconds
        for _ in range(self._callers):
            self._call()
        while self._under_way:
            arrived, _, _ = select.select(self._under_way, (), (), wire.PATIENCE)
            if not arrived:
                raise LoadError("no result came")
            for link in arrived:
                if (found := link.receive()) is None:
                    continue
                number, began = self._under_way.pop(link)
                took.append(time.monotonic() - began)
                link.socket.close()
                _hold_to_its_result(found, number)
                if time.monotonic() < until:
                    self._call()
        return took

    def close(self) -> None:
        """Leave."""
        for link in self._under_way:
            with suppress(OSError):
                link.socket.close()

    def _call(self) -> None:
        number, began = next(self._numbers), time.monotonic()
        body = json.dumps({"arguments": [number, 1]}).encode()
        link = Link(self._port)
        self._under_way[link] = number, began
        link.send(wire.request("POST", self._path, self._headers, body))


async def calls(job: Job) -> Job:
    """Call for some seconds; return how many a second, and the seconds that each took."""
    callers = Callers(job)
    try:
        callers.call_for(WARM_UP)
        watch = Watch(job["pids"])
        took = callers.call_for(job["seconds"])
        return watch.answer(len(took), time.monotonic()) | {"took": took}
    finally:
        callers.close()


def _hold_to_its_result(found: tuple[int, bytes], number: int) -> None:
    status, body = found
    if status != 200 or json.loads(body)["result"] != number + 1:
        raise LoadError(f"a call was answered by {status}: {body[:200].decode(errors='replace')}")
