"""What tags of all devices have in common: checked members, a scale, addresses that are allowed.  No sockets."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from edge_connector.errors import Refused
from edge_connector.settings import Table

T = TypeVar("T")
Data = TypeVar("Data", bytes, list[int] | list[bool])

_MANY = 1000  # tags of one call
_RANGE = re.compile(r"(\w+)(?::(\d+)(?:-(\d+))?)?")


@dataclass(frozen=True)
class Span:
    """Some addresses of a device that lie side by side."""

    place: tuple[int | str, ...]  # what they are counted in: a table of a unit, a block
    start: int
    end: int  # behind the last

    def holds(self, other: Span) -> bool:
        return self.place == other.place and self.start <= other.start and other.end <= self.end


def blocks(spans: Iterable[Span], most: Callable[[Span], int]) -> list[Span]:
    """Return what to read for spans: what overlaps or lies side by side together, and nothing beside it."""
    found: list[Span] = []
    for span in sorted(set(spans), key=lambda one: (one.place, one.start, one.end)):
        last = found[-1] if found else None
        together = last and last.place == span.place and span.start <= last.end
        if last and together and max(last.end, span.end) - last.start <= most(span):
            found[-1] = Span(last.place, last.start, max(last.end, span.end))
        else:
            found.append(span)
    return found


class Readings(Generic[Data]):
    """What was read of a device, where each value is looked up."""

    def __init__(self) -> None:
        self._whole: dict[Span, Data] = {}
        self._starts: dict[tuple[int | str, ...], list[tuple[int, Span]]] = {}

    def add(self, block: Span, data: Data) -> None:
        self._whole[block] = data
        bisect.insort(self._starts.setdefault(block.place, []), (block.start, block), key=lambda one: one[0])

    def of(self, span: Span) -> Data | None:
        """Return what was read of a span, alone or within a block; None if the device has not told it."""
        if span in self._whole:
            return self._whole[span]
        starts = self._starts.get(span.place, [])
        index = bisect.bisect_right(starts, span.start, key=lambda one: one[0]) - 1
        if index < 0 or not starts[index][1].holds(span):
            return None
        block = starts[index][1]
        return self._whole[block][span.start - block.start : span.end - block.start]


@dataclass(frozen=True)
class Scale:
    """What a number of a device is multiplied with, and what is added then."""

    factor: float = 1
    offset: float = 0

    @property
    def _changes(self) -> bool:
        return (self.factor, self.offset) != (1, 0)

    def applied(self, number: float) -> float:
        return number * self.factor + self.offset if self._changes else number

    def undone(self, value: Any, *, whole: bool) -> list[float]:
        """Return what a device is told for a number, or for a list of them.  Raises `Refused`."""
        values = value if isinstance(value, list) else [value]
        if not values or not all(map(_is_number, values)):
            raise Refused("the value has to be a number, or a list of numbers")
        if self._changes:
            values = [(one - self.offset) / self.factor for one in values]
        if not whole:
            return values
        if not all(map(math.isfinite, values)):
            raise Refused("the value has to be finite")
        return [round(one) for one in values]


class Allowed:
    """Which addresses may be used: `holding`, `holding:7`, `coil:0-99`, `DB1:0-99`."""

    def __init__(self, table: Table, key: str, default: list[str], known: Callable[[str], bool], may: str) -> None:
        self._what = key
        self._ranges: list[tuple[str, int, float]] = []
        for one in table.texts(key, default):
            found = _RANGE.fullmatch(one)
            if found is None or not known(found[1]):
                raise table.fault(key, f"has {one!r}; it may have {may}, each with :address or :from-to")
            last = found[3] or found[2]
            self._ranges.append((found[1], int(found[2] or 0), int(last) + 1 if last else math.inf))

    def check(self, span: Span, *names: str) -> None:
        """Refuse what is not within one range of any of its names."""
        if not any(name in names and low <= span.start and span.end <= high for name, low, high in self._ranges):
            raise Refused(
                f"{self._what} of {names[0]} {span.start} to {span.end - 1} is not allowed by the agent's configuration"
            )


def named(tags: dict[str, Any], make: Callable[[dict[str, Any]], T]) -> dict[str, T]:
    """Return the tags of a call, by name.  Raises `Refused`, which names the one that cannot be."""
    if len(tags) > _MANY:
        raise Refused(f"there are {_MANY} tags at most")
    found = {}
    for name, definition in tags.items():
        if not isinstance(definition, dict):
            raise Refused(f"{name[:60]}: a tag is an object")
        try:
            found[name] = make(definition)
        except Refused as error:
            raise Refused(f"{name[:60]}: {error}") from None
    return found


def known(definition: dict[str, Any], *members: str) -> None:
    """Refuse a tag with a member that it does not have."""
    unknown = sorted(set(definition) - set(members))
    if unknown:
        raise Refused(f"a tag has no {unknown[0][:60]!r}")


def scale(definition: dict[str, Any]) -> Scale:
    """Return the scale of a tag.  Raises `Refused`."""
    found = Scale(_number(definition, "scale", 1), _number(definition, "offset", 0))
    if found.factor == 0:
        raise Refused("scale cannot be 0")
    return found


def whole(definition: dict[str, Any], key: str, default: int | None, low: int, high: int) -> int:
    """Return a whole number of a tag.  Raises `Refused`."""
    found = definition.get(key, default)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise Refused(f"{key} has to be a whole number from {low} to {high}")
    return found


def _number(definition: dict[str, Any], key: str, default: float) -> float:
    found = definition.get(key, default)
    if not _is_number(found):
        raise Refused(f"{key} has to be a number")
    return float(found) if isinstance(found, float) else int(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
