"""Programs that the benchmarks start, and what the kernel says about them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
TICKS = os.sysconf("SC_CLK_TCK")
_libc = ctypes.CDLL(None)


def start(command: list[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program that ends with the benchmarks, even when those are killed."""
    return subprocess.Popen(command, preexec_fn=_end_with_parent, **options)


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(process: subprocess.Popen[Any], timeout: float = 10) -> None:
    """Ask a program to end; kill it, and what it started, when it does not."""
    if process.poll() is None:
        family = [process.pid, *descendants(process.pid)]
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def raise_file_limit() -> int:
    """Allow this process, and those that it starts, as many open files as the system lets it; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def wait_until(condition: Callable[[], Any], timeout: float, what: str, every: float = 0.01) -> None:
    """Wait for a condition to be true.  Raises `TimeoutError`."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s in vain for {what}")
        time.sleep(every)


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Return the pids of a process's children, and of theirs."""
    return [found for child in children(pid) for found in (child, *descendants(child))]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that processes have used; of a helper that has ended meanwhile, nothing."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def share_of_a_core(pids: Collection[int], seconds: float) -> float:
    """Return how much processor time processes use during so many seconds."""
    before, start = cpu_seconds(pids), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pids) - before) / (time.monotonic() - start)


def proportional_bytes(pid: int) -> int:
    """Return the proportional set size: memory shared by n processes counts 1/n in each."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"the kernel does not tell the proportional set size of process {pid}")
