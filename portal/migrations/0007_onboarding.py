"""The onboarding window, and the clients that are ignored for good."""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class OnboardingWindow(Table):
        id = pw.BigIntegerField(primary_key=True)
        opened_by = pw.TextField()
        opened_at = pw.BigIntegerField()
        closes_at = pw.BigIntegerField()

    class IgnoredClient(Table):
        protocol = pw.TextField()
        username = pw.TextField()
        client_id = pw.TextField()
        ignored_by = pw.TextField()
        ignored_at = pw.BigIntegerField()

        class Meta:
            indexes = ((("protocol", "username", "client_id"), True),)

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    db.create_tables([OnboardingWindow, IgnoredClient])
    Revision.insert(name="onboarding", value=0).execute()
