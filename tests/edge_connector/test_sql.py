"""Databases: PostgreSQL, MariaDB and SQLite, each of them real."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from edge_connector.connectors.sql import SQL
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.holes import BlackHole
from tests.edge_connector.maker import Maker
from tests.edge_connector.plc import Babbler
from tests.support.mariadb import Server
from tests.support.postgresql import Cluster
from tests.support.processes import free_port

SCHEMA = "CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10, 2), note TEXT)"
ROWS = "INSERT INTO part (id, name, price) VALUES (1, 'bolt', 0.25), (2, 'nut', 0.1), (3, '50% off', 7)"
QUERIES = {"by_name": "SELECT id, price FROM part WHERE name = :name", "all": "SELECT id, name FROM part ORDER BY id"}
CHANGES = {"rename": "UPDATE part SET name = :name WHERE id = :id"}

Make = Maker[SQL]
Reach = Callable[[str, int, float], SQL]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with a table."""
    if request.param == "sqlite":
        db = sqlite3.connect(tmp_path / "parts.db")
        with db:
            db.execute(SCHEMA)
            db.execute(ROWS)
        db.close()
        yield f"sqlite:///{tmp_path}/parts.db"
        return
    if request.param == "mariadb":
        server: Server = request.getfixturevalue("mariadb")
        server.execute("CREATE DATABASE IF NOT EXISTS parts CHARACTER SET utf8mb4")
        server.execute(SCHEMA.replace("TABLE", "TABLE IF NOT EXISTS"), "DELETE FROM part", ROWS, database="parts")
        yield server.url("parts")
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    name = cluster.create()
    with psycopg.connect(cluster.url(name), autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(ROWS)
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def make(url: str) -> Iterator[Make]:
    with Maker(SQL, "db", url=url, queries=QUERIES, changes=CHANGES, seconds=1) as made:
        yield made


@pytest.fixture
def reach() -> Iterator[Reach]:
    """Say that there is a database at a port, where something else may be."""
    with Maker(SQL, "db", queries={"one": "SELECT 1"}) as made:
        yield lambda kind, port, seconds: made(url=f"{kind}://a:b@127.0.0.1:{port}/x", seconds=seconds)


def free(make: Make, **values: Any) -> SQL:
    return make(free_queries=True, free_changes=True, **values)


def test_named_statements_are_run_with_parameters(make: Make) -> None:
    db = make()
    assert db.statements()["queries"] == {"by_name": ["name"], "all": []}
    found = db.query("by_name", {"name": "bolt"})
    assert found == {"columns": ["id", "price"], "rows": [[1, 0.25]], "more": False}
    assert db.first("by_name", {"name": "nut"}) == {"id": 2, "price": 0.1}
    assert db.first("by_name", {"name": "none"}) is None
    assert db.change("rename", {"id": 1, "name": "screw"}) == 1
    assert db.query("all")["rows"][0] == [1, "screw"]


def test_sql_in_a_parameter_is_text(make: Make) -> None:
    db = make()
    attack = "x'; DROP TABLE part; --"
    assert db.query("by_name", {"name": attack})["rows"] == []
    assert db.change("rename", {"id": 2, "name": attack}) == 1
    assert db.query("all")["rows"][1] == [2, attack]
    for parameters in ({}, {"name": "a", "more": 1}, {"name": ["a"]}, {"name": {"a": 1}}):
        with pytest.raises(Refused, match="parameter"):
            db.query("by_name", parameters)


def test_nothing_but_the_named_statements_unless_the_configuration_says_so(make: Make) -> None:
    db = make()
    with pytest.raises(Refused, match="no query 'part'"):
        db.query("part")
    with pytest.raises(Refused, match="only the queries"):
        db.query_text("SELECT 1")
    with pytest.raises(Refused, match="only the changes"):
        db.change_text("DELETE FROM part")
    assert not {"change", "change_text"} & {name for name, one in db.functions.items() if one.reads}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM part",
        "SELECT 1; DELETE FROM part",
        "COMMIT",
        "-- SELECT\nDELETE FROM part",
        "ATTACH DATABASE '/tmp/x.db' AS x",
        "COPY part TO PROGRAM 'true'",
        "PRAGMA query_only = OFF",
        "WITH gone AS (DELETE FROM part RETURNING id) SELECT id FROM gone",
        "WITH one AS (SELECT 1) DELETE FROM part",
        "SELECT id INTO copied FROM part",
        "",
    ],
)
def test_a_query_changes_nothing(make: Make, statement: str) -> None:
    db = free(make)
    with pytest.raises(Refused):
        db.query_text(statement)
    assert len(db.query("all")["rows"]) == 3


def test_a_query_of_ones_own_is_one_statement_with_parameters(make: Make) -> None:
    db = free(make)
    assert db.query_text("SELECT name FROM part WHERE name LIKE '50%' AND id = :id;", {"id": 3})["rows"] == [
        ["50% off"]
    ]
    assert db.change_text("INSERT INTO part (id, name) VALUES (:id, :name)", {"id": 4, "name": "x"}) == 1
    with pytest.raises(Refused, match="the database says: .*(part|PRIMARY)"):
        db.change_text("INSERT INTO part (id, name) VALUES (1, 'twice')")
    assert db.query_text("SELECT count(*) FROM part")["rows"] == [[4]]


