"""The database: migrations, the connection scope, and what is said when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import peewee as pw
import pytest
from playhouse.migrations import Runner

from portal import config, db
from portal.config import SettingError
from portal.models import TABLES, Account, Integration, Revision
from tests.support import databases, processes
from tests.support.databases import in_threads

FIRST_RELEASE = (
    "INSERT INTO integration (id, username, sealed_password, type, note, active, created_at, created_by, revision)"
    " VALUES (1, 'turing', 'x', 'mqtt', '', true, 1, 'tests', 1)",
    "INSERT INTO node (id, started_at, heartbeat_at, listeners) VALUES ('n', 1, 1, '{}')",
    "INSERT INTO connection (id, integration_id, node_id, protocol, client_id, address, connected_at)"
    " VALUES ('c', 1, 'n', 'mqtt', 'press-4', '192.0.2.1', 1)",
)
ROW = (
    "INSERT INTO integration (id, username, sealed_password, type, note, active, created_at, created_by, revision)"
    " VALUES ({0}, 'one {0}', 'x', '{1}', '', true, 1, 'tests', 1)"
)
ROOT = Path(__file__).parents[2]
MIGRATE = """
from portal import config, db
settings = config.load()
db.init(settings)
print(",".join(db.migrate(settings)))
db.database.close_all()
"""


def settings_of(tmp_path: Path, **more: str) -> config.Settings:
    return config.load(databases.settings_for(tmp_path, **more))


def try_to_migrate(settings: config.Settings) -> str:
    """Return the message of the migration that has to fail."""
    db.init(settings)
    try:
        with pytest.raises(SettingError) as caught:
            db.migrate(settings)
    finally:
        db.database.close_all()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_migrations_are_applied_once(database):
    assert db.migrate(database.settings) == []


def test_migrations_make_exactly_the_columns_of_the_models(database):
    for model in TABLES:
        table = model._meta.table_name
        columns = {column.name: column for column in db.database.get_columns(table)}
        assert set(columns) == set(model._meta.columns), table
        for name, field in model._meta.columns.items():
            assert columns[name].null == field.null, f"{table}.{name}"
        indexed = {tuple(index.columns) for index in db.database.get_indexes(table)}
        for field in model._meta.sorted_fields:
            if (field.index or field.unique) and not field.primary_key:
                assert (field.column_name,) in indexed, f"{table}.{field.column_name}"


def test_the_counters_start_at_zero_and_count_up(database):
    names = (
        "accounts",
        "integrations",
        "presence",
        "kicks",
        "bans",
        "known logins",
        "switches",
        "onboarding",
        "fleets",
    )
    assert Revision.values_now() == dict.fromkeys(names, 0)
    assert [Revision.bump("presence"), Revision.bump("presence")] == [1, 2]
    assert Revision.values_now()["presence"] == 2


def test_changes_counted_at_once_get_different_numbers(database):
    def bump() -> int:
        with db.writing():
            return Revision.bump("integrations")

    assert sorted(in_threads(*[bump] * 6)) == [1, 2, 3, 4, 5, 6]


def test_transactions_that_read_before_they_write_wait_for_each_other(database):
    """In SQLite's deferred transactions all but one of these would fail with "database is locked"."""

    def read_then_write() -> int:
        with db.writing():
            Revision.values_now()
            time.sleep(0.02)
            return Revision.bump("integrations")

    assert sorted(in_threads(*[read_then_write] * 4)) == [1, 2, 3, 4]


def test_times_come_back_as_they_went_in(database, actor):
    from portal import accounts, clock

    account = accounts.create(actor, "grace@example.com", "correct horse")
    stored = Account.get_by_id(account.id)
    assert stored.created_at == account.created_at
    assert stored.created_at.utcoffset().total_seconds() == 0
    assert abs((clock.now() - stored.created_at).total_seconds()) < 5


def test_a_failed_transaction_leaves_nothing_behind(database):
    with pytest.raises(ZeroDivisionError), db.writing():
        Revision.bump("integrations")
        raise ZeroDivisionError
    assert Revision.values_now()["integrations"] == 0


