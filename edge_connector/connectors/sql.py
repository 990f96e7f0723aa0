"""A database."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from edge_connector.connectors.base import Connector
from edge_connector.connectors.sql_engines import ODD, opened
from edge_connector.described import offered
from edge_connector.errors import Refused, TimedOut
from edge_connector.settings import Table

READING = re.compile(r"\s*(select|with|values|table)\b", re.IGNORECASE)

_TIMED_OUT = (
    "interrupted",
    "statement timeout",
    "timed out",
    "timeout expired",
    "timeout exceeded",
    "time out period exceeded",
    "database is locked",
)


class SQL(Connector):
    """The statements that the configuration names, on one database, with values as parameters only.

    Statements of the caller's own are refused unless the configuration has `free_queries` or `free_changes`.
    """

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # what goes wrong is said by calls and feeds
        self._seconds = table.number("seconds", 10, low=0.1, high=600)
        self._rows = table.integer("rows", 1000, low=1, high=100_000)
        self._queries = _named(table, "queries", reading=True)
        self._changes = _named(table, "changes", reading=False)
        self._free_queries = table.flag("free_queries", False)
        self._free_changes = table.flag("free_changes", False)
        self._database = opened(table, self._seconds, self._rows)
        if self._free_queries and not self._database.reads_only:
            raise table.fault("free_queries", "cannot be used with a database that has no read-only transactions")

    @offered(reads=True)
    def statements(self) -> dict[str, Any]:
        """Returns the statements that the configuration names

        :returns: queries and changes, by name: their parameters
        """
        return {
            "queries": {name: sorted(one.compile().params) for name, one in self._queries.items()},
            "changes": {name: sorted(one.compile().params) for name, one in self._changes.items()},
            "free_queries": self._free_queries,
            "free_changes": self._free_changes,
        }

    @offered(reads=True)
    def query(self, name: str, parameters: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Runs a named query

        :param name: Name of a query of the configuration
        :param parameters: Values by the names that the statement has after colons
        :returns: columns, rows, and more: whether there are more rows than are returned
        """
        return self._read(_found(self._queries, name, "query"), parameters)

    @offered(reads=True)
    def first(self, name: str, parameters: Mapping[str, Any] = {}) -> dict[str, Any] | None:
        """Runs a named query for its first row, as a poll can spread it

        :param name: Name of a query of the configuration
        :param parameters: Values by name
        :returns: Values by column; null if there is no row
        """
        found = self._read(_found(self._queries, name, "query"), parameters, 1)
        return dict(zip(found["columns"], found["rows"][0], strict=True)) if found["rows"] else None

    @offered(reads=True)
    def query_text(self, statement: str, parameters: Mapping[str, Any] = {}) -> dict[str, Any]:
        """Runs a query of the caller's own, in a read-only transaction; only if the configuration has free_queries

        :param statement: One SELECT, WITH, VALUES or TABLE, with parameters as :name
        :param parameters: Values by name
        :returns: columns, rows, more
        """
        if not self._free_queries:
            raise Refused("only the queries of the agent's configuration may be run here")
        writes = self._database.writes.search(statement) if self._database.writes else None
        if writes:
            raise Refused(f"a query of one's own cannot have the word {writes[0]}, which writes")
        return self._read(_statement(statement, reading=True), parameters)

    @offered()
    def change(self, name: str, parameters: Mapping[str, Any] = {}) -> int:
        """Runs a named change

        :param name: Name of a change of the configuration
        :param parameters: Values by name
        :returns: Number of rows that were changed
        """
        return self._write(_found(self._changes, name, "change"), parameters)

    @offered()
    def change_text(self, statement: str, parameters: Mapping[str, Any] = {}) -> int:
        """Runs a change of the caller's own; only if the configuration has free_changes

        :param statement: One statement, with parameters as :name
        :param parameters: Values by name
        :returns: Number of rows that were changed
        """
        if not self._free_changes:
            raise Refused("only the changes of the agent's configuration may be run here")
        return self._write(_statement(statement, reading=False), parameters)

    def close(self) -> None:
        self._database.engine.dispose()

    def _read(self, statement: TextClause, parameters: Mapping[str, Any], most: int | None = None) -> dict[str, Any]:
        rows = most or self._rows
        with self._transaction(writing=False) as connection:
            options = {"stream_results": True, "max_row_buffer": rows + 1}
            result = connection.execute(statement, _checked(statement, parameters), execution_options=options)
            found = result.fetchmany(rows + 1)
            columns = list(result.keys())
            result.close()
        return {
            "columns": columns,
            "rows": [[_plain(one) for one in row] for row in found[:rows]],
            "more": len(found) > rows,
        }

    def _write(self, statement: TextClause, parameters: Mapping[str, Any]) -> int:
        with self._transaction(writing=True) as connection:
            count = connection.execute(statement, _checked(statement, parameters)).rowcount
            connection.commit()
        return count

    @contextmanager
    def _transaction(self, *, writing: bool) -> Iterator[Connection]:
        """Give a connection; what is not committed at the end did not happen."""
        try:
            with ExitStack() as stack:
                connection = self._begun(stack, writing)
                try:
                    yield connection
                except ODD:
                    connection.invalidate()
                    raise
        except ODD as error:
            raise Refused(f"the database does not answer as it should: {error}") from None
        except DBAPIError as error:
            raise _refused(error.orig or error, self._seconds) from None
        except StatementError as error:
            raise Refused(f"a parameter cannot be used: {error.orig}") from None
        except SQLAlchemyError as error:
            raise _refused(error, self._seconds) from None

    def _begun(self, stack: ExitStack, writing: bool) -> Connection:
        """Return a connection of the pool, or a new one in the place of one that has been lost meanwhile."""
        while True:
            with ExitStack() as trying:
                connection = trying.enter_context(self._database.engine.connect())
                is_new = not connection.connection.info
                connection.connection.info["used"] = True
                try:
                    trying.enter_context(self._database.begun(connection, writing=writing))
                except DBAPIError as error:
                    if is_new or not error.connection_invalidated:
                        raise
                    continue
                stack.push(trying.pop_all())
                return connection


