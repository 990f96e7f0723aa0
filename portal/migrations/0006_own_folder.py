"""Nothing beyond its own folder for OPC UA integrations whose permissions nobody has touched.

They had `%u/#`, which for a username `a` also matches the nodes of an integration `a/b`.
"""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    class Integration(Table):
        type = pw.TextField()
        revision = pw.BigIntegerField()
        publish_filters = pw.TextField()
        subscribe_filters = pw.TextField()

    own = '["%u/#"]'
    untouched = (Integration.type == "opcua") & (Integration.publish_filters == own)
    untouched &= Integration.subscribe_filters == own
    if Integration.select().where(untouched).exists():
        # Counted as any change is, so that other nodes on this database hold to it, too.
        count = Revision.name == "integrations"
        Revision.update(value=Revision.value + 1).where(count).execute()
        revision = Revision.select(Revision.value).where(count).scalar()
        nothing = {"publish_filters": "[]", "subscribe_filters": "[]", "revision": revision}
        Integration.update(nothing).where(untouched).execute()
