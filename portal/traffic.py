"""Traffic and online times of the last day, by integration and half hour."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portal import db
from portal.models import Revision, Traffic, UtcField

BUCKET = timedelta(minutes=30)
BUCKETS = 48  # of a day
KEPT = timedelta(hours=25)

Row = tuple[int, int, int, int, int, int]  # integration, messages in and out, bytes in and out, milliseconds online

# One statement for any number of integrations, and the rows as one JSON text: ten thousand rows of parameters would
# keep the interpreter from the protocol servers for half a second.
_UPSERT = """
    INSERT INTO traffic (integration_id, start, messages_in, messages_out, bytes_in, bytes_out, online_ms)
    SELECT i.id, {mark}, {columns}
    FROM {source} AS j JOIN integration AS i ON i.id = {key} WHERE true
    ON CONFLICT (integration_id, start) DO UPDATE SET {sums}
"""
_NAMES = ("messages_in", "messages_out", "bytes_in", "bytes_out", "online_ms")
_SUMS = ", ".join(f"{name} = traffic.{name} + excluded.{name}" for name in _NAMES)
_SQLITE = _UPSERT.format(
    mark="?",
    source="json_each(?)",
    key="json_extract(j.value, '$[0]')",
    columns=", ".join(f"json_extract(j.value, '$[{place}]')" for place in range(1, 6)),
    sums=_SUMS,
)
_POSTGRESQL = _UPSERT.format(
    mark="%s",
    source="json_array_elements(%s::json)",
    key="(j.value->>0)::bigint",
    columns=", ".join(f"(j.value->>{place})::bigint" for place in range(1, 6)),
    sums=_SUMS,
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Half an hour of one integration: counts, and the seconds that it was online."""

    start: datetime
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    online: float = 0.0

    @property
    def end(self) -> datetime:
        return self.start + BUCKET


def bucket_start(moment: datetime) -> datetime:
    """Return the start of the half hour that a moment lies in."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(BUCKET.total_seconds()), UTC)


def add(rows: Sequence[Row], moment: datetime) -> None:
    """Add to the half hour of a moment; integrations that were deleted meanwhile are left out."""
    if not rows:
        return
    start = UtcField().db_value(bucket_start(moment))
    with db.writing():
        Revision.hold("presence")  # so that no integration is deleted, and no other node writes, at the same time
        sql = _SQLITE if db.is_sqlite() else _POSTGRESQL
        db.database.execute_sql(sql, (start, json.dumps(rows)))


def prune(now: datetime) -> int:
    """Delete what is older than a day; return the number of rows deleted."""
    with db.writing():
        Revision.hold("presence")
        return int(Traffic.delete().where(Traffic.start < now - KEPT).execute())


def last_day(integration_id: int, now: datetime) -> list[Bucket]:
    """Return the half hours of the last day, oldest first, the one that runs now as the last."""
    last = bucket_start(now)
    first = last - (BUCKETS - 1) * BUCKET
    query = Traffic.select().where(Traffic.integration == integration_id, Traffic.start.between(first, last))
    found = {
        row.start: Bucket(
            row.start, row.messages_in, row.messages_out, row.bytes_in, row.bytes_out, row.online_ms / 1000
        )
        for row in query
    }
    starts = (first + place * BUCKET for place in range(BUCKETS))
    return [found.get(start, Bucket(start)) for start in starts]
