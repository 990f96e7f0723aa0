"""What is measured of Gatehouse by itself, and of its peer where it has the same."""

from __future__ import annotations

import os
import signal
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from benchmarks import load
from benchmarks.load import LoadFailed
from benchmarks.measurements import PACE, PAYLOAD
from benchmarks.opcua import cut
from benchmarks.opcua.servers import OpcUaServer, running
from benchmarks.report import Table, met, milliseconds, percentile
from benchmarks.seed import Credential
from benchmarks.stack import Gatehouse

SESSIONS = {"Gatehouse": 2_000, "node-opcua-server": 200}
MEMORY_GOAL = 15.0  # kB for each session
OFFLINE_GOAL = 0.100  # seconds, the slowest
INTERVAL = 50.0  # milliseconds
LATENCY_GOAL = 2 * INTERVAL / 1000  # seconds, 99th percentile
KB = 1e3
SETTLE = 2  # seconds
EVERY = 10  # seconds from one keep-alive read of a session to the next
LOOK = 0.001  # seconds between two looks into the database
PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Task:
    """Some rows of the table."""

    what: str
    add: Callable[[Table, list[OpcUaServer], Credential, bool], None]


def figures(servers: list[OpcUaServer], mqtt: Credential, only: str, *, quick: bool) -> Table | None:
    """Return what was asked for by a part of its name."""
    chosen = [task for task in TASKS if only.lower() in task.what.lower()]
    table = Table(("What", "Goal", *(server.name for server in servers), "Met"))
    for task in chosen:
        try:
            task.add(table, servers, mqtt, quick)
        except LoadFailed as error:
            table.notes.append(f"{task.what}: {error}.")
    table.notes.extend(f"{one.name}, {what}: {reason}." for one in servers for what, reason in one.failed.items())
    return table if chosen else None


def _sessions(table: Table, servers: list[OpcUaServer], _: Credential, quick: bool) -> None:
    """Hold sessions longer than their time-out, each kept alive by a read now and then.

    The servers are started anew for this: in one that has served others, sessions take memory that was let go of.
    """
    memory, held = [], []
    with running() as (fresh, _, _):
        for server in fresh:
            count, watch = (SESSIONS[server.name] // 10, 5) if quick else (SESSIONS[server.name], 40)
            before = server.memory
            try:
                with server.start("opcua_hold", clients=count, every=EVERY) as job:
                    job.answer()
                    time.sleep(watch)
                    memory.append((server.memory - before) / count)
                    there = _rows(server) if isinstance(server.product, Gatehouse) else count
                    held.append(f"{there - job.go_on()['lost']:,} of {count:,}")
            except LoadFailed as error:
                next(one for one in servers if one.name == server.name).failed["sessions"] = str(error)
                return
            time.sleep(SETTLE)
    cells = [f"{size / KB:.1f} kB" for size in memory]
    table.add("Memory for an idle session", f"≤ {MEMORY_GOAL:g} kB", *cells, met(memory[0] / KB <= MEMORY_GOAL))
    first = SESSIONS["Gatehouse"]
    table.add("Sessions held", f"{first:,}", *held, met(held[0] == f"{first:,} of {first:,}"))


def _offline(table: Table, servers: list[OpcUaServer], _: Credential, quick: bool) -> None:
    """Kill clients; wait until another process sees that their row is gone."""
    ours = servers[0]
    kills = 3 if quick else 20
    for text, subscribes in (("", False), (" with a subscription", True)):
        seconds = [_kill(ours, subscribes=subscribes) for _ in range(kills)]
        cells = [
            f"{milliseconds(statistics.median(seconds))}, at most {milliseconds(max(seconds))}",
            *("–" for _ in servers[1:]),
        ]
        goal = f"each ≤ {milliseconds(OFFLINE_GOAL)}"
        table.add(f"Offline seen after kill -9{text}", goal, *cells, met(max(seconds) <= OFFLINE_GOAL))


def _kill(server: OpcUaServer, *, subscribes: bool) -> float:
    with (
        closing(_reader(server)) as reader,
        server.start("opcua_hold", clients=1, every=1, subscribe=subscribes) as job,
    ):
        job.answer()
        _wait_for(reader, 1)
        time.sleep(0.2)
        killed_at = time.monotonic()
        os.kill(job.process.pid, signal.SIGKILL)
        return _wait_for(reader, 0) - killed_at


def _wait_for(reader: sqlite3.Connection, count: int) -> float:
    """Wait until so many connections are in the database; return when it was."""
    deadline = time.monotonic() + PATIENCE
    while reader.execute("SELECT count(*) FROM connection").fetchone()[0] != count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the database does not come to have {count} connections")
        time.sleep(LOOK)
    return time.monotonic()


def _rows(server: OpcUaServer) -> int:
    with closing(_reader(server)) as reader:
        return int(reader.execute("SELECT count(*) FROM connection").fetchone()[0])


def _reader(server: OpcUaServer) -> sqlite3.Connection:
    assert isinstance(server.product, Gatehouse)
    path = unquote(urlsplit(server.product.settings.database_url).path[1:])
    return sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, timeout=5)


