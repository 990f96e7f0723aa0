"""Run the fuzzers for as long as wanted: `python -m tests.fuzz --seconds 600 --seed 1`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import codec, disk, doors, joined, portal, running, sockets

_PROGRESS = 10.0  # seconds
_SEEDED: dict[str, Callable[[int], None]] = {"codec": codec.run, "joined": joined.run, "disk": disk.run}
_ATTACKS: dict[str, Callable[[int, float, Path, int | None], running.Run]] = {
    "sockets": sockets.run,
    "doors": doors.run,
    "portal": portal.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Bad input for the MQTT broker and its doors."
    )
    parser.add_argument("what", nargs="?", choices=["all", *_SEEDED, *_ATTACKS], default="all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all of them together (%(default)s)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--count", type=int, help="how many seeds, instead of a time; not for attacks")
    parser.add_argument("--only", type=int, help="repeat the attack of this number (sockets, doors, portal)")
    wanted = parser.parse_args()
    logging.disable(logging.INFO)
    logging.getLogger("protocols.mqtt").setLevel(logging.ERROR)  # bad input is what this is about
    say(f"seed {wanted.seed}")
    share = wanted.seconds / (len(_SEEDED) + len(_ATTACKS) if wanted.what == "all" else 1)
    for name, run in _SEEDED.items():
        if wanted.what in ("all", name):
            repeat(name, run, wanted.seed, share, wanted.count)
    for name, attack in _ATTACKS.items():
        if wanted.what in ("all", name):
            with tempfile.TemporaryDirectory() as folder:
                attempt = attack(wanted.seed, share, Path(folder), wanted.only)
            say(f"{name}: {attempt.number:,} attacks; {attempt.exchanged:,} messages there and back beside them")
            say(f"{name}: the slowest in {attempt.slowest:.3f} s")
    return 0


def repeat(name: str, run: Callable[[int], None], seed: int, seconds: float, count: int | None) -> None:
    """Run one seed after the other until the time is over."""
    started = told = time.monotonic()
    done = 0
    while done < count if count is not None else time.monotonic() < started + seconds:
        run(seed + done)
        done += 1
        if time.monotonic() > told + _PROGRESS:
            told = time.monotonic()
            say(f"{name}: {done:,} seeds")
    say(f"{name}: {done:,} seeds from {seed} on, nothing wrong")


def say(fact: str) -> None:
    sys.stdout.write(fact + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
