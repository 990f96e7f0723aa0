"""Databases as SQLAlchemy reaches them: read-only where nothing may be changed, and never for longer than allowed."""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator
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
# Of a driver, about an answer that is none.
ODD = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, struct.error)
_LARGEST = 64 * 1024 * 1024  # bytes of one value of SQLite's, which makes it in this process's memory
_STEPS = 10_000  # of SQLite's machine between two looks at the clock


class Database(Protocol):
    """A database, and how its connections are begun."""

    engine: Engine
    reads_only: bool  # it can hold a query to reading
    writes: re.Pattern[str] | None  # words by which a query writes, whatever its transaction may do

    def begun(self, connection: Connection, *, writing: bool) -> contextlib.AbstractContextManager[None]:
        """Hold a transaction that has just begun to what it may do, and to its time."""


def opened(table: Table, seconds: float, rows: int) -> Database:
    """Return the database that a table names.  Raises `ConfigFault`; does not connect yet."""
    try:
        url = make_url(table.text("url"))
    except ArgumentError:
        raise table.fault("url", "is no address of a database") from None
    kind = url.get_backend_name()
    if kind not in ENGINES:
        raise table.fault("url", f"has to begin with one of {', '.join(f'{one}:' for one in ENGINES)}")
    if kind == "sqlite" and not (url.database and Path(url.database).is_absolute()):
        raise table.fault("url", "has to be sqlite:/// and a path from the root")
    make, needed = ENGINES[kind]
    try:
        return make(url, seconds, rows)
    except ModuleNotFoundError as error:
        raise table.fault("url", f"needs a package that is not installed ({error.name}); see {needed}") from None
    except (ArgumentError, TypeError) as error:
        raise table.fault("url", f"cannot be used: {error}") from None


class Sqlite:
    """A file of SQLite, which is never made."""

    reads_only = True
    writes: re.Pattern[str] | None = None

    def __init__(self, url: URL, seconds: float, rows: int) -> None:
        self._uri = f"file:{quote(str(url.database))}?mode=rw"
        self._seconds = seconds
        self.engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=CONNECTIONS, max_overflow=0
        )

    def _connect(self) -> sqlite3.Connection:
        made = sqlite3.connect(self._uri, uri=True, timeout=self._seconds, check_same_thread=False)
        made.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
        made.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # no other file, read or made
        return made

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

    reads_only = True
    writes: re.Pattern[str] | None = None

    def __init__(self, url: URL, seconds: float, rows: int) -> None:
        self._seconds = seconds
        within = max(2, min(round(seconds), CONNECT_SECONDS))
        options = {"connect_timeout": within, "application_name": "edge_connector"}
        self.engine = pooled(url.set(drivername="postgresql+psycopg"), seconds, options)

    @contextlib.contextmanager
    def begun(self, connection: Connection, *, writing: bool) -> Iterator[None]:
        raw: Any = connection.connection.driver_connection
        with held_to(self._seconds + GRACE, raw.fileno()):
            if not writing:
                connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(text(f"SET LOCAL statement_timeout = {round(self._seconds * 1000)}"))
            yield


def pooled(url: URL, seconds: float, options: dict[str, Any]) -> Engine:
    """Return an engine whose connections are few, and waited for as long as for a statement."""
    return create_engine(
        url, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=seconds, pool_recycle=3600, connect_args=options
    )


@contextlib.contextmanager
def held_to(seconds: float, handle: int) -> Iterator[None]:
    """Cut a connection off whose server does not keep to a time, so that the thread that waits for it goes on."""
    timer = threading.Timer(seconds, _cut, [handle])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(handle: int) -> None:
    with contextlib.suppress(OSError), socket.fromfd(handle, socket.AF_INET, socket.SOCK_STREAM) as found:
        found.shutdown(socket.SHUT_RDWR)


def _mysql(url: URL, seconds: float, rows: int) -> Database:
    from edge_connector.connectors.sql_mysql import Mysql

    return Mysql(url, seconds, rows)


def _sqlserver(url: URL, seconds: float, rows: int) -> Database:
    from edge_connector.connectors.sql_sqlserver import Sqlserver

    return Sqlserver(url, seconds, rows)


ENGINES: dict[str, tuple[Callable[[URL, float, int], Database], str]] = {
    "sqlite": (Sqlite, ""),
    "postgresql": (Postgresql, "edge_connector/requirements/sql-postgresql.txt"),
    "mysql": (_mysql, "edge_connector/requirements/sql-mysql.txt"),
    "mariadb": (_mysql, "edge_connector/requirements/sql-mysql.txt"),
    "mssql": (_sqlserver, "edge_connector/requirements/sql-sqlserver.txt"),
}
