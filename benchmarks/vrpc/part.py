"""The part `vrpc`."""

from __future__ import annotations

from benchmarks.report import Table
from benchmarks.vrpc import calls, http, pages, registry

MODULES = (calls, http, pages, registry)


def measure(*, quick: bool) -> list[Table]:
    """Return the tables of all modules, one after the other."""
    return [table for module in MODULES for table in module.measure(quick=quick)]
