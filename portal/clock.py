"""The only wall clock.  Read it once per operation and pass the value down."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, aware, in UTC, with the millisecond precision that the database keeps."""
    return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)
