"""Debian's Mosquitto."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess

from benchmarks import processes
from benchmarks.stack import HOST, READY_WITHIN, Product

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
INFLIGHT = 20  # its default and Gatehouse's; with 100 or 1,000 Mosquitto is slower

CONFIG = """\
user {user}
listener {port} {host}
set_tcp_nodelay true
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/permissions
max_inflight_messages {inflight}
max_queued_messages 0
persistence false
sys_interval 0
log_dest none
"""


class Mosquitto(Product):
    """Mosquitto with a password file and a permissions file, and nothing that slows it down."""

    name = "Mosquitto"

    def __init__(self, username: str, password: str) -> None:
        super().__init__()
        self._username, self._password = username, password

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        values = {"user": getpass.getuser(), "host": HOST, "port": self.mqtt_port, "folder": self.folder}
        config.write_text(CONFIG.format(inflight=INFLIGHT, **values))
        passwords = self.folder / "passwords"
        passwords.touch(mode=0o600)
        # It hashes as it does by default.
        subprocess.run(
            [program("mosquitto_passwd"), "-b", passwords, self._username, self._password], check=True, timeout=10
        )
        (self.folder / "permissions").write_text(f"user {self._username}\ntopic readwrite #\n")
        self._launch([program("mosquitto"), "-c", str(config)])
        processes.wait_until(
            lambda: self._alive() and self.accepts(self._username, self._password),
            READY_WITHIN,
            "Mosquitto to be ready",
        )


def program(name: str) -> str:
    """Return the path of a program of Mosquitto.  Raises `FileNotFoundError`."""
    path = shutil.which(name, path=PATH)
    if path is None:
        raise FileNotFoundError(f"{name}: not found; install the package mosquitto")
    return path


def version() -> str:
    """Return what Mosquitto says of itself, like "mosquitto version 2.0.11"."""
    try:
        done = subprocess.run([program("mosquitto"), "-h"], capture_output=True, text=True, timeout=10)
    except FileNotFoundError:
        return "no mosquitto"
    return done.stdout.partition("\n")[0].strip()
