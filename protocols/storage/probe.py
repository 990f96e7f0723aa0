"""Reading what SQLite can still reach of a damaged file."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator

_UPWARDS = "SELECT id, data FROM record WHERE id BETWEEN ? AND ? ORDER BY id"
_DOWNWARDS = f"{_UPWARDS} DESC"
_PROBES = 20_000  # ranges of a damaged file that are tried


def probe(db: sqlite3.Connection) -> dict[int, bytes]:
    """Read the rows that SQLite can still reach: by ranges, from both ends, that get smaller around what it cannot.

    The largest range comes first, so that no small place takes up all the tries.
    """
    rows: dict[int, bytes] = {}
    high = next((1 << bits for bits in range(62, 0, -1) if _read_down(db, 0, 1 << bits, rows) < 1 << bits), 0)
    ranges = [(-high, 0, high)]
    for _ in range(_PROBES):
        if not ranges:
            break
        _, low, high = heapq.heappop(ranges)
        low = _read_up(db, low, high, rows) + 1
        if low > high:
            continue
        high = _read_down(db, low, high, rows) - 1
        if low < high:
            middle = (low + high) // 2
            heapq.heappush(ranges, (low - middle, low, middle))
            heapq.heappush(ranges, (middle + 1 - high, middle + 1, high))
    return rows


def _read_up(db: sqlite3.Connection, low: int, high: int, rows: dict[int, bytes]) -> int:
    """Read a range from its low end; return up to where that worked."""
    last = low - 1
    for number in _readable(db, _UPWARDS, low, high, rows):
        if number is None:
            return high
        last = number
    return last


def _read_down(db: sqlite3.Connection, low: int, high: int, rows: dict[int, bytes]) -> int:
    """Read a range from its high end; return down to where that worked."""
    last = high + 1
    for number in _readable(db, _DOWNWARDS, low, high, rows):
        if number is None:
            return low
        last = number
    return last


def _readable(db: sqlite3.Connection, sql: str, low: int, high: int, rows: dict[int, bytes]) -> Iterator[int | None]:
    """Read rows until a damaged place, and return their numbers; None comes at the end of the range."""
    try:
        for number, data in db.execute(sql, (low, high)):
            if not low <= number <= high:
                return
            rows[number] = data
            yield number
    except sqlite3.Error:
        return
    yield None
