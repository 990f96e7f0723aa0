"""Random clients of a broker without sockets, bounded; `python -m tests.fuzz` goes on for longer."""

import os
import time
from collections.abc import Callable

import pytest

from tests.fuzz import disk, joined

SECONDS = 4


@pytest.mark.parametrize(
    "run",
    [pytest.param(joined.run, id="leave nothing behind"), pytest.param(disk.run, id="find everything after a kill")],
)
def test_random_clients(run: Callable[[int], None]) -> None:
    first = seed = int.from_bytes(os.urandom(4), "big")
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        run(seed)
        seed += 1
    assert seed > first + 10
