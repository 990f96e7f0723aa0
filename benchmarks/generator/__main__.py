"""The load's own process: `python -m benchmarks.generator` reads a job as a line of JSON, and prints what it saw.

Times are those of time.monotonic(), which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from benchmarks import processes
from benchmarks.generator.arrivals import connects
from benchmarks.generator.clients import Job, LoadError
from benchmarks.generator.http import calls, changes, requests, streams
from benchmarks.generator.knocks import knocks
from benchmarks.generator.pace import crowd, hold, round_trip
from benchmarks.generator.throughput import offline, throughput
from protocols.looper import new_event_loop


def _say(answer: Job) -> None:
    print(json.dumps(answer), flush=True)


JOBS: dict[str, Callable[[Job], Awaitable[Job]]] = {
    "throughput": throughput,
    "offline": offline,
    "round_trip": round_trip,
    "connects": connects,
    "knocks": knocks,
    "hold": partial(hold, say=_say),
    "crowd": partial(crowd, say=_say),
    "http_calls": calls.calls,
    "http_requests": requests.requests,
    "http_pace": requests.pace,
    "http_events": streams.events,
    "http_streams": partial(streams.hold, say=_say),
    "http_changes": partial(changes.change, say=_say),
}


async def _run(job: Job) -> None:
    """Run a job to its end, or to the first fault in one of its clients."""
    loop = asyncio.get_running_loop()
    fault: asyncio.Future[Job] = loop.create_future()

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not fault.done():
            fault.set_exception(context.get("exception") or LoadError(context["message"]))

    loop.set_exception_handler(note)
    work = asyncio.ensure_future(_jobs(job)[job["job"]](job))
    either: set[asyncio.Future[Any]] = {work, fault}
    await asyncio.wait(either, timeout=job["timeout"], return_when=asyncio.FIRST_COMPLETED)
    if not work.done() and not fault.done():
        fault.set_exception(LoadError(f"took longer than {job['timeout']} s"))
    try:
        _say(fault.result() if fault.done() else work.result())
    except LoadError as error:
        _say({"fault": str(error)})


def _jobs(job: Job) -> Mapping[str, Callable[[Job], Awaitable[Job]]]:
    """Return the jobs of the protocol that a job is about: asyncua takes a second to import."""
    if not job["job"].startswith("opcua"):
        return JOBS
    from benchmarks.generator.opcua import jobs

    return jobs.jobs(_say)


if __name__ == "__main__":
    processes.raise_file_limit()
    gc.disable()  # a pause of the load would look like one of the broker
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(json.loads(sys.stdin.readline())))