def test_rows_are_bounded(make: Make) -> None:
    found = free(make, rows=2).query_text("SELECT a.id FROM part a, part b, part c, part d")
    assert len(found["rows"]) == 2
    assert found["more"]


def test_a_statement_that_takes_too_long_is_ended(make: Make) -> None:
    db = free(make, seconds=0.3)
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "postgresql": "SELECT pg_sleep(30)",
        "mysql": "SELECT sleep(30)",
    }[db._database.engine.dialect.name]
    begun = time.monotonic()
    with pytest.raises(TimedOut, match="longer than 0.3 s"):
        db.query_text(slow)
    assert time.monotonic() - begun < 20
    assert len(db.query("all")["rows"]) == 3


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_connection_that_hangs_is_cut_off_and_another_one_made(make: Make) -> None:
    db = free(make, seconds=0.3)
    (pid,) = db.query_text("SELECT pg_backend_pid()")["rows"][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert len(db.query("all")["rows"]) == 3
        assert time.monotonic() - begun > 1
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_session_stays_as_it_was_whatever_a_query_sets(make: Make) -> None:
    db = free(make, seconds=0.3)
    db.query_text("SELECT set_config('statement_timeout', '0', false)")
    with pytest.raises(Refused):
        db.query_text("SELECT set_config('transaction_read_only', 'off', true)")
    with pytest.raises(TimedOut):
        db.query_text("SELECT pg_sleep(20)")


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_types_that_json_does_not_have_are_said_in_text(make: Make) -> None:
    row = free(make).query_text(
        "SELECT 1.5::numeric, 12345678901234567890.5::numeric, date '2026-11-26', '\\x00ff'::bytea,"
        " ARRAY[1, 2], '{\"a\": [1.5]}'::jsonb, 'NaN'::float8 IS NULL, interval '1 hour'"
    )["rows"][0]
    assert row == [1.5, "12345678901234567890.5", "2026-11-26", "AP8=", [1, 2], {"a": [1.5]}, False, "1:00:00"]


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "mssql"])
def test_a_server_that_accepts_and_never_answers_is_given_up(reach: Reach, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        check_given_up(reach(kind, deaf.getsockname()[1], 0.5))


@pytest.mark.parametrize("kind", ["mysql", "mssql"])
def test_a_server_that_takes_no_connection_is_given_up(reach: Reach, kind: str) -> None:
    with BlackHole() as port:
        check_given_up(reach(kind, port, 0.5))


def check_given_up(db: SQL) -> None:
    begun = time.monotonic()
    with pytest.raises(TimedOut, match="longer than 0.5 s"):
        db.query("one")
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "mssql"])
def test_what_is_no_database_is_said_not_to_be_and_is_asked_again(reach: Reach, kind: str) -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\xff" * 64):
        with Babbler(answer, at_once=True) as port:
            db = reach(kind, port, 0.3)
            for _ in range(2):
                with pytest.raises(Refused, match="the database"):
                    db.query("one")


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "mssql"])
def test_a_server_that_is_away_is_said_to_be(reach: Reach, kind: str) -> None:
    with pytest.raises(Refused, match="refused"):
        reach(kind, free_port(), 5).query("one")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_value_does_not_fill_the_memory_of_the_agent(make: Make) -> None:
    db = make(free_queries=True)
    with pytest.raises(Refused, match="too big"):
        db.query_text("SELECT length(hex(zeroblob(40000000)))")
    assert db.query_text("SELECT length(hex(zeroblob(4000)))")["rows"] == [[8000]]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", ["ATTACH '{}' AS other", "VACUUM INTO '{}'"])
def test_no_other_file_is_reached_or_made(make: Make, tmp_path: Path, statement: str) -> None:
    db = free(make)
    with pytest.raises(Refused, match="too many attached"):
        db.change_text(statement.format(tmp_path / "other.db"))
    assert [one.name for one in tmp_path.iterdir()] == ["parts.db"]


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    db = SQL("db", Table("db", {"url": f"sqlite:///{tmp_path}/none.db", "queries": {"one": "SELECT 1"}}))
    with pytest.raises(Refused, match="unable to open"):
        db.query("one")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"url": "oracle://x/y"}, "db.url has to begin with one of sqlite:, postgresql:, mysql:, mariadb:, mssql:"),
        ({"url": "sqlite:///relative.db"}, "a path from the root"),
        ({"url": "nothing"}, "db.url is no address"),
        ({"url": "sqlite:////x.db", "queries": {"a": "DELETE FROM x"}}, "db.queries.a cannot be run: a query begins"),
        ({"url": "sqlite:////x.db", "changes": {"a": "x; y"}}, "db.changes.a cannot be run"),
    ],
)
def test_what_is_configured_wrongly_is_named(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigFault, match=why):
        SQL("db", Table("db", values))
