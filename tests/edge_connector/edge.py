"""An Edge Connector as a person starts one: a configuration file, and a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import processes
from tests.support.processes import wait_until

ROOT = Path(__file__).parents[2]
DOMAIN = "acme.default"


def toml(values: dict[str, Any], place: str = "") -> str:
    """Return tables as TOML has them."""
    plain = {key: one for key, one in values.items() if not isinstance(one, dict)}
    lines = [f"[{place}]"] if place else []
    lines += [f"{key} = {_value(one)}" for key, one in plain.items()]
    for key, one in values.items():
        if isinstance(one, dict):
            lines.append(toml(one, f"{place}.{key}" if place else key))
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(one)}' for key, one in value.items())} }}"
    return json.dumps(value)


class Edge:
    """A running agent with a folder of its own."""

    def __init__(self, folder: Path, server: dict[str, Any], name: str, **tables: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.config = folder / "edge.toml"
        self.server = {"host": "127.0.0.1", "transport": "tcp", "username": "nobody", "password": "none", **server}
        self.tables = tables
        self.log_file = folder / "edge.log"
        self.program = ["-m", "edge_connector"]
        self.process: subprocess.Popen | None = None
        self.write()

    def write(self) -> None:
        """Write its configuration file."""
        agent = {"domain": DOMAIN, "name": self.name, **self.tables.get("agent", {})}
        self.config.touch(0o600)
        self.config.write_text(toml({"server": self.server, **self.tables, "agent": agent}))

    def start(self, *words: str) -> Edge:
        with self.log_file.open("ab") as log:
            self.process = processes.start(
                [sys.executable, "-W", "error", *self.program, "--config", str(self.config), *words],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=log,
            )
        return self

    def ready(self, times: int = 1) -> Edge:
        """Wait until it has connected so many times."""
        return self.says("connected to", times=times)

    def says(self, text: str, times: int = 1) -> Edge:
        """Wait until its log has a text."""
        wait_until(lambda: self.log().count(text) >= times, what=f"{text!r} in the log of {self.name}")
        return self

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """Stop it as a service manager does; return its status."""
        assert self.process is not None
        return processes.stop(self.process, signal.SIGTERM, 10)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
