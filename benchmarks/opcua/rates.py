"""Requests and logins as quickly as a server takes them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.opcua.servers import NAMES, OpcUaServer
from benchmarks.report import Table, met, spread


@dataclass(frozen=True, slots=True)
class Rate:
    """What is counted in a second; the goal bounds Gatehouse's rate divided by its peer's."""

    what: str
    job: str
    options: Mapping[str, Any]
    goal: float


def _requests(kind: str, clients: int) -> Rate:
    what = f"{kind.capitalize()}s/s, {clients} client{'s' * (clients > 1)}"
    return Rate(what, "opcua_requests", {"kind": kind, "clients": clients}, 1.0)


RATES = (
    *(_requests(kind, clients) for kind in ("read", "write") for clients in (1, 10, 50)),
    Rate("Logins/s, None", "opcua_connects", {"clients": 500}, 4.0),
    Rate("Logins/s, SignAndEncrypt", "opcua_connects", {"clients": 250, "secured": True}, 1.0),
)
SLOW = 5  # times fewer logins, where few are enough


def take(servers: list[OpcUaServer], chosen: list[Rate], rounds: int, seconds: float, *, quick: bool) -> None:
    """Measure each rate of each server, in rounds that begin with either in turn."""
    for number in range(rounds):
        for rate in chosen:
            for server in servers[:: -1 if number % 2 else 1]:
                server.run(rate.what, rate.job, _options(rate, server, seconds, quick=quick))


def _options(rate: Rate, server: OpcUaServer, seconds: float, *, quick: bool) -> dict[str, Any]:
    options = dict(rate.options)
    if rate.job == "opcua_requests":
        options["seconds"] = seconds
    elif quick or server.name != NAMES[0]:
        options["clients"] //= SLOW
    return options


def figures(servers: list[OpcUaServer], chosen: list[Rate], rounds: int, notes: list[str]) -> Table:
    """Return the rates with their goals."""
    table = Table(("What", "Goal", *NAMES, "Ratio", "Met"))
    by_name = {server.name: server for server in servers}
    for rate in chosen:
        seen = [by_name[name].values(rate.what, "rate") if name in by_name else [] for name in NAMES]
        ratio = statistics.median(seen[0]) / statistics.median(seen[1]) if all(seen) else None
        cells = [spread(values) if values else "–" for values in seen]
        times = "–" if ratio is None else f"{ratio:.2f} ×"
        table.add(rate.what, f"≥ {rate.goal:g} ×", *cells, times, met(ratio is not None and ratio >= rate.goal))
    table.notes.append(f"Median (lowest–highest) of {rounds} rounds. The ratio is Gatehouse's to its peer's.")
    table.notes.extend(notes)
    return table


def shares(servers: list[OpcUaServer], chosen: list[Rate]) -> Table:
    """Return who was busy: a load near 100 % of a core is the limit itself."""
    table = Table(("Share of a core", *(column for server in servers for column in (server.name, "its load"))))
    for rate in chosen:
        cells = [
            f"{statistics.median(values):.0%}" if (values := server.values(rate.what, name)) else "–"
            for server in servers
            for name in ("broker_cpu", "load_cpu")
        ]
        table.add(rate.what, *cells)
    return table
