"""Requests as quickly as a server takes them, and at a steady pace."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.generator.http.requests import BATCH
from benchmarks.http.servers import NAMES, HttpServer
from benchmarks.report import Table, met, milliseconds, percentile, spread

GOAL, BATCH_GOAL = 1_000, 20_000  # a second
PACE = GOAL // 2  # requests a second
PACE_GOAL = 0.020  # seconds, 99th percentile
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class Rate:
    """What is counted in a second; an answer stands for so many of it."""

    what: str
    options: Mapping[str, Any]
    goal: int
    each: int = 1
    has_peer: bool = True


def _requests(kind: str, clients: int) -> Rate:
    what = f"{kind.upper()} of a value, {clients} connection{'s' * (clients > 1)}"
    return Rate(what, {"kind": kind, "clients": clients}, GOAL)


RATES = (
    *(_requests(kind, clients) for kind in ("put", "get") for clients in (1, CONNECTIONS)),
    Rate(f"Messages in batches of {BATCH:,}, 1 connection", {"kind": "batch", "clients": 1}, BATCH_GOAL, BATCH, False),
)
PACED = {f"{kind.upper()} of a value at {PACE}/s": kind for kind in ("put", "get")}


def take(servers: list[HttpServer], *, quick: bool) -> int:
    """Measure each server in rounds that begin with either in turn; return how many rounds there were."""
    rounds, seconds = (1, 0.5) if quick else (3, 1.0)
    for number in range(rounds):
        for rate in RATES:
            for server in _those(servers, has_peer=rate.has_peer)[:: -1 if number % 2 else 1]:
                kind = server.prefix + rate.options["kind"]
                server.run(rate.what, "http_requests", {**rate.options, "kind": kind, "seconds": seconds})
    for what, kind in PACED.items():
        for server in servers:
            options = {"kind": server.prefix + kind, "clients": CONNECTIONS, "rate": PACE}
            server.run(what, "http_pace", {**options, "requests": PACE if quick else 4 * PACE})
    return rounds


def _those(servers: list[HttpServer], *, has_peer: bool) -> list[HttpServer]:
    return servers if has_peer else servers[:1]


def figures(servers: list[HttpServer], rounds: int, notes: list[str]) -> Table:
    """Return the rates with their goals."""
    table = Table(("A second", "Goal", *NAMES, "Ratio", "Met"))
    for rate in RATES:
        seen = [[value * rate.each for value in server.values(rate.what, "rate")] for server in servers]
        seen += [[]] * (len(NAMES) - len(seen))
        ratio = f"{statistics.median(seen[0]) / statistics.median(seen[1]):.2f} ×" if all(seen) else "–"
        reached = bool(seen[0]) and statistics.median(seen[0]) >= rate.goal
        table.add(rate.what, f"≥ {rate.goal:,}", *(spread(one) if one else "–" for one in seen), ratio, met(reached))
    table.notes.append(f"Median (lowest–highest) of {rounds} rounds. The ratio is Gatehouse's to its peer's.")
    table.notes.extend(notes)
    table.notes.extend(f"{one.name}, {what}: {reason}." for one in servers for what, reason in one.failed.items())
    return table


def shares(servers: list[HttpServer]) -> Table:
    """Return who was busy: a load near 100 % of a core is the limit itself."""
    table = Table(("Share of a core", *(column for server in servers for column in (server.name, "its load"))))
    for what in (*(rate.what for rate in RATES), *PACED):
        cells = [
            f"{statistics.median(values):.0%}" if (values := server.values(what, name)) else "–"
            for server in servers
            for name in ("broker_cpu", "load_cpu")
        ]
        table.add(what, *cells)
    return table


def add_paced(table: Table, servers: list[HttpServer]) -> None:
    """Add the times at a steady pace, which the goal is for."""
    for what in PACED:
        for server in servers:
            for answer in server.seen.get(what, []):
                seconds, is_ours = answer["seconds"], server is servers[0]
                cells = [milliseconds(value) for value in (percentile(seconds, 50), percentile(seconds, 99))]
                goal = f"p99 ≤ {milliseconds(PACE_GOAL)}" if is_ours else ""
                reached = met(percentile(seconds, 99) <= PACE_GOAL) if is_ours else ""
                name = what if is_ours else f"{what}, {server.name}"
                table.add(name, f"{len(seconds):,}", *cells, milliseconds(max(seconds)), goal, reached)
    lates = [answer["late"] for server in servers for what in PACED for answer in server.seen.get(what, [])]
    if lates:
        table.notes.append(
            f"At {PACE}/s the load was at most {milliseconds(max(lates))} late with a request for which a connection "
            "was free."
        )
