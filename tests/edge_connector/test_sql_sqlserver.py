"""SQL Server, as far as it can be tested without one: what is sent, and what comes of answers, none and wrong ones."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import certifi
import pytest

from edge_connector.connectors.sql import SQL
from edge_connector.errors import ConfigFault, Refused, TimedOut
from edge_connector.settings import Table
from tests.edge_connector.maker import Maker
from tests.edge_connector.tds import COUNTED, MORE, WAIT, SqlServer, done, failed, table
from tests.support import tls
from tests.support.processes import wait_until

QUERIES = {
    "all": "SELECT id, name FROM part",
    "by_name": "SELECT id, name FROM part WHERE name = :name AND note LIKE '50%'",
    "big": "SELECT id, name FROM big",
    "hang": "SELECT id FROM hang",
    "locked": "SELECT id FROM locked",
    "gone": "SELECT id FROM gone",
    "odd": "SELECT id FROM odd",
}
CHANGES = {
    "rename": "UPDATE part SET name = :name WHERE id = :id",
    "told": "UPDATE told SET name = 'x' OUTPUT inserted.id, inserted.name",
}
PARTS = [(1, "bolt"), (2, "größer")]
LOCK = "SET LOCK_TIMEOUT 5000"

ANSWERS: dict[str, Any] = {
    "FROM big": table((number, "x" * 50) for number in range(2000)) + done(COUNTED, 2000),
    "FROM hang": WAIT,
    "FROM locked": failed(1222, "Lock request time out period exceeded."),
    "FROM gone": failed(208, "Invalid object name 'gone'."),
    "FROM odd": b"\x99" * 40,
    # As of a call: an answer in it, its result, and its end.
    "UPDATE part": done(MORE | COUNTED, 3, 0xFF) + b"\x79\0\0\0\0" + done(0, 0, 0xFE),
    "UPDATE told": table(PARTS) + done(COUNTED, 2),
    "": table(PARTS) + done(COUNTED, 2),
}


@pytest.fixture
def server() -> Iterator[SqlServer]:
    with SqlServer(lambda said: next(one for word, one in ANSWERS.items() if word in said)) as found:
        yield found


@pytest.fixture
def make(server: SqlServer) -> Iterator[Maker[SQL]]:
    url = f"mssql://reader:word@127.0.0.1:{server.port}/shop"
    with Maker(SQL, "db", url=url, queries=QUERIES, changes=CHANGES, rows=3) as made:
        yield made


@pytest.fixture
def db(make: Maker[SQL]) -> SQL:
    return make(seconds=5)


@pytest.fixture
def hasty(make: Maker[SQL]) -> SQL:
    return make(seconds=0.4)


def test_a_query_is_rolled_back(db: SQL, server: SqlServer) -> None:
    assert db.query("all") == {"columns": ["id", "name"], "rows": [list(one) for one in PARTS], "more": False}
    assert server.heard == ["use [shop]", "begin", LOCK, QUERIES["all"], "rollback"]
    assert db.first("all") == {"id": 1, "name": "bolt"}
    assert server.heard[5:] == [LOCK, QUERIES["all"], "cancel", "rollback"]


def test_values_are_never_a_part_of_the_statement(db: SQL, server: SqlServer) -> None:
    attack = "x' DELETE FROM part COMMIT --"
    db.query("by_name", {"name": attack})
    (call,) = [one for one in server.heard if attack in one]
    assert "SELECT id, name FROM part WHERE name = @P1 AND note LIKE '50%'" in call
    assert call.index("@P1 NVARCHAR(MAX)") < call.index(attack)
    db.query("by_name", {"name": None})
    assert server.heard[-2] == "SELECT id, name FROM part WHERE name = NULL AND note LIKE '50%'"


def test_a_change_is_read_to_its_end_and_committed(db: SQL, server: SqlServer) -> None:
    assert db.change("rename", {"id": 7, "name": "x"}) == 3
    assert server.heard[-1] == "commit"
    db.change("told")
    assert server.heard[-2:] == [CHANGES["told"], "commit"]
    assert "cancel" not in server.heard


def test_more_rows_than_allowed_are_not_read(db: SQL, server: SqlServer) -> None:
    found = db.query("big")
    assert (len(found["rows"]), found["more"]) == (3, True)
    assert server.heard[-2:] == ["cancel", "rollback"]
    assert len(db.query("all")["rows"]) == 2


def test_what_the_server_says_is_told(db: SQL, server: SqlServer) -> None:
    with pytest.raises(Refused, match="^the database says: Invalid object name 'gone'.$"):
        db.query("gone")
    with pytest.raises(TimedOut, match="^the database took longer than 5 s: Lock request time out"):
        db.query("locked")
    assert server.heard.count("begin") == 1


@pytest.mark.parametrize(("query", "why"), [("hang", "longer than 0.4 s"), ("odd", "as it should")])
def test_a_connection_without_a_right_answer_is_cancelled_and_made_anew(
    hasty: SQL, server: SqlServer, query: str, why: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(Refused, match=why):
        hasty.query(query)
    assert time.monotonic() - begun < 10
    assert len(hasty.query("all")["rows"]) == 2
    assert server.heard.count("begin") == 2
    if query == "hang":
        wait_until(lambda: "cancel" in server.heard, what="the statement to be cancelled")


def test_a_connection_that_has_ended_meanwhile_is_made_anew(db: SQL, server: SqlServer) -> None:
    for _ in range(2):
        assert len(db.query("all")["rows"]) == 2
        server.hang_up()
    assert db.change("rename", {"id": 7, "name": "x"}) == 3


def test_a_connection_is_encrypted_to_a_server_that_is_known() -> None:
    rows = table([(number, "x" * 90) for number in range(300)]) + done(COUNTED, 300)
    with SqlServer(lambda said: rows, tls.server()) as server:
        for ca, found in ((tls.pem(), 300), (certifi.where(), None)):
            url = f"mssql://reader:word@127.0.0.1:{server.port}/shop?ca={ca}"
            db = SQL("db", Table("db", {"url": url, "queries": QUERIES}))
            if found:
                assert len(db.query("all")["rows"]) == found
            else:
                with pytest.raises(Refused, match="certificate verify failed"):
                    db.query("all")
            db.close()
    assert server.heard.count("begin") == 1


def test_encryption_needs_a_package_and_is_not_left_out_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenSSL", None)
    with pytest.raises(ConfigFault, match=r"not installed \(OpenSSL\); see .*sql-sqlserver.txt"):
        SQL("db", Table("db", {"url": "mssql://a:b@localhost/x?ca=/ca.pem"}))


def test_queries_of_ones_own_cannot_be_allowed() -> None:
    with pytest.raises(ConfigFault, match="db.free_queries cannot be used with a database that has no read-only"):
        SQL("db", Table("db", {"url": "mssql://a:b@localhost/x", "free_queries": True}))
