"""What is read and written of a Modbus device, and what of that is allowed.  No sockets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.exceptions import ModbusException

from edge_connector.errors import Refused
from edge_connector.settings import Table

BITS = ("coil", "discrete")
TABLES = (*BITS, "holding", "input")
WRITABLE = ("coil", "holding")
MOST = {"coil": 2000, "discrete": 2000, "holding": 125, "input": 125}  # read by one request
TYPES = {
    "uint16": ModbusClientMixin.DATATYPE.UINT16,
    "int16": ModbusClientMixin.DATATYPE.INT16,
    "uint32": ModbusClientMixin.DATATYPE.UINT32,
    "int32": ModbusClientMixin.DATATYPE.INT32,
    "uint64": ModbusClientMixin.DATATYPE.UINT64,
    "int64": ModbusClientMixin.DATATYPE.INT64,
    "float32": ModbusClientMixin.DATATYPE.FLOAT32,
    "float64": ModbusClientMixin.DATATYPE.FLOAT64,
    "string": ModbusClientMixin.DATATYPE.STRING,
}

WordOrder = Literal["big", "little"]

_RANGE = re.compile(r"(\w+)(?::(\d+)(?:-(\d+))?)?")


@dataclass(frozen=True)
class Span:
    """Some coils or registers that lie side by side."""

    unit: int
    table: str
    start: int
    end: int  # behind the last


@dataclass(frozen=True)
class Tag:
    """A value of a device."""

    unit: int
    table: str
    address: int
    type: str
    count: int  # of values; of a string, of registers
    scale: float
    offset: float

    @property
    def span(self) -> Span:
        size = 1 if self.table in BITS else TYPES[self.type].value[1] or 1
        return Span(self.unit, self.table, self.address, self.address + self.count * size)

    def value(self, found: list[int] | list[bool], order: WordOrder) -> Any:
        """Return what registers or coils say."""
        if self.table in BITS:
            bits = [bool(one) for one in found]
            return bits[0] if self.count == 1 else bits
        try:
            value = ModbusClientMixin.convert_from_registers([int(one) for one in found], TYPES[self.type], order)
        except (ModbusException, UnicodeDecodeError) as error:
            raise Refused(f"the registers hold no {self.type}: {error}") from None
        if isinstance(value, list):
            return [self._scaled(one) for one in value]
        return value if isinstance(value, str) else self._scaled(value)

    def registers(self, value: Any, order: WordOrder) -> list[int]:
        """Return registers that say a value.  Raises `Refused`."""
        wanted = str if self.type == "string" else int | float
        values = value if isinstance(value, list) else [value]
        if not values or any(isinstance(one, bool) or not isinstance(one, wanted) for one in values):
            raise Refused(f"the value has to be a {'text' if wanted is str else 'number, or a list of numbers'}")
        if self.type != "string":
            values = [(one - self.offset) / self.scale if self._is_scaled else one for one in values]
            if "int" in self.type:
                values = [round(one) for one in values]
        try:
            return ModbusClientMixin.convert_to_registers(
                values[0] if self.type == "string" else values, TYPES[self.type], order
            )
        except Exception as error:  # struct.error, OverflowError, ModbusException
            raise Refused(f"{value!r:.60} is no {self.type}: {error}") from None

    @property
    def _is_scaled(self) -> bool:
        return (self.scale, self.offset) != (1, 0)

    def _scaled(self, value: Any) -> Any:
        return value * self.scale + self.offset if self._is_scaled else value


class Allowed:
    """Which coils and registers may be used: `holding`, `holding:7`, `coil:0-99`."""

    def __init__(self, table: Table, key: str, default: list[str], tables: tuple[str, ...]) -> None:
        self._what = key
        self._ranges: list[tuple[str, int, int]] = []
        for one in table.texts(key, default):
            found = _RANGE.fullmatch(one)
            if found is None or found[1] not in tables:
                raise table.fault(key, f"has {one!r}; it may have {', '.join(tables)}, each with :address or :from-to")
            first = int(found[2] or 0)
            self._ranges.append((found[1], first, int(found[3] or found[2] or 65_535) + 1))

    def check(self, span: Span) -> None:
        """Refuse what is not within one range."""
        if not any(name == span.table and low <= span.start and span.end <= high for name, low, high in self._ranges):
            last = span.end - 1
            raise Refused(
                f"{self._what} of {span.table} {span.start} to {last} is not allowed by the agent's configuration"
            )


def tag(definition: dict[str, Any], units: list[int]) -> Tag:
    """Return a tag.  Raises `Refused`."""
    unknown = sorted(set(definition) - {"table", "address", "type", "count", "scale", "offset", "unit"})
    if unknown:
        raise Refused(f"a tag has no {unknown[0][:60]!r}")
    found = Tag(
        unit=_whole(definition, "unit", units[0], 0, 255),
        table=definition.get("table", "holding"),
        address=_whole(definition, "address", None, 0, 65_535),
        type=definition.get("type") or "uint16",
        count=_whole(definition, "count", 1, 1, 2000),
        scale=_number(definition, "scale", 1),
        offset=_number(definition, "offset", 0),
    )
    if found.table not in TABLES:
        raise Refused(f"table has to be one of {', '.join(TABLES)}")
    if found.type not in TYPES:
        raise Refused(f"type has to be one of {', '.join(TYPES)}")
    if found.unit not in units:
        raise Refused(f"unit {found.unit} is not allowed by the agent's configuration")
    if found.scale == 0:
        raise Refused("scale cannot be 0")
    span = found.span
    if span.end > 65_536 or span.end - span.start > MOST[found.table]:
        raise Refused(f"one value has {MOST[found.table]} at most, and none lies beyond 65535")
    return found


def blocks(spans: Iterable[Span]) -> list[Span]:
    """Return requests that read spans: what overlaps or lies side by side is read together, and nothing beside it."""
    found: list[Span] = []
    for span in sorted(set(spans), key=lambda one: (one.unit, one.table, one.start, one.end)):
        last = found[-1] if found else None
        together = last and (last.unit, last.table) == (span.unit, span.table) and span.start <= last.end
        if last and together and max(last.end, span.end) - last.start <= MOST[span.table]:
            found[-1] = Span(last.unit, last.table, last.start, max(last.end, span.end))
        else:
            found.append(span)
    return found


def _whole(definition: dict[str, Any], key: str, default: int | None, low: int, high: int) -> int:
    found = definition.get(key, default)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise Refused(f"{key} has to be a whole number from {low} to {high}")
    return found


def _number(definition: dict[str, Any], key: str, default: float) -> float:
    found = definition.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Refused(f"{key} has to be a number")
    return found