def _named(table: Table, key: str, *, reading: bool) -> dict[str, TextClause]:
    found = {}
    for name, statement in table.strings(key, {}).items():
        try:
            found[name] = _statement(statement, reading=reading)
        except Refused as error:
            raise table.fault(f"{key}.{name}", f"cannot be run: {error}") from None
    return found


def _statement(statement: str, *, reading: bool) -> TextClause:
    """Return one statement.  Raises `Refused` for what could be two, or what does not read where it has to."""
    stripped = statement.strip().removesuffix(";")
    if ";" in stripped:
        raise Refused("a statement holds no semicolon: run statements one by one, and give values as parameters")
    if "\0" in stripped:
        raise Refused("a statement holds no zero byte")
    if reading and not READING.match(stripped):
        raise Refused("a query begins with SELECT, WITH, VALUES or TABLE")
    # A percent sign is one of the statement's own, not a place for a parameter of the driver: SQLAlchemy doubles it.
    return text(stripped)


def _found(statements: dict[str, TextClause], name: str, what: str) -> TextClause:
    if name not in statements:
        raise Refused(f"there is no {what} {name[:60]!r}; there are: {', '.join(sorted(statements)) or 'none'}")
    return statements[name]


def _checked(statement: TextClause, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return parameters that are all that the statement has, and plain values."""
    wanted = set(statement.compile().params)
    if wanted != set(parameters):
        raise Refused(f"the statement has the parameters {sorted(wanted)}, not {sorted(parameters)}")
    for name, value in parameters.items():
        if not isinstance(value, str | int | float | bool | None):
            raise Refused(f"parameter {name} has to be a text, a number, a boolean or null")
    return parameters


def _plain(value: Any) -> Any:
    """Return what JSON can say of a value."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        exact = Decimal(repr(float(value))) == value
        return float(value) if exact or not value.is_finite() else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return str(value)


def _refused(error: BaseException, seconds: float) -> Refused:
    """Return what a caller is told: the database's own words, without the statement or its address."""
    text = next((one for one in error.args if isinstance(one, str)), str(error))  # some begin with a number
    said = text.strip().splitlines()
    first = said[0] if said else type(error).__name__
    if any(one in str(error).lower() for one in _TIMED_OUT):
        return TimedOut(f"the database took longer than {seconds:g} s: {first}")
    logging.getLogger(__name__).debug("the database refused", exc_info=error)
    return Refused(f"the database says: {first}")
