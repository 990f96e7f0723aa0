"""The tables and their named queries.  Times are aware datetimes in UTC, kept as whole milliseconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import peewee as pw

from portal.db import database, is_sqlite


def tuples(query: Any) -> list[tuple[Any, ...]]:
    """Run a query and return its rows as tuples: less to make than objects."""
    return list(query.tuples())


def in_one_row(sqlite: str, postgresql: str, table: str) -> Any:
    """Return what a JSON aggregate, as each of the databases names it, makes of a table; None of an empty one.

    SQLite's driver gives up the interpreter at each row, and gets it back only when a busy protocol server lets go
    of it: rows that the servers' followers need at once come as one.
    """
    sql = f'SELECT CAST({sqlite if is_sqlite() else postgresql} AS TEXT) FROM "{table}"'  # noqa: S608
    found = database.execute_sql(sql).fetchone()[0]
    return json.loads(found) if found is not None else None


def insert_missing(table: type[Table], columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows of plain values, and leave out those that are there; `insert_many` writes its SQL value by value."""
    row = f"({', '.join([database.param] * len(columns))})"
    names = ", ".join(f'"{name}"' for name in columns)
    sql = f'INSERT INTO "{table._meta.table_name}" ({names}) VALUES {", ".join([row] * len(rows))}'  # noqa: S608
    database.execute_sql(f"{sql} ON CONFLICT DO NOTHING", [value for values in rows for value in values])


class UtcField(pw.BigIntegerField):
    """An aware datetime, stored as milliseconds since 1970 so that both databases compare and sort it alike."""

    def db_value(self, value: datetime | None) -> int | None:
        return None if value is None else round(value.timestamp() * 1000)

    def python_value(self, value: int | None) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


class FiltersField(pw.TextField):
    """A tuple of topic filters, stored as JSON; integrations that have the same share one tuple."""

    def db_value(self, value: Sequence[str] | None) -> str | None:
        return None if value is None else json.dumps(list(value), ensure_ascii=False)

    def python_value(self, value: str | None) -> tuple[str, ...] | None:
        return None if value is None else _filters(value)


