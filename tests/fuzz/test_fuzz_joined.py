"""Random clients of a broker without sockets, bounded; `python -m tests.fuzz joined` goes on for longer."""

import os
import time

from tests.fuzz import joined

SECONDS = 5


def test_random_clients_leave_nothing_behind() -> None:
    first = seed = int.from_bytes(os.urandom(4), "big")
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        joined.run(seed)
        seed += 1
    assert seed > first + 10
