"""What is read and written of a Siemens S7, by the usual addresses: `DB1.DBD4`, `M10.0`, `IW2`.  No sockets."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from snap7.type import Area
from snap7.util import get_date_time_object, get_dtl, set_dt, set_dtl

from edge_connector.connectors.tags import Scale, Span, known, scale, whole
from edge_connector.errors import Refused

AREAS = {"DB": Area.DB, "M": Area.MK, "I": Area.PE, "Q": Area.PA}
AREAS_TOLD = "DB (all of them), DB1, DB2, …, M, I, Q"
NUMBERS = {
    "byte": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float32": "f",
    "float64": "d",
}
HEADERS = {"string": ">BB", "wstring": ">HH"}  # before a text: how much room there is, and how much is used
TIMES = {"datetime": 8, "dtl": 12}  # DATE_AND_TIME, and DTL
TYPES = ("bool", *NUMBERS, *HEADERS, *TIMES)

_ADDRESS = re.compile(r"(?:DB(\d{1,5})\.DB|([MIQEA]))([XBWD]?)(\d{1,5})(?:\.([0-7]))?", re.IGNORECASE)
_GERMAN = {"E": "I", "A": "Q"}
_WIDTHS = {"X": ("bool", 0), "B": ("byte", 0), "W": ("uint16", 2), "D": ("uint32", 4)}  # usual type, bytes if not any
_ALLOWED = re.compile(r"DB(?:[1-9]\d{0,4})?|[MIQ]")
_LARGEST = 8192  # bytes of one value
_LONGEST = 254  # characters of a text


@dataclass(frozen=True)
class Tag:
    """A value of a device."""

    area: str
    block: int  # of the area DB; else 0
    address: int
    bit: int
    type: str
    count: int  # of values; of a text, of characters
    scale: Scale

    @property
    def span(self) -> Span:
        """Return its bytes."""
        if self.type == "bool":
            size = 1
        elif self.type in HEADERS:
            size = struct.calcsize(HEADERS[self.type]) + self.count * (2 if self.type == "wstring" else 1)
        else:
            size = self.count * (TIMES.get(self.type) or struct.calcsize(f">{NUMBERS[self.type]}"))
        return Span((self.area, self.block), self.address, self.address + size)

    @property
    def header(self) -> Span:
        """Return the bytes before a text."""
        return Span(self.span.place, self.address, self.address + struct.calcsize(HEADERS[self.type]))

    def value(self, data: bytes) -> Any:
        """Return what bytes say.  Raises `Refused`."""
        if self.type == "bool":
            return bool(data[0] >> self.bit & 1)
        if self.type in HEADERS:
            return _text(self.type, data)
        if self.type in TIMES:
            size = TIMES[self.type]
            values: list[Any] = [_time(self.type, data[at : at + size]) for at in range(0, len(data), size)]
        else:
            values = [self.scale.applied(one) for one in struct.unpack(f">{self.count}{NUMBERS[self.type]}", data)]
        return values[0] if self.count == 1 else values

    def packed(self, value: Any) -> bytes:
        """Return bytes that say a number, a flag or a time.  Raises `Refused`."""
        if self.type == "bool":
            if not isinstance(value, bool):
                raise Refused("the value has to be a boolean")
            return bytes([value])
        try:
            if self.type in TIMES:
                return b"".join(_packed_time(self.type, one) for one in (value if isinstance(value, list) else [value]))
            numbers = self.scale.undone(value, whole=self.type not in ("float32", "float64"))
            return struct.pack(f">{len(numbers)}{NUMBERS[self.type]}", *numbers)
        except (struct.error, OverflowError, ValueError) as error:
            raise Refused(f"{value!r:.60} is no {self.type}: {error}") from None

    def packed_text(self, value: Any, header: bytes) -> bytes:
        """Return the header and the characters of a text that fits where a header was read.  Raises `Refused`."""
        if not isinstance(value, str):
            raise Refused("the value has to be a text")
        room, used = struct.unpack(HEADERS[self.type], header)
        try:
            data = value.encode("utf-16-be" if self.type == "wstring" else "latin-1")
        except UnicodeEncodeError as error:
            raise Refused(f"a {self.type} cannot have the character {error.object[error.start]!r}") from None
        length = len(data) // (2 if self.type == "wstring" else 1)
        if used > room:
            raise Refused(f"there is no {self.type} at this address")
        if length > room:
            raise Refused(f"the value has {length} characters; the {self.type} has room for {room}")
        return struct.pack(HEADERS[self.type], room, length) + data


def tag(definition: dict[str, Any]) -> Tag:
    """Return a tag.  Raises `Refused`."""
    known(definition, "address", "type", "count", "scale", "offset")
    address = definition.get("address")
    found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if found is None:
        raise Refused("address has to be one as DB1.DBX0.3, DB1.DBB2, DB1.DBW2, DB1.DBD4, M10.0, MB2, IW2, QD4")
    block, area, width, byte, bit = found.groups()
    width = (width or "X").upper()
    if (width == "X") != (bit is not None):
        raise Refused(f"address {found[0][:60]} {'needs a bit, as .0' if width == 'X' else 'cannot have a bit'}")
    kind = definition.get("type") or _WIDTHS[width][0]
    if kind not in TYPES:
        raise Refused(f"type has to be one of {', '.join(TYPES)}")
    text = kind in HEADERS
    made = Tag(
        area="DB" if area is None else _GERMAN.get(area.upper(), area.upper()),
        block=int(block or 0),
        address=int(byte),
        bit=int(bit or 0),
        type=kind,
        count=whole(definition, "count", _LONGEST if text else 1, 1, _LONGEST if text else _LARGEST),
        scale=scale(definition),
    )
    _fits(made, width)
    return made


def _fits(made: Tag, width: str) -> None:
    """Refuse a type that its address cannot have."""
    size = made.span.end - made.span.start
    if (width == "X") != (made.type == "bool"):
        raise Refused("a bool has the address of a bit, as DB1.DBX0.3 or M10.0, and nothing else has")
    if made.type == "bool" and made.count != 1:
        raise Refused("bits are read one by one")
    wanted = _WIDTHS[width][1]
    if wanted and size != wanted * made.count:
        raise Refused(f"a {made.type} has no address with {width}; one with B takes any type, as DB1.DBB4")
    if size > _LARGEST or made.span.end > 65_536 or made.block > 65_535:
        raise Refused(f"one value has {_LARGEST} bytes at most, and none lies beyond 65535")


def is_area(name: str) -> bool:
    """Tell whether the configuration can allow something by a name."""
    return _ALLOWED.fullmatch(name) is not None


def names(span: Span) -> tuple[str, ...]:
    """Return the names by which the configuration can allow bytes."""
    area, block = span.place
    return (f"DB{block}", "DB") if area == "DB" else (str(area),)


def parts(span: Span, most: int) -> list[Span]:
    """Return what one request can have of bytes."""
    starts = range(span.start, span.end, most)
    return [Span(span.place, start, min(start + most, span.end)) for start in starts]


def requests(items: Iterable[Span], pdu: int, most: int) -> list[list[Span]]:
    """Return what to ask for together, so that request and answer each fit into a PDU."""
    found: list[list[Span]] = []
    asked = told = pdu
    for item in items:
        size = 4 + (item.end - item.start + 1) // 2 * 2
        if not found or len(found[-1]) == most or asked + 12 > pdu or told + size > pdu:
            found.append([])
            asked = told = 14
        found[-1].append(item)
        asked += 12
        told += size
    return found


def _text(kind: str, data: bytes) -> str:
    start = struct.calcsize(HEADERS[kind])
    room, used = struct.unpack(HEADERS[kind], data[:start])
    end = start + used * (2 if kind == "wstring" else 1)
    if used > room or end > len(data):
        raise Refused(f"the bytes hold no {kind} of that many characters")
    try:
        return data[start:end].decode("utf-16-be" if kind == "wstring" else "latin-1")
    except UnicodeDecodeError as error:
        raise Refused(f"the bytes hold no {kind}: {error}") from None


def _time(kind: str, data: bytes) -> str:
    try:
        found: datetime = (get_dtl if kind == "dtl" else get_date_time_object)(bytearray(data), 0)
    except ValueError as error:
        raise Refused(f"the bytes hold no {kind}: {error}") from None
    return found.isoformat()


def _packed_time(kind: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise Refused("the value has to be a time as 2026-11-26T08:15:00")
    found = datetime.fromisoformat(value)
    if found.tzinfo is not None:
        raise Refused("the value has a time zone, which the device's clock has not")
    data = bytearray(TIMES[kind])
    (set_dtl if kind == "dtl" else set_dt)(data, 0, found)
    return bytes(data)