@lru_cache(maxsize=1024)
def _filters(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


class NamesField(pw.TextField):
    """A list of names, stored as JSON."""

    def db_value(self, value: Sequence[str] | None) -> str | None:
        return None if value is None else json.dumps(list(value), ensure_ascii=False)

    def python_value(self, value: str | None) -> list[str] | None:
        return None if value is None else json.loads(value)


EVERYTHING = ("#",)  # but the topics that start with $, which a wildcard does not match


class Table(pw.Model):
    class Meta:
        database = database
        legacy_table_names = False


class Account(Table):
    """Somebody who logs in to the portal."""

    id = pw.AutoField()
    email = pw.TextField(unique=True)
    password_hash = pw.TextField()
    created_at = UtcField()
    last_login = UtcField(null=True)


class Integration(Table):
    """A username and a password that let one client in, by one type of door."""

    id = pw.AutoField()
    username = pw.TextField(unique=True)
    sealed_password = pw.BlobField()
    type = pw.TextField(index=True)
    note = pw.TextField(default="")
    active = pw.BooleanField(default=True, index=True)
    last_login = UtcField(null=True, index=True)
    created_at = UtcField(index=True)
    created_by = pw.TextField()
    revision = pw.BigIntegerField()  # the value of Revision "integrations" at its last change
    deactivation = pw.BigIntegerField(default=0)  # the revision of the last change that deactivated it
    publish_filters = FiltersField(default=EVERYTHING)
    subscribe_filters = FiltersField(default=EVERYTHING)
    domain = pw.TextField(default="")  # of VRPC: where its agents and clients are, or what an HTTP one may call
    role = pw.TextField(default="")  # in that domain: see `vrpc_topics.ROLES`


class Node(Table):
    """A running protocols worker: one for each machine that carries the protocol servers."""

    id = pw.TextField(primary_key=True)
    started_at = UtcField()
    heartbeat_at = UtcField()
    listeners = pw.TextField()  # JSON: {"mqtt": 1883}


class Connection(Table):
    """An open connection; the row lives as long as it does."""

    id = pw.TextField(primary_key=True)
    integration = pw.ForeignKeyField(Integration, backref="connections", on_delete="CASCADE")
    node = pw.ForeignKeyField(Node, backref="connections", on_delete="CASCADE")
    protocol = pw.TextField()
    client_id = pw.TextField()
    address = pw.TextField()
    connected_at = UtcField()
    version = pw.TextField(default="")  # of the protocol, such as "5.0"
    transport = pw.TextField(default="tcp")
    kicked = pw.BooleanField(default=False)  # its node is asked to close it


class Traffic(Table):
    """What the clients of an integration sent and got in the half hour from `start`, and how long they were online."""

    integration = pw.ForeignKeyField(Integration, on_delete="CASCADE", index=False)
    start = UtcField(index=True)
    messages_in = pw.BigIntegerField()
    messages_out = pw.BigIntegerField()
    bytes_in = pw.BigIntegerField()
    bytes_out = pw.BigIntegerField()
    online_ms = pw.BigIntegerField()

    class Meta:
        primary_key = pw.CompositeKey("integration", "start")


class Activity(Table):
    """Something that happened.  Names are kept as text: what happened outlives what it happened to."""

    id = pw.AutoField()
    at = UtcField(index=True)
    last_at = UtcField()
    count = pw.IntegerField(default=1)
    kind = pw.TextField()
    integration_id = pw.IntegerField(null=True, index=True)
    username = pw.TextField(null=True)
    account = pw.TextField(null=True, index=True)
    protocol = pw.TextField(null=True)
    address = pw.TextField(null=True)
    detail = pw.TextField(default="")

    class Meta:
        indexes = ((("integration_id", "kind"), False),)  # the last refused login of a client that logs in all day


class Ban(Table):
    """An address or a username that is refused for a time, because of too many wrong passwords; see `guard.Ban`."""

    id = pw.AutoField()
    kind = pw.TextField()
    name = pw.TextField()
    since = UtcField()
    until = UtcField(index=True)
    times = pw.IntegerField()
    failures = pw.IntegerField()
    protocol = pw.TextField()
    last_username = pw.TextField()
    last_address = pw.TextField()

    class Meta:
        indexes = ((("kind", "name"), True),)


class KnownLogin(Table):
    """A username that has logged in from an address."""

    id = pw.AutoField()
    username = pw.TextField()
    origin = pw.TextField()  # an address; of IPv6 its /64
    last_at = UtcField(index=True)

    class Meta:
        indexes = ((("username", "origin"), True),)


class Revision(Table):
    """Counters that tell other processes that something changed.

    "integrations", "presence", "accounts", "bans", "known logins", "switches", "onboarding", "fleets"; "kicks": a
    connection is to be closed.
    """

    name = pw.TextField(primary_key=True)
    value = pw.BigIntegerField(default=0)

    @classmethod
    def bump(cls, name: str) -> int:
        """Count one change, inside the transaction that makes it; return the new value.

        The row stays locked until that transaction ends, so changes of one name are made one after the other.
        """
        place = database.param  # in plain SQL: while peewee puts a query together, logins wait
        database.execute_sql(f"UPDATE revision SET value = value + 1 WHERE name = {place}", (name,))  # noqa: S608
        found = database.execute_sql(f"SELECT value FROM revision WHERE name = {place}", (name,))  # noqa: S608
        return int(found.fetchone()[0])

    @classmethod
    def hold(cls, name: str) -> None:
        """Wait for, and keep out, other transactions that count changes of this name; count none."""
        cls.update(value=cls.value).where(cls.name == name).execute()

    @classmethod
    def values_now(cls) -> dict[str, int]:
        """Return every counter by name, in one read: threads beside the protocols' ask this many times a second."""
        return in_one_row("json_group_object(name, value)", "json_object_agg(name, value)", "revision") or {}


class Switch(Table):
    """How an operator has left a switch of the protocol servers."""

    name = pw.TextField(primary_key=True)
    on = pw.BooleanField()


class OnboardingWindow(Table):
    """The time in which unknown clients are shown to operators; there is one row at most."""

    id = pw.BigIntegerField(primary_key=True)  # the value of Revision "onboarding" when it was opened
    opened_by = pw.TextField()
    opened_at = UtcField()
    closes_at = UtcField()


class IgnoredClient(Table):
    """A client that operators are not asked about any more."""

    id = pw.AutoField()
    protocol = pw.TextField()
    username = pw.TextField()
    client_id = pw.TextField()  # "" for any
    ignored_by = pw.TextField()
    ignored_at = UtcField()

    class Meta:
        indexes = ((("protocol", "username", "client_id"), True),)


class OnboardingDecision(Table):
    """What an operator has decided while the window is open."""

    id = pw.AutoField()
    kind = pw.TextField()
    subject = pw.TextField()  # JSON


class OnboardingShare(Table):
    """What a node shows others while the window is open."""

    node = pw.TextField(primary_key=True)
    document = pw.TextField()  # JSON


class EdgeFleet(Table):
    """Edge Connectors of one download, each of which becomes an integration `<prefix>-<id>` when it first connects."""

    id = pw.AutoField()
    prefix = pw.TextField(unique=True)
    sealed_token = pw.BlobField()  # what a new member shows
    is_open = pw.BooleanField(default=True)  # to new members
    domain = pw.TextField()
    connectors = NamesField()
    target = pw.TextField()
    created_at = UtcField()
    created_by = pw.TextField()


class EdgeConnector(Table):
    """What an integration of an Edge Connector was downloaded with, if it was made for a download."""

    integration = pw.ForeignKeyField(Integration, primary_key=True, on_delete="CASCADE")
    fleet = pw.ForeignKeyField(EdgeFleet, null=True, backref="members", on_delete="SET NULL")
    connectors = NamesField()
    target = pw.TextField()


TABLES = (
    Account,
    Integration,
    Node,
    Connection,
    Traffic,
    Activity,
    Ban,
    KnownLogin,
    Revision,
    Switch,
    OnboardingWindow,
    IgnoredClient,
    OnboardingDecision,
    OnboardingShare,
    EdgeFleet,
    EdgeConnector,
)
