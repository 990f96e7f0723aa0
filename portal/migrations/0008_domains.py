"""A domain and a role for VRPC integrations; those that exist get the default domain, as agent and client."""

from typing import Any

import peewee as pw

from portal.config import vrpc_domain
from vrpc_topics import default_domain


def up(migrator: Any, db: pw.Database) -> None:
    class Table(pw.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Revision(Table):
        name = pw.TextField(primary_key=True)
        value = pw.BigIntegerField()

    class Account(Table):
        id = pw.AutoField()
        email = pw.TextField()

    class Integration(Table):
        type = pw.TextField()
        revision = pw.BigIntegerField()
        domain = pw.TextField()
        role = pw.TextField()

    # By hand, as in 0002.
    for name in ("domain", "role"):
        db.execute_sql(f"""ALTER TABLE "integration" ADD COLUMN "{name}" TEXT NOT NULL DEFAULT ''""")
    if Integration.select().where(Integration.type == "vrpc").exists():
        oldest = Account.select(Account.email).order_by(Account.id).limit(1).scalar()
        # Counted as any change is, so that other nodes on this database hold to it, too.
        count = Revision.name == "integrations"
        Revision.update(value=Revision.value + 1).where(count).execute()
        revision = Revision.select(Revision.value).where(count).scalar()
        joined = {"domain": vrpc_domain() or default_domain(oldest or ""), "role": "both", "revision": revision}
        Integration.update(joined).where(Integration.type == "vrpc").execute()
