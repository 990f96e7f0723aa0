"""Programs of foreign clients that are told what to do: lines of JSON go in, and lines of JSON come out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.support import processes

ROOT = Path(__file__).parents[2]
ANSWER = 20  # seconds that a client has to answer, on a busy machine


class Fault(Exception):
    """What a client says went wrong, in its own words."""


class Told:
    """A running program; what it prints goes to `heard`, in a thread of its own."""

    def __init__(self, command: list[str], folder: Path, **environ: str) -> None:
        self._process = processes.start(
            command,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def heard(self, told: dict[str, Any]) -> None:
        """Take a line that was printed."""
        raise NotImplementedError

    def tell(self, **line: Any) -> None:
        """Hand in a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def freeze(self) -> None:
        """Stop it where it is, with its sockets open: it answers nothing any more, and its system acknowledges all."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash or a power cut would."""
        self._process.kill()
        self._process.wait()
        self._reader.join(20)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.heard(json.loads(line))
