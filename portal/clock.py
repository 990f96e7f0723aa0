"""The only wall clock.  Read it once per operation and pass the value down."""

import time
from datetime import UTC, datetime
from functools import lru_cache


def now() -> datetime:
    """Return the current time, aware, in UTC, with the millisecond precision that the database keeps."""
    return _at(time.time_ns() // 1_000_000)


@lru_cache(1)
def _at(milliseconds: int) -> datetime:
    """Return a time; a thousand clients that come in within a moment ask for the same few."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
