"""RabbitMQ with its management API, from Debian's packages, unpacked and not installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import processes
from benchmarks.generator.http import wire
from benchmarks.peers.installed import HERE, NotInstalled, debian_packages
from benchmarks.stack import HOST, READY_WITHIN, Product

ERLANG = Path("usr/lib/erlang")
QUEUE = "bench"
KEPT = 8  # messages in the queue: one that is read is away until it is put back
# No rates are kept of what happens, and only the management API listens: what it is measured by costs least so.
CONFIG = """\
listeners.tcp = none
management.tcp.ip = {host}
management.tcp.port = {port}
management.rates_mode = none
default_user = {username}
default_pass = {password}
log.console = true
log.console.level = warning
log.file = false
"""


class RabbitMq(Product):
    """RabbitMQ with one user, and a queue that keeps the last messages: what is nearest to a value."""

    name = "RabbitMQ"

    def __init__(self, username: str, password: str) -> None:
        self._root = debian_packages(HERE / "rabbitmq.txt")
        super().__init__()
        self.port = processes.free_port()
        self._username, self._password = username, password
        self._config, self._plugins = self.folder / "rabbitmq.conf", self.folder / "enabled_plugins"

    @property
    def version(self) -> str:
        """Return the version that Debian has."""
        return self._server.name.rpartition("-")[2]

    @property
    def pids(self) -> list[int]:
        """Return Erlang's process, which does everything; its helpers come and go, so that nobody can watch them."""
        return [self.process.pid]

    @property
    def _server(self) -> Path:
        return next((self._root / "usr/lib/rabbitmq/lib").iterdir())

    def start(self) -> None:
        _relocate(self._root)
        user = {"username": self._username, "password": self._password}
        self._config.write_text(CONFIG.format(host=HOST, port=self.port, **user))
        self._plugins.write_text("[rabbitmq_management].\n")
        environ = self._environ()
        epmd = next((self._root / ERLANG).glob("erts-*/bin/epmd"))
        self._names = processes.start([str(epmd)], env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._launch([str(self._server / "sbin" / "rabbitmq-server")], cwd=self.folder, env=environ)
        try:
            processes.wait_until(lambda: self._alive() and self._makes_queue(), READY_WITHIN, "RabbitMQ to be ready")
        except (RuntimeError, TimeoutError) as error:
            self.stop()
            raise NotInstalled(f"it does not start here: {str(error).strip().splitlines()[-1]}") from None

    def _environ(self) -> dict[str, str]:
        """Return an environment in which all files are in a folder of its own, and all ports on the loopback."""
        return {
            "PATH": f"{self._root / ERLANG / 'bin'}:{os.environ.get('PATH', '')}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(processes.free_port()),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_CONFIG_FILE": str(self._config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._plugins),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_DIST_PORT": str(processes.free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "true",  # Erlang takes the place of the script, which would not end with it
        }

    def stop(self) -> None:
        super().stop()
        processes.stop(self._names)

    def _makes_queue(self) -> bool:
        """Make the queue; tell whether it is there."""
        authorization = wire.basic(self._username, self._password)
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        arguments = json.dumps({"arguments": {"x-max-length": KEPT}})
        connection = HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("PUT", f"/api/queues/%2F/{QUEUE}", arguments, headers)
            return connection.getresponse().status in (201, 204)
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _relocate(root: Path) -> None:
    """Tell Erlang's script where it is: it holds the path of the installed package."""
    script = root / ERLANG / "bin" / "erl"
    script.write_text(re.sub(r"(?m)^( *ROOTDIR=)/.*$", rf"\g<1>{root / ERLANG}", script.read_text()))
