"""The part `opcua`."""

from __future__ import annotations

from benchmarks import processes
from benchmarks.opcua import rates, servers, single
from benchmarks.report import Table


def measure(*, quick: bool, only: str = "") -> list[Table]:
    """Return rates beside the peer's, who was busy, and what else has a goal."""
    processes.raise_file_limit()
    rounds, seconds = (1, 0.5) if quick else (5, 1.5)
    chosen = [rate for rate in rates.RATES if only.lower() in rate.what.lower()]
    with servers.running() as (found, mqtt, notes):
        rates.take(found, chosen, rounds, seconds, quick=quick)
        others = single.figures(found, mqtt, only, quick=quick)
        if not chosen:
            return [others] if others is not None else []
        tables = [rates.figures(found, chosen, rounds, notes), rates.shares(found, chosen)]
        return tables if others is None else [*tables, others]
