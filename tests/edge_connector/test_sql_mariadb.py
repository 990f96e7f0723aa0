"""What is MariaDB's own, with a real one."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge_connector.connectors.sql import SQL
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.maker import Maker
from tests.support.mariadb import Server

pytestmark = pytest.mark.mariadb

SCHEMA = (
    "CREATE OR REPLACE DATABASE own",
    "CREATE TABLE own.part (id INTEGER PRIMARY KEY, name TEXT)",
    "INSERT INTO own.part VALUES (1, 'bolt'), (2, 'nut')",
    "CREATE SEQUENCE own.numbers",
    "CREATE FUNCTION own.eat() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM part; RETURN 1; END",
)
QUERIES = {"all": "SELECT id, name FROM part ORDER BY id"}
CHANGES = {"rename": "UPDATE part SET name = :name WHERE id = :id"}


@pytest.fixture(scope="module")
def server(mariadb: Server) -> Server:
    mariadb.execute(*SCHEMA)
    return mariadb


@pytest.fixture
def make(server: Server) -> Iterator[Maker[SQL]]:
    values: dict[str, Any] = {"queries": QUERIES, "changes": CHANGES, "free_queries": True, "free_changes": True}
    with Maker(SQL, "db", url=server.url("own"), rows=10, **values) as made:
        yield made


@pytest.fixture
def db(make: Maker[SQL]) -> SQL:
    return make(seconds=10)


@pytest.fixture
def hasty(make: Maker[SQL]) -> SQL:
    return make(seconds=0.3)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("SELECT NEXTVAL(numbers)", "READ ONLY"),
        ("SELECT eat()", "READ ONLY"),
        ("SELECT id FROM part FOR UPDATE", "READ ONLY"),
        ("SELECT 'x' INTO OUTFILE '/tmp/gatehouse-out'", "the word OUTFILE"),
        ("SELECT 'x' /*! INTO DumpFile '/tmp/gatehouse-out' */", "the word DumpFile"),
        ("WITH one AS (SELECT 1) UPDATE part SET name = 'x'", "database says"),
    ],
)
def test_a_query_writes_neither_into_tables_nor_into_files(db: SQL, statement: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        db.query_text(statement)
    assert db.query("all")["rows"] == [[1, "bolt"], [2, "nut"]]


def test_rows_are_bounded_whatever_limit_a_query_has_itself(db: SQL) -> None:
    for statement in ("SELECT seq FROM seq_1_to_1000000000", "SELECT seq FROM seq_1_to_1000000000 LIMIT 100000000"):
        found = db.query_text(statement)
        assert (found["rows"], found["more"]) == ([[number] for number in range(1, 11)], True)
    assert len(db.query("all")["rows"]) == 2


def test_limits_hold_for_each_transaction_whatever_the_one_before_has_set(hasty: SQL) -> None:
    hasty.change_text("SET SESSION max_statement_time = 0, SESSION sql_select_limit = 1")
    with pytest.raises(TimedOut, match="longer than 0.3 s: .*max_statement_time"):
        hasty.query_text("SELECT sleep(20)")
    assert len(hasty.query("all")["rows"]) == 2


def test_a_change_that_waits_for_another_is_ended(db: SQL, hasty: SQL, server: Server) -> None:
    with server.connected("own") as other:
        other.cursor().execute("UPDATE part SET name = 'held' WHERE id = 1")
        begun = time.monotonic()
        with pytest.raises(TimedOut, match="longer than 0.3 s"):
            hasty.change("rename", {"id": 1, "name": "late"})
        assert time.monotonic() - begun < 10
        other.rollback()
    assert db.change("rename", {"id": 1, "name": "bolt"}) == 1


def test_a_server_that_hangs_is_given_up_and_found_when_it_goes_on(hasty: SQL, server: Server) -> None:
    assert len(hasty.query("all")["rows"]) == 2
    os.kill(server.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(TimedOut, match="longer than 0.3 s"):
            hasty.query("all")
        assert time.monotonic() - begun < 10
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert len(hasty.query("all")["rows"]) == 2


def test_a_connection_that_was_ended_is_made_anew(db: SQL, server: Server) -> None:
    (number,) = db.query_text("SELECT connection_id()")["rows"][0]
    server.execute(f"KILL {number}")
    assert len(db.query("all")["rows"]) == 2


def test_types_that_json_does_not_have_are_said_in_text(db: SQL) -> None:
    row = db.query_text(
        "SELECT CAST(1.5 AS DECIMAL(5, 2)), CAST('12345678901234567890.5' AS DECIMAL(30, 1)), DATE '2026-11-26',"
        " x'00ff', TIMESTAMP '2026-11-26 08:15:00.5', TIME '01:00:00', TRUE, 'ü€', NULL"
    )["rows"][0]
    assert row[:4] == [1.5, "12345678901234567890.5", "2026-11-26", "AP8="]
    assert row[4:] == ["2026-11-26T08:15:00.500000", "1:00:00", 1, "ü€", None]


def test_a_wrong_password_is_said_without_the_right_one(make: Maker[SQL], server: Server) -> None:
    url = server.url("own").replace("gate%2Fhouse", "wrong")
    with pytest.raises(Refused, match="Access denied for user 'gatehouse'"):
        make(url=url).query("all")


def test_mysql_is_told_of_its_time_out_by_another_name(hasty: SQL) -> None:
    limits = hasty._database._limits(writing=False, is_mariadb=False)
    assert limits == "SET SESSION innodb_lock_wait_timeout = 1, sql_select_limit = 11, max_execution_time = 300"
    assert "max_statement_time = 0.3" in hasty._database._limits(writing=True, is_mariadb=True)


@pytest.mark.parametrize(
    ("kind", "package", "file"),
    [
        ("mysql", "pymysql", "sql-mysql"),
        ("postgresql", "psycopg", "sql-postgresql"),
        ("mssql", "pytds", "sql-sqlserver"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: str, package: str, file: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "edge_connector.connectors.sql_sqlserver", raising=False)
    with pytest.raises(ConfigFault, match=f"not installed \\({package}\\); see edge_connector/requirements/{file}.txt"):
        SQL("db", Table("db", {"url": f"{kind}://a:b@localhost/x", "queries": QUERIES}))
