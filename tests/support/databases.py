"""Databases for tests: the same tests run on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal import config, db
from portal.config import Settings
from portal.models import TABLES, Activity, Revision

SECRET_KEY = "a key for tests, long enough"


@dataclass
class Database:
    """A migrated database that the models are bound to, for the time of one test."""

    kind: str
    settings: Settings
    environ: dict[str, str]
    disconnect: Callable[[], None] = field(repr=False)  # ends the server's connections (PostgreSQL)


@contextmanager
def opened(kind: str, environ: dict[str, str], disconnect: Callable[[], None] = lambda: None) -> Iterator[Database]:
    """Bind the models to the database of these settings, and connect this thread."""
    settings = config.load(environ)
    db.init(settings)
    try:
        with db.connected():
            yield Database(kind, settings, environ, disconnect)
    finally:
        db.database.close_all()


def migrate(environ: dict[str, str]) -> None:
    """Make the tables in the database of these settings."""
    with opened("new", environ) as database:
        db.migrate(database.settings)


def empty() -> None:
    """Bring a database back to what the migrations leave."""
    with db.writing():
        for model in reversed([model for model in TABLES if model is not Revision]):
            model.delete().execute()
        Revision.update(value=0).execute()


def settings_for(folder: Path, url: str | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a test's own installation."""
    environ = {"DATA_DIR": str(folder), "SECRET_KEY": SECRET_KEY, **more}
    if url is not None:
        environ["DATABASE_URL"] = url
    return environ


def in_threads(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs at the same moment, each in a thread with a connection of its own; return results or exceptions."""
    barrier = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(index: int) -> None:
        with db.connected():
            barrier.wait(20)
            try:
                results[index] = jobs[index]()
            except Exception as error:
                results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Collect the SQL statements that the block runs."""
    statements: list[str] = []
    target = db.database.obj
    original = target.execute_sql

    def execute_sql(sql: str, *args: Any, **options: Any) -> Any:
        statements.append(sql)
        return original(sql, *args, **options)

    target.execute_sql = execute_sql
    try:
        yield statements
    finally:
        target.execute_sql = original


def kinds() -> list[str]:
    """Return the kinds of all activity, oldest first."""
    return [row.kind for row in Activity.select().order_by(Activity.id)]


def revision() -> int:
    """Return how often integrations were changed."""
    return Revision.values_now()["integrations"]
