"""A MariaDB server in a temporary folder, spoken to over a Unix socket and a port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pymysql

from tests.support import processes

USER, PASSWORD = "gatehouse", "gate/house"
SETTINGS = {
    "bind-address": "127.0.0.1",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "innodb-buffer-pool-size": "8M",
    "innodb-log-file-size": "4M",
    "performance-schema": "OFF",
    "secure-file-priv": "",
    "skip-name-resolve": "ON",
}


class Server:
    """Starts the server, makes databases in it, and stops it."""

    def __init__(self) -> None:
        # Not pytest's folder: the path of a Unix socket has to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="gatehouse-my-"))
        self.port = processes.free_port()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        data = f"--datadir={self.folder}/data"
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        environ = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        subprocess.run(
            [_program("mariadb-install-db"), "--no-defaults", data, "--auth-root-authentication-method=normal"]
            + ["--skip-test-db", "--innodb-log-file-size=4M", *as_root],
            check=True,
            capture_output=True,
            env=environ,
        )
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._process = processes.start(
            [_program("mariadbd"), "--no-defaults", data, f"--socket={self.folder}/socket", f"--port={self.port}"]
            + [f"--pid-file={self.folder}/pid", *options, *as_root],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        processes.wait_until(self._answers, what="MariaDB to answer")
        self.execute(f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'", f"GRANT ALL ON *.* TO {USER}@'%'")

    def stop(self) -> None:
        try:
            if self._process is not None:
                processes.stop(self._process, signal.SIGKILL)  # nothing of it is kept
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, name: str) -> str:
        return f"mariadb://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{name}"

    def connected(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(unix_socket=f"{self.folder}/socket", user="root", database=database)

    def execute(self, *statements: str, database: str | None = None) -> None:
        """Run statements as root."""
        with self.connected(database) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            connection.commit()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "MariaDB ended while starting"
        with socket.socket(socket.AF_UNIX) as trying:
            return trying.connect_ex(f"{self.folder}/socket") == 0


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, "MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core"
    return path
