"""MySQL and MariaDB, as SQLAlchemy reaches them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from pymysql import Error
from pymysql.cursors import SSCursor
from sqlalchemy import URL, Connection, text

from edge_connector.connectors.sql_engines import CONNECT_SECONDS, GRACE, held_to, pooled


class Rows(SSCursor):  # type: ignore[misc]
    """Rows as they come.  A statement cannot be cancelled: if more are left than the end, the connection is ended."""

    def close(self) -> None:
        result = self._result
        if result is not None and result.unbuffered_active:
            with contextlib.suppress(Error):
                if self.connection.open:
                    self.fetchone()
            if result.unbuffered_active:
                result.unbuffered_active = False  # else it would be read to its end, even of a connection that has none
                self.connection._force_close()
        super().close()

    __del__ = close


class Mysql:
    """A server of MySQL or MariaDB."""

    reads_only = True
    writes: re.Pattern[str] | None = re.compile(
        r"\b(?:outfile|dumpfile)\b", re.IGNORECASE
    )  # files of the server's, read-only or not

    def __init__(self, url: URL, seconds: float, rows: int) -> None:
        self._seconds = seconds
        self._rows = rows
        options = {
            "connect_timeout": min(seconds, CONNECT_SECONDS),
            "read_timeout": seconds + GRACE,
            "write_timeout": seconds + GRACE,
            "charset": "utf8mb4",
            "program_name": "edge_connector",
            "cursorclass": Rows,
        }
        self.engine = pooled(url.set(drivername="mysql+pymysql"), seconds, options)
        self.engine.dialect.supports_server_side_cursors = False  # it would take another cursor

    @contextlib.contextmanager
    def begun(self, connection: Connection, *, writing: bool) -> Iterator[None]:
        raw: Any = connection.connection.driver_connection
        is_mariadb = bool(getattr(self.engine.dialect, "is_mariadb", False))
        with held_to(self._seconds + GRACE, raw._sock.fileno()):
            connection.execute(text(self._limits(writing=writing, is_mariadb=is_mariadb)))
            if not writing:
                connection.execute(text("START TRANSACTION READ ONLY"))
            try:
                yield
            finally:
                if not raw.open:
                    connection.invalidate()

    def _limits(self, *, writing: bool, is_mariadb: bool) -> str:
        """Return what sets the limits of a session, anew for each transaction."""
        limits = {
            "innodb_lock_wait_timeout": max(1, round(self._seconds)),
            "sql_select_limit": "DEFAULT" if writing else self._rows + 1,
        }
        if is_mariadb:
            limits["max_statement_time"] = f"{self._seconds:g}"
        else:  # it holds for what only reads; a change waits for locks no longer than that, and is cut off
            limits["max_execution_time"] = round(self._seconds * 1000)
        return f"SET SESSION {', '.join(f'{name} = {one}' for name, one in limits.items())}"
