"""The product's command line: `flask` in a process of its own, without the half second that Python takes to load it.

A process has everything loaded, and forks for each command: `python -m tests.support.commands` takes lines of JSON,
each with the words and the environment of a command, and answers with what it printed and its status.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import IO

from tests.support import processes

ROOT = Path(__file__).parents[2]
LONGEST = 30  # seconds that a command may take


class Commands:
    """The process that runs commands, one after the other."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process = processes.start(
            [sys.executable, "-m", "tests.support.commands"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: tuple[str, ...], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command in this environment, as `flask` would."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._turn:
            print(json.dumps([words, environ]), file=self._process.stdin, flush=True)
            status, printed, complaints = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(["flask", *words], status, printed, complaints)

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        processes.stop(self._process)


@cache
def started() -> Commands:
    """Return the process that all tests share; to be called first by a thread that lasts, with which it ends."""
    return Commands()


def stop() -> None:
    """Stop that process, if there is one."""
    if started.cache_info().currsize:
        started().stop()
        started.cache_clear()


def serve() -> None:
    """Run one command after the other."""
    import flask.cli

    import app  # noqa: F401  # with everything that it needs

    for line in sys.stdin:
        words, environ = json.loads(line)
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complaints:
            pid = os.fork()
            if not pid:
                _become(printed, complaints, environ)
                sys.argv = ["flask", *words]
                flask.cli.main()
                sys.exit()
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            print(json.dumps([status, _read(printed), _read(complaints)]), flush=True)  # noqa: T201


def _become(printed: IO[bytes], complaints: IO[bytes], environ: dict[str, str]) -> None:
    """Take over what is a command's own."""
    signal.alarm(LONGEST)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(printed.fileno(), 1)
    os.dup2(complaints.fileno(), 2)
    os.environ.clear()
    os.environ.update(environ)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


if __name__ == "__main__":
    serve()
