"""SQL Server, as SQLAlchemy reaches it: by the TDS protocol in Python, over sockets of our own that can be cut off."""

from __future__ import annotations

import contextlib
import importlib
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytds
from sqlalchemy import URL, Connection, text
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect

from edge_connector.connectors.sql_engines import CONNECT_SECONDS, GRACE, ODD, held_to, pooled

_TLS: tuple[type[Exception], ...] = ()
with contextlib.suppress(ModuleNotFoundError):  # it is there where connections are encrypted
    from OpenSSL import SSL

    _TLS = (SSL.Error,)


class Ended(pytds.OperationalError):  # type: ignore[misc]
    """A connection is of no use any more."""


class Sqlserver:
    """A server of Microsoft's, which has no read-only transactions: what a query does is rolled back."""

    writes: re.Pattern[str] | None = None
    reads_only = False

    def __init__(self, url: URL, seconds: float, rows: int) -> None:
        self._seconds = seconds
        if "ca" in url.query:
            importlib.import_module("OpenSSL")  # without it there is no encryption
        self.engine = pooled(url.set(drivername="mssql+edge"), seconds, {"timeout": seconds})

    @contextlib.contextmanager
    def begun(self, connection: Connection, *, writing: bool) -> Iterator[None]:
        session: Any = connection.connection.driver_connection
        with held_to(self._seconds + GRACE, session.fileno()):
            connection.execute(text(f"SET LOCK_TIMEOUT {round(self._seconds * 1000)}"))
            try:
                yield
            finally:
                connection.rollback()  # here, where it is held to its time


class Session:
    """A connection of pytds, whose errors are those of a database whatever it says."""

    def __init__(self, connection: Any, opened: socket.socket) -> None:
        self._connection = connection
        self._socket = opened
        self._cursor: Any = None  # of the last statement, if nothing has been committed or rolled back since

    def fileno(self) -> int:
        return self._socket.fileno()

    def cursor(self) -> Cursor:
        with _told():
            self._cursor = self._connection.cursor()
        return Cursor(self._cursor)

    def commit(self) -> None:
        if self._cursor is not None:
            with _told():
                while self._cursor.nextset():  # what is not read to its end would be cancelled
                    pass
                self._connection.commit()
            self._cursor = None

    def rollback(self) -> None:
        if self._cursor is not None:
            with _told():
                self._connection.rollback()
            self._cursor = None

    def close(self) -> None:
        with self._socket, contextlib.suppress(Ended), _told():
            self._connection.close()


class Cursor:
    """A statement and its rows."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return int(self._cursor.rowcount)

    def execute(self, statement: str, parameters: Any = None) -> None:
        """Run a statement; what is in parameters never becomes a part of it."""
        with _told():
            self._cursor.execute(statement, parameters or {})

    def fetchone(self) -> Any:
        with _told():
            return self._cursor.fetchone()

    def fetchmany(self, size: int) -> Any:
        with _told():
            return self._cursor.fetchmany(size)

    def fetchall(self) -> Any:
        with _told():
            return self._cursor.fetchall()

    def close(self) -> None:
        """Leave it open: its answer is read to its end by a commit, and cancelled by what else comes next."""


class Dialect(DefaultDialect):
    """As much as statements need that are run as they are: their parameters."""

    name, driver = "mssql", "edge"
    default_paramstyle = "pyformat"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        return pytds

    def create_connect_args(self, url: URL) -> Any:
        return [], {
            "dsn": url.host or "localhost",
            "port": url.port or 1433,
            "database": url.database or "",
            "user": url.username or "",
            "password": url.password or "",
            "cafile": url.query.get("ca"),  # encrypts, and is the only authority that is believed
            "validate_host": False,  # its way to look at names is gone from pyOpenSSL
        }

    def connect(self, *words: Any, **options: Any) -> Any:
        seconds = min(options["timeout"], CONNECT_SECONDS)
        with _told():
            opened = socket.create_connection((options["dsn"], options["port"]), seconds)
        options |= {"sock": opened, "login_timeout": seconds, "disable_connect_retry": True}
        try:
            with _told(), held_to(seconds + GRACE, opened.fileno()):
                return Session(pytds.connect(**options, appname="edge_connector"), opened)
        except BaseException:
            opened.close()
            raise

    def initialize(self, connection: Connection) -> None:
        """Ask the server for nothing: it makes no difference to a statement that is run as it is."""

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return isinstance(e, Ended)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what comes of a connection that has ended, or of an answer that is none, into errors of a database."""
    try:
        yield
    except TimeoutError:
        raise Ended("timed out") from None
    except (OSError, pytds.ClosedConnectionError, *_TLS) as error:
        raise Ended(f"the connection ended: {error}") from None
    except (pytds.InterfaceError, *ODD) as error:
        raise Ended(f"the server does not answer as it should: {error}") from None


registry.register("mssql.edge", __name__, "Dialect")
