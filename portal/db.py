"""The database object, its pragmas, the connection scope, and migrations at start."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee
from playhouse.migrations import Runner
from playhouse.pool import PooledPostgresqlDatabase, PooledSqliteDatabase

from portal.config import SettingError, Settings

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATION_LOCK = 0x67617465  # the key of PostgreSQL's advisory lock while migrating
LOCK_WAIT_MS = 5000  # how long a writer waits for another one
POOL = {"max_connections": 32, "stale_timeout": 600, "timeout": 10}

database = peewee.DatabaseProxy()


class Sqlite(PooledSqliteDatabase):  # type: ignore[misc]
    """SQLite ends a transaction itself when the disk is full: rolling back once more would hide that error."""

    def rollback(self) -> None:
        if self.is_closed() or self.connection().in_transaction:
            super().rollback()


# What a database that is locked, read-only, full or out of reach raises.
Unavailable = (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError)


def init(settings: Settings, *, synchronous: str = "full") -> None:
    """Point the models at the database that the settings name; opens no connection.

    `synchronous` is SQLite's pragma of that name: "full" where a change was promised to a person, "normal" for
    presence, which a power cut makes stale anyway.
    """
    parts = urlsplit(settings.database_url)
    if parts.scheme == "sqlite":
        database.initialize(_sqlite(parts.path, synchronous))
    else:
        database.initialize(_postgresql(settings.database_url))


def _sqlite(path: str, synchronous: str) -> peewee.Database:
    pragmas = {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "foreign_keys": 1,
        "cache_size": -4096,
        "busy_timeout": LOCK_WAIT_MS,
        "journal_size_limit": 16 * 1024 * 1024,
    }
    # The pool hands a connection from thread to thread, one at a time.
    pool: peewee.Database = Sqlite(unquote(path[1:]), pragmas=pragmas, check_same_thread=False, **POOL)
    return pool


def _postgresql(url: str) -> peewee.Database:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    pool: peewee.Database = PooledPostgresqlDatabase(
        unquote(parts.path.lstrip("/")),
        host=unquote(parts.hostname) if parts.hostname else options.pop("host", None),
        port=parts.port,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        prefer_psycopg3=True,
        connect_timeout=5,
        **POOL,
        **options,
    )
    return pool


def is_sqlite() -> bool:
    """Tell whether the database is SQLite (else PostgreSQL)."""
    return isinstance(database.obj, peewee.SqliteDatabase)


@contextmanager
def connected() -> Iterator[None]:
    """Hold one of the pool's connections for this thread."""
    opened = database.connect(reuse_if_open=True)
    try:
        yield
    finally:
        if opened:
            database.close()


def writing() -> AbstractContextManager[object]:
    """Open a transaction that is going to write.

    SQLite takes its write lock at once: a transaction that reads first and writes later would fail instead of waiting.
    """
    if is_sqlite():
        return database.atomic("IMMEDIATE")
    return database.atomic()


def migrate(settings: Settings) -> list[str]:
    """Apply the migrations that are missing, one process at a time; return their names."""
    try:
        with _migrating(settings), connected(), _migration_lock():
            names: list[str] = Runner(database.obj, str(MIGRATIONS)).up()
    except (*Unavailable, peewee.DatabaseError) as error:  # the last: a file that is no database
        detail = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SettingError(f"DATABASE_URL: the database cannot be used: {detail}") from error
    for name in names:
        log.info("applied migration %s", name)
    return names


@contextmanager
def _migrating(settings: Settings) -> Iterator[None]:
    """Keep processes that share a data folder from migrating at once."""
    try:
        lock = (settings.data_dir / "migrate.lock").open("w")
    except OSError as error:
        raise SettingError(f"DATA_DIR: cannot write to {settings.data_dir}: {error.strerror}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _migration_lock() -> Iterator[None]:
    """Keep nodes that share a PostgreSQL database from migrating at once."""
    if is_sqlite():
        yield
        return
    database.execute_sql("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    try:
        yield
    finally:
        database.execute_sql("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))
