"""When each integration was last deactivated, in revisions."""

from typing import Any

import peewee as pw


def up(migrator: Any, db: pw.Database) -> None:
    # By hand, as in 0002.
    db.execute_sql("""ALTER TABLE "integration" ADD COLUMN "deactivation" BIGINT NOT NULL DEFAULT 0""")