def test_nested_scopes_share_one_connection_and_the_outermost_closes_it(database):
    db.database.close()
    with db.connected():
        with db.connected():
            assert Revision.values_now()
        assert not db.database.is_closed()
    assert db.database.is_closed()


def test_a_username_is_unique_in_the_database_itself(database):
    row = {
        "username": "turing",
        "sealed_password": b"x",
        "type": "mqtt",
        "created_at": databases_now(),
        "created_by": "test",
        "revision": 1,
    }
    Integration.create(**row)
    with pytest.raises(pw.IntegrityError), db.writing():
        Integration.create(**row)


def databases_now():
    from portal import clock

    return clock.now()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_database_of_the_first_release_keeps_what_it_holds(request, tmp_path, kind):
    cluster = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    settings = settings_of(tmp_path, **({"DATABASE_URL": cluster.url(cluster.create())} if cluster else {}))
    db.init(settings)
    try:
        with db.connected():
            Runner(db.database.obj, str(db.MIGRATIONS)).up("0001_first_tables")
            for statement in FIRST_RELEASE:
                db.database.execute_sql(statement)
        assert db.migrate(settings)
        with db.connected():
            (turing,) = Integration.select()
            assert (turing.username, turing.publish_filters, turing.subscribe_filters) == ("turing", ("#",), ("#",))
            (connection,) = turing.connections
            assert (connection.client_id, connection.transport, connection.kicked) == ("press-4", "tcp", False)
    finally:
        db.database.close_all()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
