"""Databases as SQLAlchemy reaches them: read-only where nothing may be changed, and never for longer than allowed."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from edge_connector.settings import Table

CONNECTIONS = 4
CONNECT_SECONDS = 5
GRACE = 1.0  # seconds beyond the time-out after which a database that does not keep to it is cut off
_STEPS = 10_000  # of SQLite's machine between two looks at the clock


class Database(Protocol):
    """A database, and how its connections are begun."""

    engine: Engine

    def begun(self, connection: Connection, *, writing: bool) -> contextlib.AbstractContextManager[None]:
        """Hold a transaction that has just begun to what it may do, and to its time."""


def opened(table: Table, seconds: float) -> Database:
    """Return the database that a table names.  Raises `ConfigFault`; does not connect yet."""
    try:
        url = make_url(table.text("url"))
    except ArgumentError:
        raise table.fault("url", "is no address of a database") from None
    if url.get_backend_name() == "sqlite":
        if not url.database or not Path(url.database).is_absolute():
            raise table.fault("url", "has to be sqlite:/// and a path from the root")
        return Sqlite(url.database, seconds)
    if url.get_backend_name() == "postgresql":
        return Postgresql(url, seconds)
    raise table.fault("url", "has to begin with sqlite: or postgresql:")


class Sqlite:
    """A file of SQLite, which is never made."""

    def __init__(self, path: str, seconds: float) -> None:
        self._uri = f"file:{quote(path)}?mode=rw"
        self._seconds = seconds
        self.engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=CONNECTIONS, max_overflow=0
        )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, timeout=self._seconds, check_same_thread=False)

    @contextlib.contextmanager
    def begun(self, connection: Connection, *, writing: bool) -> Iterator[None]:
        raw: Any = connection.connection.driver_connection
        raw.execute(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
        end = time.monotonic() + self._seconds
        raw.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)


class Postgresql:
    """A server of PostgreSQL."""

    def __init__(self, url: URL, seconds: float) -> None:
        self._seconds = seconds
        self.engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=seconds,
            pool_recycle=3600,
            connect_args={
                "connect_timeout": max(2, min(round(seconds), CONNECT_SECONDS)),
                "application_name": "edge_connector",
            },
        )

    @contextlib.contextmanager
    def begun(self, connection: Connection, *, writing: bool) -> Iterator[None]:
        raw: Any = connection.connection.driver_connection
        timer = threading.Timer(self._seconds + GRACE, _cut, [raw.fileno()])
        timer.daemon = True
        timer.start()
        try:
            if not writing:
                connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text(f"SET LOCAL statement_timeout = {round(self._seconds * 1000)}"))
            yield
        finally:
            timer.cancel()


def _cut(handle: int) -> None:
    """End a connection whose server does not answer, so that the thread that waits for it goes on."""
    with contextlib.suppress(OSError), socket.fromfd(handle, socket.AF_INET, socket.SOCK_STREAM) as found:
        found.shutdown(socket.SHUT_RDWR)
