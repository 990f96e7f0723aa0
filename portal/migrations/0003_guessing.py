"""Bans for guessing, and the logins that are known to be good."""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Ban(Table):
        kind = pw.TextField()
        name = pw.TextField()
        since = pw.BigIntegerField()
        until = pw.BigIntegerField(index=True)
        times = pw.IntegerField()
        failures = pw.IntegerField()
        protocol = pw.TextField()
        last_username = pw.TextField()
        last_address = pw.TextField()

        class Meta:
            indexes = ((("kind", "name"), True),)

    class KnownLogin(Table):
        username = pw.TextField()
        origin = pw.TextField()
        last_at = pw.BigIntegerField(index=True)

        class Meta:
            indexes = ((("username", "origin"), True),)

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    db.create_tables([Ban, KnownLogin])
    Revision.insert_many([{"name": name, "value": 0} for name in ("bans", "known logins")]).execute()
