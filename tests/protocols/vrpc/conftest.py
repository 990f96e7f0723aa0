"""Fixtures of calls from the portal."""

from __future__ import annotations

import pytest
from vrpc_bench import Bench, Calls


@pytest.fixture
def bench() -> Bench:
    """A broker with one agent, which is online."""
    return Bench().online()


@pytest.fixture
def calls(bench: Bench) -> Calls:
    return Calls(bench)
