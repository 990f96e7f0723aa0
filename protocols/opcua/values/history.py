"""The last values of each node, and which of them a client asks for (Part 11, 6.5.3)."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua

from protocols.opcua.values.errors import Refused

COST = 208  # bytes that an entry takes beside what its value takes on the wire
NO_TIME = ua.get_win_epoch()  # stands for a time that was not stated

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_KEY = struct.Struct("<qQ")

# Number, source time, server time, StatusCode, built-in type, content, and how much room it takes.  Of scalars this is
# nothing that the garbage collector looks into: a million objects more would stop every thread for a moment.
Entry = tuple[int, datetime, datetime, int, int, Any, int]


def pack(number: int, value: ua.DataValue, size: int) -> Entry:
    """Return a value as it is kept in a history."""
    variant = value.Value
    content = variant if variant.is_array else variant.Value
    code, variant_type = int(value.StatusCode.value), int(variant.VariantType)
    return number, value.SourceTimestamp, value.ServerTimestamp, code, variant_type, content, size


def unpack(entry: Entry) -> ua.DataValue:
    """Return the value that was kept."""
    _, source, server, code, variant_type, content, _ = entry
    variant = content if isinstance(content, ua.Variant) else ua.Variant(content, ua.VariantType(variant_type))
    return ua.DataValue(variant, ua.StatusCode(code), source, server)


class Ring:
    """The last values of one node, oldest first as they came."""

    __slots__ = ("bytes", "entries", "number")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.bytes = 0
        self.number = 0

    def add(self, value: ua.DataValue, size: int, most: int) -> int:
        """Keep a value, and let go of the oldest beyond `most`; return by how many bytes it has grown."""
        before = self.bytes
        self.number += 1
        self.entries.append(pack(self.number, value, size + COST))
        self.bytes += size + COST
        while len(self.entries) > most:
            self._drop()
        return self.bytes - before

    def halve(self) -> int:
        """Let go of the older half; return how many bytes that has freed."""
        before = self.bytes
        for _ in range((len(self.entries) + 1) // 2):
            self._drop()
        return before - self.bytes

    def _drop(self) -> None:
        self.bytes -= self.entries.popleft()[-1]


@dataclass(frozen=True, slots=True)
class Question:
    """Which values are asked for; at most `most` of them and `most_bytes`, and at least one."""

    start: datetime = NO_TIME
    end: datetime = NO_TIME
    most: int = 1_000
    most_bytes: int = 1 << 20
    after: bytes | None = None  # a continuation point

    @property
    def is_backwards(self) -> bool:
        """Say whether the latest value comes first; so it does when neither a start nor an end is stated."""
        return self.start == NO_TIME or (self.end != NO_TIME and self.end < self.start)


@dataclass(slots=True)
class Found:
    """The values that were asked for, and where to go on if there are more."""

    values: list[ua.DataValue] = field(default_factory=list)
    more: bytes | None = None
    bytes: int = 0


def select(ring: Ring | None, question: Question) -> Found:
    """Return the values that are asked for, by their source times.

    A continuation point names the last value that was returned, so that nothing has to be kept for it.
    """
    found = Found()
    key = (0, 0)
    for entry in _wanted(ring.entries if ring is not None else (), question):
        size = entry[-1]
        if len(found.values) == question.most or (found.values and found.bytes + size > question.most_bytes):
            found.more = _KEY.pack(*key)
            break
        key = _key(entry)
        found.values.append(unpack(entry))
        found.bytes += size
    return found


def _wanted(entries: Iterable[Entry], question: Question) -> Iterator[Entry]:
    after = _after(question.after) if question.after is not None else None
    backwards = question.is_backwards
    for entry in sorted(entries, key=_key, reverse=backwards):
        if _is_between(entry[1], question) and (
            after is None or (_key(entry) < after if backwards else _key(entry) > after)
        ):
            yield entry


def _is_between(moment: datetime, question: Question) -> bool:
    """Say whether a time is in the interval; of two ends that are both stated, the second one is outside."""
    start, end = question.start, question.end
    if end == NO_TIME:
        return moment >= start
    if start == NO_TIME:
        return moment < end
    if start == end:
        return moment == start
    return start <= moment < end if start < end else end < moment <= start


def _key(entry: Entry) -> tuple[int, int]:
    """Return what entries are sorted by: the source time, and the order in which they came."""
    return (entry[1] - _EPOCH) // _TICK, entry[0]


def _after(continuation_point: bytes) -> tuple[int, int]:
    if len(continuation_point) != _KEY.size:
        raise Refused(ua.StatusCodes.BadContinuationPointInvalid)
    ticks, number = _KEY.unpack(continuation_point)
    return ticks, number
