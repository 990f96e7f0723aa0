"""node-opcua-server, the OPC UA server for Node.js."""

from __future__ import annotations

import os

from benchmarks import processes
from benchmarks.peers.installed import HERE, node_program
from benchmarks.stack import HOST, READY_WITHIN, Product


class NodeOpcUa(Product):
    """node-opcua-server with one username and password, and so many variables."""

    name = "node-opcua-server"

    def __init__(self, username: str, password: str, variables: int) -> None:
        self._command = node_program(HERE / "opcua" / "node-opcua-server.mjs")
        super().__init__()
        self.opcua_port = processes.free_port()
        self._username, self._password, self._variables = username, password, variables

    def start(self) -> None:
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "FOLDER": str(self.folder / "pki"),
            "HOST": HOST,
            "PORT": str(self.opcua_port),
            "OPCUA_USERNAME": self._username,
            "OPCUA_PASSWORD": self._password,
            "VARIABLES": str(self._variables),
        }
        self._launch(self._command, env=environ)
        processes.wait_until(
            lambda: self._alive() and "is ready" in self.log(), READY_WITHIN, f"{self.name} to be ready"
        )
