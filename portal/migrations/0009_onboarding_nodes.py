"""What operators decide on clients that knock, and what knocks at other nodes."""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class OnboardingDecision(Table):
        kind = pw.TextField()
        subject = pw.TextField()

    class OnboardingShare(Table):
        node = pw.TextField(primary_key=True)
        document = pw.TextField()

    db.create_tables([OnboardingDecision, OnboardingShare])
