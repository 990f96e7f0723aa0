"""The agent and the client of `load.mjs`, running."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import processes
from benchmarks.load import LoadFailed
from benchmarks.peers.installed import node_program
from benchmarks.seed import Credential
from benchmarks.stack import HOST, Product

DOMAIN, AGENT = "bench.default", "press"  # seed.fill makes its VRPC integrations for this domain


class Program:
    """One of the two, connected to a product as a credential says."""

    role: str

    def __init__(self, product: Product, credential: Credential, agent: str = AGENT) -> None:
        command = [*node_program(Path(__file__).with_name("load.mjs")), self.role]
        self.process = processes.start(
            [*command, f"mqtt://{HOST}:{product.mqtt_port}", DOMAIN, agent],
            env={
                "PATH": os.environ.get("PATH", ""),
                "USERNAME": credential.username,
                "PASSWORD": credential.password,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        try:
            self._answer()
        except BaseException:
            processes.stop(self.process)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        processes.stop(self.process)

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise LoadFailed(f"the {self.role} ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        if "fault" in answer:
            raise LoadFailed(answer["fault"])
        return answer


class Agent(Program):
    """An agent with a class `Press`, whose functions are `add(a, b)` and `later(value)`, a promise."""

    role = "agent"


class Caller(Program):
    """A client that calls the agent."""

    role = "caller"

    def measure(self, call: str, callers: int, seconds: float) -> dict[str, Any]:
        """Call as quickly as answers come, so many at a time; return `seconds`, and `times` in milliseconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"call": call, "callers": callers, "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        return self._answer()