def _latency(table: Table, servers: list[OpcUaServer], _: Credential, quick: bool) -> None:
    """Write values at random moments, which others monitor."""
    options = {"clients": 10, "interval": INTERVAL, "pause": (0.08, 0.2), "writes": 50 if quick else 1_000}
    what = f"Notification, publishing interval {INTERVAL:g} ms"
    for server in servers:
        server.run(what, "opcua_latency", options)
    seconds = [server.seen[what][-1]["seconds"] if what in server.seen else [] for server in servers]
    for percent in (50, 99):
        cells = [milliseconds(percentile(values, percent)) if values else "–" for values in seconds]
        goal = f"≤ {milliseconds(LATENCY_GOAL)}" if percent == 99 else ""
        reached = bool(seconds[0]) and percentile(seconds[0], 99) <= LATENCY_GOAL
        table.add(f"{what}, p{percent}", goal, *cells, met(reached) if goal else "")


def _beside(table: Table, servers: list[OpcUaServer], mqtt: Credential, quick: bool) -> None:
    """Measure MQTT round trips through Gatehouse while one of the servers has all the reads that it can serve."""
    gatehouse = servers[0].product
    rounds, messages = (1, PACE // 4) if quick else (3, 5 * PACE)
    job: dict[str, Any] = {"port": gatehouse.mqtt_port, "username": mqtt.username, "password": mqtt.password}
    job |= {"bytes": PAYLOAD, "rate": PACE, "messages": messages}
    idle: list[list[float]] = []
    busy: list[list[list[float]]] = [[] for _ in servers]
    for _ in range(rounds):
        idle.append(load.run("round_trip", **job)["seconds"])
        for place, server in enumerate(servers):
            with server.start("opcua_flood", kind="read", clients=10) as flood:
                flood.answer()
                busy[place].append(load.run("round_trip", **job)["seconds"])
                flood.go_on()
    for percent in (50, 99):
        cells = [_micro(idle, percent)]
        table.add(f"MQTT round trip, OPC UA idle, p{percent}", "", *cells, *("–" for _ in servers[1:]), "")
    for percent in (50, 99):
        cells = [_micro(seen, percent) for seen in busy]
        table.add(f"MQTT round trip while it serves 10 readers, p{percent}", "", *cells, "")


def _micro(rounds: list[list[float]], percent: int) -> str:
    values = [percentile(seconds, percent) * 1e6 for seconds in rounds]
    return f"{statistics.median(values):,.0f} µs ({min(values):,.0f}–{max(values):,.0f})"


TASKS = (
    Task("Sessions: memory, and how many are held", _sessions),
    Task("Offline seen", _offline),
    Task("Notification", _latency),
    Task("MQTT round trip", _beside),
    Task("Deactivate clicked", cut.add),
)
