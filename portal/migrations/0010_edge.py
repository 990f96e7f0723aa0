"""Edge Connectors and their fleets; integrations of their type that exist become agents in the default domain."""

from typing import Any

import peewee as pw

from portal.config import vrpc_domain
from vrpc_topics import default_domain


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Account(Table):
        id = pw.AutoField()
        email = pw.TextField()

    class Integration(Table):
        id = pw.AutoField()
        type = pw.TextField()
        revision = pw.BigIntegerField()
        domain = pw.TextField()
        role = pw.TextField()

    class EdgeFleet(Table):
        id = pw.AutoField()
        prefix = pw.TextField(unique=True)
        sealed_token = pw.BlobField()
        is_open = pw.BooleanField()
        domain = pw.TextField()
        connectors = pw.TextField()
        target = pw.TextField()
        created_at = pw.BigIntegerField()
        created_by = pw.TextField()

    class EdgeConnector(Table):
        integration = pw.ForeignKeyField(Integration, primary_key=True, on_delete="CASCADE")
        fleet = pw.ForeignKeyField(EdgeFleet, null=True, on_delete="SET NULL")
        connectors = pw.TextField()
        target = pw.TextField()

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    db.create_tables([EdgeFleet, EdgeConnector])
    Revision.insert(name="fleets", value=0).execute()
    if Integration.select().where(Integration.type == "edge").exists():
        oldest = Account.select(Account.email).order_by(Account.id).limit(1).scalar()
        # Counted as any change is, so that other nodes on this database hold to it, too.
        count = Revision.name == "integrations"
        Revision.update(value=Revision.value + 1).where(count).execute()
        revision = Revision.select(Revision.value).where(count).scalar()
        joined = {"domain": vrpc_domain() or default_domain(oldest or ""), "role": "agent", "revision": revision}
        Integration.update(joined).where(Integration.type == "edge").execute()
