"""Calls from HTTP clients to an agent of VRPC, through the REST API."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks import processes, seed
from benchmarks.http.servers import HttpServer
from benchmarks.report import Table, milliseconds, percentile, spread
from benchmarks.stack import READY_WITHIN, Gatehouse
from benchmarks.vrpc.programs import AGENT, Agent

CALLERS = (1, 10)


def measure(*, quick: bool) -> list[Table]:
    """Return how many calls a second callers get answered, and how long one takes."""
    rounds, seconds = (1, 0.3) if quick else (5, 1.5)
    table = Table(("Calls over HTTP", "A second", "p50", "p99", "Share of a core", "its load"))
    with running() as server:
        for _ in range(rounds):
            for callers in CALLERS:
                server.run(_name(callers), "http_calls", {"agent": AGENT, "callers": callers, "seconds": seconds})
        for callers in CALLERS:
            table.add(_name(callers), *_cells(server, _name(callers)))
    table.notes.append(
        f"{rounds} rounds of {seconds:g} s: median (lowest–highest) of rates, median of percentiles. Each call has a "
        "connection of its own."
    )
    table.notes.extend(f"{what}: {reason}." for what, reason in server.failed.items())
    return [table]


@contextmanager
def running() -> Iterator[HttpServer]:
    """Run Gatehouse with an agent."""
    with ExitStack() as stack:
        gatehouse = Gatehouse()
        (of_agent,) = seed.fill(gatehouse.settings, 1, kind="vrpc")
        (user,) = seed.fill(gatehouse.settings, 1, kind="http")
        stack.enter_context(gatehouse)
        processes.wait_until(gatehouse.acknowledges, READY_WITHIN, "all servers of Gatehouse to be there")
        stack.enter_context(Agent(gatehouse, of_agent))
        yield HttpServer(gatehouse, user, gatehouse.port, "")


def _cells(server: HttpServer, what: str) -> list[str]:
    if not (rates := server.values(what, "rate")):
        return ["–"] * 5
    times = [answer["took"] for answer in server.seen[what]]
    percentiles = [statistics.median(percentile(one, percent) for one in times) for percent in (50, 99)]
    shares = [f"{statistics.median(server.values(what, name)):.0%}" for name in ("broker_cpu", "load_cpu")]
    return [spread(rates), *map(milliseconds, percentiles), *shares]


def _name(callers: int) -> str:
    return f"{callers} caller{'s' * (callers > 1)}"
