"""The picture of an integration's last day: a strip of online times above bars of messages in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portal import figures
from portal.traffic import Bucket

WIDE = 10  # of a half hour, in units of the drawing
TALLEST = 30  # of a bar
SMALLEST = 1.5  # of a bar that stands for any message at all
PALEST = 0.3  # of the strip, where it was online for a moment only


@dataclass(frozen=True, slots=True)
class Column:
    """One half hour: where it stands, how tall its bars are, how much of it was online, and what it says."""

    x: int
    tall_in: float
    tall_out: float
    online: float  # opacity of the strip, 0 for offline
    start: datetime
    end: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All columns, and in words what they show."""

    columns: list[Column]
    most: int  # messages that the tallest bar stands for
    online: float  # seconds
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int

    @property
    def is_empty(self) -> bool:
        return not (self.online or self.messages_in or self.messages_out)

    @property
    def width(self) -> int:
        return len(self.columns) * WIDE

    @property
    def summary(self) -> str:
        """Say in a sentence what the picture shows."""
        return (
            f"Online for {figures.duration(self.online)} of the last 24 hours; "
            f"{figures.messages(self.messages_in)} in ({figures.size(self.bytes_in)}), "
            f"{figures.count(self.messages_out)} out ({figures.size(self.bytes_out)})."
        )


def draw(buckets: Sequence[Bucket], now: datetime) -> Chart:
    """Return the picture of half hours, of which the last one runs now."""
    most = max((max(bucket.messages_in, bucket.messages_out) for bucket in buckets), default=0)
    return Chart(
        [_column(place * WIDE, bucket, most, now) for place, bucket in enumerate(buckets)],
        most,
        sum(bucket.online for bucket in buckets),
        sum(bucket.messages_in for bucket in buckets),
        sum(bucket.messages_out for bucket in buckets),
        sum(bucket.bytes_in for bucket in buckets),
        sum(bucket.bytes_out for bucket in buckets),
    )


def _column(x: int, bucket: Bucket, most: int, now: datetime) -> Column:
    end = min(bucket.end, now)
    passed = max((end - bucket.start).total_seconds(), 60)  # what is known lags behind by up to a minute
    share = min(1.0, bucket.online / passed)
    online = f"online for {figures.duration(bucket.online)}" if bucket.online else "offline"
    text = (
        f"{online}; {figures.messages(bucket.messages_in)} in ({figures.size(bucket.bytes_in)}), "
        f"{figures.count(bucket.messages_out)} out ({figures.size(bucket.bytes_out)})"
    )
    return Column(
        x,
        _tall(bucket.messages_in, most),
        _tall(bucket.messages_out, most),
        round(PALEST + (1 - PALEST) * share, 2) if bucket.online else 0,
        bucket.start,
        bucket.end,
        text,
    )


def _tall(number: int, most: int) -> float:
    return max(SMALLEST, round(TALLEST * number / most, 1)) if number else 0
