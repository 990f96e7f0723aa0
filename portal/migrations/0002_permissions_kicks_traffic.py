"""Topic permissions of integrations, how a connection came in, kicks, and the traffic of the last day."""

from typing import Any

import peewee as pw

# The columns by hand: for one that may not be null peewee's migrator makes an SQLite table anew, and dropping the old
# one would take along what refers to it.
STATEMENTS = (
    """ALTER TABLE "integration" ADD COLUMN "publish_filters" TEXT NOT NULL DEFAULT '["#"]'""",
    """ALTER TABLE "integration" ADD COLUMN "subscribe_filters" TEXT NOT NULL DEFAULT '["#"]'""",
    """ALTER TABLE "connection" ADD COLUMN "version" TEXT NOT NULL DEFAULT ''""",
    """ALTER TABLE "connection" ADD COLUMN "transport" TEXT NOT NULL DEFAULT 'tcp'""",
    """ALTER TABLE "connection" ADD COLUMN "kicked" BOOLEAN NOT NULL DEFAULT FALSE""",
    """CREATE INDEX "activity_integration_id_kind" ON "activity" ("integration_id", "kind")""",
)


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Integration(Table):
        pass

    class Traffic(Table):
        integration = pw.ForeignKeyField(Integration, on_delete="CASCADE", index=False)
        start = pw.BigIntegerField(index=True)
        messages_in = pw.BigIntegerField()
        messages_out = pw.BigIntegerField()
        bytes_in = pw.BigIntegerField()
        bytes_out = pw.BigIntegerField()
        online_ms = pw.BigIntegerField()

        class Meta:
            primary_key = pw.CompositeKey("integration", "start")

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    for statement in STATEMENTS:
        db.execute_sql(statement)
    db.create_tables([Traffic])
    Revision.insert(name="kicks", value=0).execute()
