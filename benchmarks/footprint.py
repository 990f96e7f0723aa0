"""What Gatehouse costs while nothing happens, and how soon it is there after a start."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable

from benchmarks import processes, seed
from benchmarks.browser import Browser
from benchmarks.report import Table, met
from benchmarks.seed import Credential
from benchmarks.stack import HOST, READY_WITHIN, Gatehouse

MEMORY_GOAL = 150  # megabytes
READY_GOAL = 3.0  # seconds
MB = 1e6
SETTLE = 10  # seconds from the start to the look at the memory


def measure(*, quick: bool) -> list[Table]:
    """Return memory, time to ready, and processor use."""
    starts, watch = (2, 3) if quick else (5, 30)
    first = [_first_start() for _ in range(starts)]
    table = Table(("What", "Goal", "Gatehouse", "Met"))
    with Gatehouse() as gatehouse:
        gatehouse.stop()
        (probe,) = seed.fill(gatehouse.settings, 1)
        ready = [_start(gatehouse, probe) for _ in range(starts)]
        started = time.monotonic()
        gatehouse.browser().close()
        time.sleep(max(0.0, SETTLE - (time.monotonic() - started)))
        sizes = _sizes(gatehouse)
        share = processes.share_of_a_core(gatehouse.pids, watch)
    total = sum(sizes.values()) / MB
    table.add("Memory of all processes, idle", f"≤ {MEMORY_GOAL} MB", f"{total:.0f} MB", met(total <= MEMORY_GOAL))
    for what, seconds in (("From the very first start to ready", first), ("From the start to ready", ready)):
        cell = f"{statistics.median(seconds):.2f} s ({min(seconds):.2f}–{max(seconds):.2f})"
        table.add(what, f"≤ {READY_GOAL:g} s", cell, met(max(seconds) <= READY_GOAL))
    table.add("Processor use, idle", "", f"{share:.1%} of a core", "")
    listed = ", ".join(f"{role} {size / MB:.0f}" for role, size in sizes.items())
    table.notes.append(
        f"Proportional set size of each process: {listed} MB. Ready: median (lowest–highest) of {starts} starts."
    )
    return [table]


def _first_start() -> float:
    """Start Gatehouse on an empty data folder; return the seconds until a page is answered, and OPC UA is there."""
    with Gatehouse() as gatehouse:
        gatehouse.stop()
        shutil.rmtree(gatehouse.settings.data_dir)
        return _seconds(gatehouse, lambda: _answers(gatehouse), gatehouse.acknowledges)


def _start(gatehouse: Gatehouse, probe: Credential) -> float:
    """Start Gatehouse anew; return the seconds until a page is answered, and clients of both protocols are let in."""
    gatehouse.stop()
    return _seconds(
        gatehouse,
        lambda: _answers(gatehouse),
        lambda: gatehouse.accepts(probe.username, probe.password),
        gatehouse.acknowledges,
    )


def _seconds(gatehouse: Gatehouse, *are_there: Callable[[], bool]) -> float:
    start = time.monotonic()
    gatehouse.launch()
    for is_there in are_there:
        processes.wait_until(is_there, READY_WITHIN, "Gatehouse to be ready")
    return time.monotonic() - start


def _answers(gatehouse: Gatehouse) -> bool:
    try:
        with Browser(HOST, gatehouse.port) as browser:
            return browser.get("/login").status == 200
    except OSError:
        return False


def _sizes(gatehouse: Gatehouse) -> dict[str, int]:
    """Return the proportional set size of each process, by what it is."""
    master = gatehouse.process.pid
    sizes = {"gunicorn": processes.proportional_bytes(master)}
    for child in processes.children(master):
        below = processes.children(child)
        sizes["arbiter" if below else "web worker"] = processes.proportional_bytes(child)
        for pid in below:
            sizes["protocols worker"] = processes.proportional_bytes(pid)
            for keeper in processes.children(pid):
                sizes["keeper of OPC UA"] = processes.proportional_bytes(keeper)
                sizes["OPC UA"] = sum(map(processes.proportional_bytes, processes.children(keeper)))
    return sizes
