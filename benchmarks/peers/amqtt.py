"""amqtt, the successor of hbmqtt."""

from __future__ import annotations

import json

from argon2 import PasswordHasher

from benchmarks import processes
from benchmarks.peers.installed import HERE, python_environment
from benchmarks.stack import HOST, READY_WITHIN, Product

LISTENER_LIMIT = 20_000  # connections


class Amqtt(Product):
    """amqtt's own broker program, with its password file."""

    name = "amqtt"

    def __init__(self, username: str, password: str) -> None:
        self._program = python_environment(HERE / "amqtt.txt").with_name("amqtt")
        super().__init__()
        self._username, self._password = username, password

    def start(self) -> None:
        # Its hashes say what they cost; with what is usual it would let in some thirty clients a second.
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        passwords = self.folder / "passwords"
        passwords.write_text(f"{self._username}:{cheap.hash(self._password)}\n")
        config = self.folder / "amqtt.yaml"
        config.write_text(json.dumps(self._config(str(passwords))))  # which is YAML, too
        self._launch([str(self._program), "-c", str(config)])
        processes.wait_until(
            lambda: self._alive() and self.accepts(self._username, self._password), READY_WITHIN, "amqtt to be ready"
        )

    def _config(self, passwords: str) -> dict[str, object]:
        listener = {"type": "tcp", "bind": f"{HOST}:{self.mqtt_port}", "max_connections": LISTENER_LIMIT}
        return {
            "listeners": {"default": listener},
            "plugins": {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": passwords}},
        }
