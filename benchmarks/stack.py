"""What is measured, on free ports and in folders of its own."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import processes
from benchmarks.browser import Browser
from benchmarks.generator import wire
from benchmarks.load import ROOT
from portal.config import LISTENERS, Settings, load

HOST = "127.0.0.1"
EMAIL, PASSWORD = "bench@example.com", "a password of the benchmarks"
READY_WITHIN = 30
# Room for what is published to a session while it is offline, and for all clients of the load on one address.
UNHAMPERED = {
    "MQTT_QUEUE_MESSAGES": "1000000",
    "MQTT_QUEUE_BYTES": "1000000000",
    "MQTT_QUEUE_TOTAL_BYTES": "1000000000",
    "MQTT_MAX_CONNECTIONS_PER_ADDRESS": "20000",
    "MQTT_MAX_CONNECTIONS_PER_INTEGRATION": "20000",
}


class Product(ABC):
    """Something that is started in a folder of its own, and stopped again."""

    name: str
    process: subprocess.Popen[bytes]

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="gatehouse-bench-")
        self.folder = Path(self._temporary.name)
        self.mqtt_port = processes.free_port()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            if hasattr(self, "process"):
                processes.stop(self.process)
            self._temporary.cleanup()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._temporary.cleanup()

    @abstractmethod
    def start(self) -> None:
        """Start it, and wait until clients are served."""

    def stop(self) -> None:
        """Stop it."""
        processes.stop(self.process)

    @property
    def pids(self) -> list[int]:
        """Return its processes."""
        return [self.process.pid, *processes.descendants(self.process.pid)]

    def accepts(self, username: str, password: str) -> bool:
        """Tell whether it answers a CONNECT with these credentials."""
        try:
            with socket.create_connection((HOST, self.mqtt_port), timeout=5) as connection:
                connection.sendall(wire.connect("probe", username, password))
                answer = connection.recv(64)
                return bool(answer) and wire.accepted(answer) > 0
        except OSError:
            return False

    def _launch(self, command: list[str], **options: object) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = processes.start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)

    def _alive(self) -> bool:
        """Return True; raises `RuntimeError` when it has ended by itself."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended while starting:\n{self.log()[-2000:]}")
        return True

    def log(self) -> str:
        """Return everything that it printed."""
        return (self.folder / "log").read_text("utf-8", "replace")


class Gatehouse(Product):
    """The whole product as its Procfile starts it: web worker and protocols worker, with an empty database."""

    name = "Gatehouse"
    root = ROOT  # the folder that it is started in

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.port = processes.free_port()
        self.environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "HOST": HOST,
            "PORT": str(self.port),
            **{name: str(processes.free_port()) for name in LISTENERS},
            "MQTT_PORT": str(self.mqtt_port),
            "DATA_DIR": str(self.folder / "data"),
            "ADMIN_EMAIL": EMAIL,
            "ADMIN_PASSWORD": PASSWORD,
            **(settings or {}),
        }

    @property
    def settings(self) -> Settings:
        return load(self.environ)

    @property
    def opcua_port(self) -> int:
        return int(self.environ["OPCUA_PORT"])

    def launch(self) -> None:
        """Start it, and do not wait."""
        self._launch([sys.executable, "-m", "gunicorn", "app:app"], cwd=self.root, env=self.environ)

    def start(self) -> None:
        self.launch()
        processes.wait_until(lambda: self._alive() and self.serves(), READY_WITHIN, "Gatehouse to be ready")

    def serves(self) -> bool:
        """Tell whether pages are answered and the protocols worker has announced itself."""
        try:
            with Browser(HOST, self.port) as browser:
                return browser.get("/login").status == 200 and "is ready" in self.log()
        except OSError:
            return False

    def acknowledges(self) -> bool:
        """Tell whether the OPC UA server answers Hello with Acknowledge (OPC 10000-6, section 7.1.2)."""
        url = f"opc.tcp://{HOST}:{self.opcua_port}".encode()
        hello = struct.pack("<4sI5Ii", b"HELF", 32 + len(url), 0, 65_536, 65_536, 0, 0, len(url)) + url
        try:
            with socket.create_connection((HOST, self.opcua_port), timeout=5) as connection:
                connection.sendall(hello)
                return connection.recv(4) == b"ACKF"
        except OSError:
            return False

    def stop(self) -> None:
        super().stop()
        if "Traceback" in self.log() or "[ERROR]" in self.log():
            sys.stderr.write(f"Gatehouse logged errors:\n{self.log()[-4000:]}\n")

    def browser(self) -> Browser:
        """Return a browser that is logged in."""
        browser = Browser(HOST, self.port)
        browser.log_in(EMAIL, PASSWORD)
        return browser
