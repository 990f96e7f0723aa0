"""The only wall clock.  Read it once per operation and pass the value down."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, aware, in UTC, with the millisecond precision that the database keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