@pytest.mark.parametrize(("setting", "domain"), [("", "ada.default"), ("plant", "plant")])
def test_integrations_of_vrpc_and_edge_connectors_that_exist_join_the_default_domain(
    request, tmp_path, monkeypatch, kind, setting, domain
):
    cluster = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    settings = settings_of(tmp_path, **({"DATABASE_URL": cluster.url(cluster.create())} if cluster else {}))
    monkeypatch.setenv("VRPC_DOMAIN", setting)
    db.init(settings)
    try:
        with db.connected():
            Runner(db.database.obj, str(db.MIGRATIONS)).up("0007_onboarding")
            db.database.execute_sql("UPDATE revision SET value = 7 WHERE name = 'integrations'")
            for email in ("ada@example.com", "bob@example.com"):
                db.database.execute_sql(
                    f"INSERT INTO account (email, password_hash, created_at) VALUES ('{email}', 'x', 0)"  # noqa: S608
                )
            for number, type in enumerate(("vrpc", "mqtt", "http", "edge"), 1):
                db.database.execute_sql(ROW.format(number, type))
        db.migrate(settings)
        with db.connected():
            found = [(row.domain, row.role, row.revision) for row in Integration.select().order_by(Integration.id)]
            assert found == [(domain, "both", 8), ("", "", 1), ("", "", 1), (domain, "agent", 9)]
    finally:
        db.database.close_all()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_opcua_permissions_that_nobody_has_touched_become_none(request, tmp_path, kind):
    cluster = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    settings = settings_of(tmp_path, **({"DATABASE_URL": cluster.url(cluster.create())} if cluster else {}))
    own, more, everything = ("%u/#",), ("%u/#", "x"), ("#",)
    rows = [("opcua", own, own), ("opcua", own, more), ("opcua", everything, own), ("mqtt", own, own)]
    db.init(settings)
    try:
        with db.connected():
            Runner(db.database.obj, str(db.MIGRATIONS)).up("0005_opcua")
            db.database.execute_sql("UPDATE revision SET value = 7 WHERE name = 'integrations'")
            for number, (type, publish, subscribe) in enumerate(rows, 1):
                db.database.execute_sql(ROW.format(number, type))
                permit = Integration.update(publish_filters=publish, subscribe_filters=subscribe)
                permit.where(Integration.id == number).execute()
        db.migrate(settings)
        with db.connected():
            found = [
                row.publish_filters + row.subscribe_filters for row in Integration.select().order_by(Integration.id)
            ]
            assert found == [(), ("%u/#", "%u/#", "x"), ("#", "%u/#"), ("%u/#", "%u/#")]
            assert [row.revision for row in Integration.select().order_by(Integration.id)] == [8, 1, 1, 1]
            assert Revision.values_now()["integrations"] == 8
    finally:
        db.database.close_all()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_processes_that_start_at_once_migrate_once(request, tmp_path, kind):
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    if kind == "sqlite":
        folders = [tmp_path] * 3
        environ = {}
    else:
        # Nodes of their own: they share the database, and no folder.
        cluster = request.getfixturevalue("postgresql")
        environ = {"DATABASE_URL": cluster.url(cluster.create())}
    started = [
        processes.start(
            [sys.executable, "-c", MIGRATE],
            cwd=ROOT,
            env={**os.environ, **environ, "DATA_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    ]
    answers = [process.communicate(timeout=30) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], answers
    names = [output.strip() for output, _ in answers]
    assert sorted(names)[:2] == ["", ""] and sorted(names)[2].startswith("0001_")


def test_a_database_file_in_no_folder_is_named(tmp_path):
    settings = settings_of(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/none/gatehouse.db")
    assert try_to_migrate(settings).startswith("DATABASE_URL: ")


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "gatehouse.db").write_bytes(b"this is no database at all " * 100)
    assert try_to_migrate(settings_of(tmp_path)).startswith("DATABASE_URL: ")


def test_a_database_that_another_process_holds_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(db, "LOCK_WAIT_MS", 200)
    holder = sqlite3.connect(tmp_path / "gatehouse.db", isolation_level=None)
    try:
        holder.execute("PRAGMA journal_mode=wal")
        holder.execute("BEGIN EXCLUSIVE")
        assert "locked" in try_to_migrate(settings_of(tmp_path))
    finally:
        holder.close()


def test_a_read_only_database_is_named(tmp_path):
    """The file may be read but not written."""
    settings = settings_of(tmp_path)
    db.init(settings)
    with db.connected():
        db.database.execute_sql("CREATE TABLE something (id INTEGER)")
        db.database.execute_sql("PRAGMA journal_mode=delete")
    db.database.close_all()
    (tmp_path / "gatehouse.db").chmod(0o444)
    # Root may write to any file, unless it gives up that right.
    as_owner = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    tried = subprocess.run(
        [*as_owner, sys.executable, "-c", MIGRATE],
        cwd=ROOT,
        env={**os.environ, **databases.settings_for(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert tried.returncode != 0
    assert "DATABASE_URL: the database cannot be used: attempt to write a readonly" in tried.stderr


@pytest.mark.postgres
def test_a_postgresql_that_is_not_there_is_named(tmp_path):
    port = processes.free_port()
    url = f"postgresql://u:hunter2@127.0.0.1:{port}/gatehouse"
    message = try_to_migrate(settings_of(tmp_path, DATABASE_URL=url))
    assert message.startswith("DATABASE_URL: ")
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["with space", "50%25", "what?", "a#b", "%2F", "\u00fc"])
def test_the_data_folder_may_have_any_name(tmp_path, name):
    settings = settings_of(tmp_path / name)
    db.init(settings)
    db.migrate(settings)
    db.database.close_all()
    assert (tmp_path / name / "gatehouse.db").exists()


def test_a_full_disk_is_told_as_that(tmp_path):
    db.init(settings_of(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/full.db"))
    try:
        with db.connected():
            db.database.execute_sql("CREATE TABLE filling (data BLOB)")
            db.database.execute_sql("PRAGMA max_page_count = 4")
            with pytest.raises(pw.OperationalError, match="database or disk is full"), db.writing():
                db.database.execute_sql("INSERT INTO filling VALUES (zeroblob(100000))")
            with db.writing():
                db.database.execute_sql("INSERT INTO filling VALUES ('small')")
    finally:
        db.database.close_all()
