"""Switches of the protocol servers, and tight permissions for OPC UA integrations."""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Switch(Table):
        name = pw.TextField(primary_key=True)
        on = pw.BooleanField()

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    class Integration(Table):
        type = pw.TextField()
        publish_filters = pw.TextField()
        subscribe_filters = pw.TextField()

    db.create_tables([Switch])
    Revision.insert(name="switches", value=0).execute()
    # No client of this type could connect before; those that are new see what is their own.
    own = '["%u/#"]'
    opcua = Integration.update(publish_filters=own, subscribe_filters=own).where(Integration.type == "opcua")
    opcua.where(Integration.publish_filters == '["#"]', Integration.subscribe_filters == '["#"]').execute()
