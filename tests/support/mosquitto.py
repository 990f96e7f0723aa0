"""Debian's Mosquitto as a broker, where a test asks whether a fault is ours; anybody may do anything there."""

from __future__ import annotations

import getpass
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from tests.support import processes
from tests.support.processes import wait_until

HOST = "127.0.0.1"


class Mosquitto:
    """A running Mosquitto."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program, "Mosquitto is not installed: apt-get install mosquitto"
        self.port = processes.free_port()
        config = folder / "mosquitto.conf"
        config.write_text(
            f"user {getpass.getuser()}\nlistener {self.port} {HOST}\nallow_anonymous true\nlog_dest none\n"
            "max_queued_messages 0\n",  # without a bound
            "utf-8",
        )
        self._process = processes.start([program, "-c", str(config)])
        wait_until(self._accepts, what="Mosquitto to be ready")

    def stop(self) -> None:
        """End it."""
        processes.stop(self._process)

    def _accepts(self) -> bool:
        with suppress(OSError):
            socket.create_connection((HOST, self.port), 1).close()
            return True
        return False
