"""A PostgreSQL cluster in a temporary folder, run by an unprivileged user, spoken to over a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg

from tests.support import processes

USER = "gatehouse"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "log_min_messages": "panic",
}


class Cluster:
    """Starts the server, makes databases in it, and stops it."""

    def __init__(self) -> None:
        # Not pytest's folder: the path of a Unix socket has to be short, and the user has to get there.
        self.folder = Path(tempfile.mkdtemp(prefix="gatehouse-pg-"))
        self._numbers = count(1)
        self._as_user = _unprivileged()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        if self._as_user:
            shutil.chown(self.folder, self._as_user["user"], self._as_user["group"])
        data = str(self.folder / "data")
        subprocess.run(
            [_program("initdb"), "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._as_user,
        )
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self._process = processes.start(
            [_program("postgres"), "-D", data, "-k", str(self.folder), *options],
            at_end=signal.SIGINT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            **self._as_user,
        )
        processes.wait_until(self._answers, what="PostgreSQL to answer")

    def stop(self) -> None:
        try:
            if self._process is not None:
                processes.stop(self._process, signal.SIGINT, 10)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, template: str = "template1") -> str:
        """Make a database, and return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def execute(self, sql: str) -> None:
        """Run one statement outside of any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql)

    def disconnect(self, name: str) -> None:
        """End every connection to a database, as a restart of the server does."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608
            f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "PostgreSQL ended while starting"
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, "PostgreSQL is not installed: apt-get install postgresql"
    return path


def _unprivileged() -> dict[str, object]:
    """Return the options that start a program as somebody else; PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
