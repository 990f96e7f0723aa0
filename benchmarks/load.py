"""Starts the load in a process of its own, and reads what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks import processes

ROOT = Path(__file__).parents[1]
TIMEOUT = 60  # seconds for one job


class LoadFailed(Exception):
    """The load could not measure; the message says why, or is in the output."""


class Load:
    """A running job; see `benchmarks.generator` for the jobs and what they answer."""

    def __init__(self, job: str, *, timeout: float = TIMEOUT, **options: Any) -> None:
        self.process = processes.start(
            [sys.executable, "-m", "benchmarks.generator"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps({"job": job, "timeout": timeout, **options}))

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        processes.stop(self.process)

    def answer(self) -> dict[str, Any]:
        """Wait for the next answer.  Raises `LoadFailed`."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise LoadFailed("the load ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        if "fault" in answer:
            raise LoadFailed(answer["fault"])
        return answer

    def go_on(self) -> dict[str, Any]:
        """Tell a job that holds its clients to end; return its last answer."""
        self._say("")
        return self.answer()

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


def run(job: str, **options: Any) -> dict[str, Any]:
    """Run a job to its end."""
    with Load(job, **options) as load:
        return load.answer()
