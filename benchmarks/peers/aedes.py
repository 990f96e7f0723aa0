"""aedes, the MQTT broker for Node.js."""

from __future__ import annotations

import os

from benchmarks import processes
from benchmarks.peers.installed import HERE, node_program
from benchmarks.stack import HOST, READY_WITHIN, Product


class Aedes(Product):
    """aedes on Node's own TCP server, with a check of the password."""

    name = "aedes"

    def __init__(self, username: str, password: str) -> None:
        self._command = node_program(HERE / "aedes.mjs")
        super().__init__()
        self._username, self._password = username, password

    def start(self) -> None:
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOST": HOST,
            "PORT": str(self.mqtt_port),
            "MQTT_USERNAME": self._username,
            "MQTT_PASSWORD": self._password,
        }
        self._launch(self._command, env=environ)
        processes.wait_until(
            lambda: self._alive() and self.accepts(self._username, self._password), READY_WITHIN, "aedes to be ready"
        )
