"""Accounts, integrations, nodes, their connections, activity, and the revision counters."""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Account(Table):
        email = pw.TextField(unique=True)
        password_hash = pw.TextField()
        created_at = pw.BigIntegerField()
        last_login = pw.BigIntegerField(null=True)

    class Integration(Table):
        username = pw.TextField(unique=True)
        sealed_password = pw.BlobField()
        type = pw.TextField(index=True)
        note = pw.TextField()
        active = pw.BooleanField(index=True)
        last_login = pw.BigIntegerField(null=True, index=True)
        created_at = pw.BigIntegerField(index=True)
        created_by = pw.TextField()
        revision = pw.BigIntegerField()

    class Node(Table):
        id = pw.TextField(primary_key=True)
        started_at = pw.BigIntegerField()
        heartbeat_at = pw.BigIntegerField()
        listeners = pw.TextField()

    class Connection(Table):
        id = pw.TextField(primary_key=True)
        integration = pw.ForeignKeyField(Integration, on_delete="CASCADE")
        node = pw.ForeignKeyField(Node, on_delete="CASCADE")
        protocol = pw.TextField()
        client_id = pw.TextField()
        address = pw.TextField()
        connected_at = pw.BigIntegerField()

    class Activity(Table):
        at = pw.BigIntegerField(index=True)
        last_at = pw.BigIntegerField()
        count = pw.IntegerField()
        kind = pw.TextField()
        integration_id = pw.IntegerField(null=True, index=True)
        username = pw.TextField(null=True)
        account = pw.TextField(null=True, index=True)
        protocol = pw.TextField(null=True)
        address = pw.TextField(null=True)
        detail = pw.TextField()

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    db.create_tables([Account, Integration, Node, Connection, Activity, Revision])
    Revision.insert_many([{"name": name, "value": 0} for name in ("accounts", "integrations", "presence")]).execute()
