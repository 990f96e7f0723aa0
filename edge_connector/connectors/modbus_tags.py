"""What is read and written of a Modbus device, and what of that is allowed.  No sockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.exceptions import ModbusException

from edge_connector.connectors.tags import Scale, Span, known, scale, whole
from edge_connector.errors import Refused

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


@dataclass(frozen=True)
class Tag:
    """A value of a device."""

    unit: int
    table: str
    address: int
    type: str
    count: int  # of values; of a string, of registers
    scale: Scale

    @property
    def span(self) -> Span:
        size = 1 if self.table in BITS else TYPES[self.type].value[1] or 1
        return Span((self.unit, self.table), self.address, self.address + self.count * size)

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
            return [self.scale.applied(one) for one in value]
        return value if isinstance(value, str) else self.scale.applied(value)

    def registers(self, value: Any, order: WordOrder) -> list[int]:
        """Return registers that say a value.  Raises `Refused`."""
        data: Any = value if self.type == "string" else self.scale.undone(value, whole="int" in self.type)
        if self.type == "string" and not isinstance(value, str):
            raise Refused("the value has to be a text")
        try:
            return ModbusClientMixin.convert_to_registers(data, TYPES[self.type], order)
        except Exception as error:  # struct.error, OverflowError, ModbusException
            raise Refused(f"{value!r:.60} is no {self.type}: {error}") from None


def most(span: Span) -> int:
    """Return what one request reads of a table."""
    return MOST[str(span.place[1])]


def tag(definition: dict[str, Any], units: list[int]) -> Tag:
    """Return a tag.  Raises `Refused`."""
    known(definition, "table", "address", "type", "count", "scale", "offset", "unit")
    found = Tag(
        unit=whole(definition, "unit", units[0], 0, 255),
        table=definition.get("table", "holding"),
        address=whole(definition, "address", None, 0, 65_535),
        type=definition.get("type") or "uint16",
        count=whole(definition, "count", 1, 1, 2000),
        scale=scale(definition),
    )
    if found.table not in TABLES:
        raise Refused(f"table has to be one of {', '.join(TABLES)}")
    if found.type not in list(TYPES):  # which may be anything that JSON has
        raise Refused(f"type has to be one of {', '.join(TYPES)}")
    if found.unit not in units:
        raise Refused(f"unit {found.unit} is not allowed by the agent's configuration")
    span = found.span
    if span.end > 65_536 or span.end - span.start > MOST[found.table]:
        raise Refused(f"one value has {MOST[found.table]} at most, and none lies beyond 65535")
    return found
