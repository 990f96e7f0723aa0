"""A process with a companion, for its tests: python -m tests.support.companion_program CASE, and what CASE patches."""

from __future__ import annotations

import os
import signal
import sys
import time

from protocols import companion, process
from protocols.companion import ENDING, Companion


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def work() -> None:
    if sys.argv[1] == "stays":
        process.follow_parent()
    say("part", os.getpid(), os.getppid(), time.monotonic())
    match sys.argv[1]:
        case "stays":
            signal.sigwait(ENDING)
        case "deaf" | "two deaf":
            signal.pause()  # what ends it is blocked
        case "fails":
            raise RuntimeError("no luck")


def main() -> None:
    for word in sys.argv[2:]:
        name, _, value = word.partition("=")
        setattr(companion, name, float(value))
    made = [Companion("test", work) for _ in range(2 if sys.argv[1] == "two deaf" else 1)]
    for one in made:
        one.start()
    for one in made:
        one.watch()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    say("main", os.getpid())
    signal.sigwait(ENDING)
    for one in made:
        one.end()
    say("told")
    for one in made:
        one.wait()


if __name__ == "__main__":
    main()
