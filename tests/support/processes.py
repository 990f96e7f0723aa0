"""Programs that tests start: none of them outlives the tests, even when those are killed."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG = 1
BELOW_OUTGOING = range(10_000, 32_768)
_libc = ctypes.CDLL(None)
# In turn, so that none is given twice before it is used; from anywhere, so that test runs keep out of each other's way.
_ports = itertools.islice(itertools.cycle(BELOW_OUTGOING), random.randrange(len(BELOW_OUTGOING)), None)


def start(command: list[str], *, at_end: int = signal.SIGTERM, **options: Any) -> subprocess.Popen:
    """Start a program that gets a signal when the tests end without stopping it."""
    return subprocess.Popen(
        command,
        preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, at_end),
        **{"stdin": subprocess.DEVNULL, **options},
    )


def stop(process: subprocess.Popen, signal_number: int = signal.SIGTERM, timeout: float = 30) -> int:
    """Send a signal and wait; kill what does not end in time.  Return the exit status."""
    if process.poll() is None:
        process.send_signal(signal_number)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    return found


def living_children(pid: int) -> list[int]:
    """Return the pids of a process's children that run."""
    return [child for child in children(pid) if alive(child)]


def descendants(pid: int) -> list[int]:
    """Return the pids of a process's children, and of theirs."""
    return [found for child in children(pid) for found in (child, *descendants(child))]


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to no outgoing connection meanwhile."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports go round")


def wait_until(condition: Callable[[], Any], timeout: float = 30, what: str = "", every: float = 0.01) -> Any:
    """Return the first true value of a condition; fail, saying what was waited for, when it does not come.

    The time is long on purpose: a machine that stalls for a while must fail no test.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what or condition}; last: {value!r}")
        time.sleep(every)
