"""The part `http`."""

from __future__ import annotations

from benchmarks.http import live, rates, servers, streams
from benchmarks.report import Table


def measure(*, quick: bool) -> list[Table]:
    """Return rates beside the peer's, who was busy, times of single requests and events, and what streams cost."""
    times = Table(("What", "Times", "p50", "p99", "Longest", "Goal", "Met"))
    idle = Table(("What", "Goal", "Gatehouse", "Met"))
    with servers.running() as (found, mqtt, notes):
        rounds = rates.take(found, quick=quick)
        rates.add_paced(times, found)
        streams.add_events(times, found[0], mqtt, quick=quick)
        streams.add_idle(idle, times, found[0], quick=quick)
    live.add(times, quick=quick)
    return [rates.figures(found, rounds, notes), rates.shares(found), times, idle]
