"""Random clients of a broker without sockets, bounded; `python -m tests.fuzz` goes on for longer."""

import os
import time

from tests.fuzz import joined

SECONDS = 6


def test_random_clients_leave_nothing_behind() -> None:
    first = int.from_bytes(os.urandom(4), "big")
    until = time.monotonic() + SECONDS
    seed = first
    while time.monotonic() < until:
        try:
            joined.run(seed)
        except BaseException as error:
            error.add_note(f"repeat it by: python -m tests.fuzz joined --seed {seed} --count 1")
            raise
        seed += 1
    assert seed > first
