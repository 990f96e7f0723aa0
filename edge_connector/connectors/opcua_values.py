"""Values of OPC UA as JSON has them, and back: a type is the node's own, whatever was written.  No sockets."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from asyncua import ua

from edge_connector.errors import Refused

Kind = ua.VariantType

_WHOLE = {
    Kind.SByte: (-(2**7), 2**7 - 1),
    Kind.Byte: (0, 2**8 - 1),
    Kind.Int16: (-(2**15), 2**15 - 1),
    Kind.UInt16: (0, 2**16 - 1),
    Kind.Int32: (-(2**31), 2**31 - 1),
    Kind.UInt32: (0, 2**32 - 1),
    Kind.Int64: (-(2**63), 2**63 - 1),
    Kind.UInt64: (0, 2**64 - 1),
}
_GUESSED: dict[type, Any] = {bool: Kind.Boolean, int: Kind.Int64, float: Kind.Double, str: Kind.String}
SCALAR = -1  # a ValueRank; 1 and more are the dimensions of an array


def told(found: Any) -> dict[str, Any]:
    """Return what a DataValue says: a value only where its status does not call it bad."""
    status = found.StatusCode or ua.StatusCode()
    variant = None if status.is_bad() else found.Value
    return {
        "value": None if variant is None else plain(variant.Value),
        "type": None if variant is None else f"{variant.VariantType.name}{'[]' if variant.is_array else ''}",
        "status": status.name,
        "source_time": _stamp(found.SourceTimestamp),
        "server_time": _stamp(found.ServerTimestamp),
    }


def plain(value: Any) -> Any:
    """Return what JSON can say of a value."""
    if isinstance(value, bool | float | str | None):
        return value
    if isinstance(value, int):
        return int(value)  # an enumeration as well
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, ua.LocalizedText):
        return value.Text
    if isinstance(value, ua.StatusCode):
        return value.name
    if isinstance(value, ua.Variant | ua.DataValue):
        return plain(value.Value)
    if isinstance(value, ua.NodeId | ua.QualifiedName):
        return value.to_string()
    if dataclasses.is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return str(value)


def typed(value: Any, kind: Any, rank: int) -> Any:
    """Return a Variant of a type.  Raises `Refused` for what is no value of it."""
    if isinstance(value, list) if rank == SCALAR else rank > 0 and not isinstance(value, list):
        raise Refused(f"the value has to be {'a single one' if rank == SCALAR else 'a list'}, as the node has it")
    if kind == Kind.Variant:  # any type: the one that is nearest to JSON's
        kind = _guessed(value)
    return ua.Variant(_each(value, kind), kind, is_array=isinstance(value, list))


def _each(value: Any, kind: Any) -> Any:
    if isinstance(value, list):
        return [_each(one, kind) for one in value]
    if kind in _WHOLE:
        return _whole(value, kind)
    if kind not in _MADE:
        raise Refused(f"values of type {kind.name} cannot be written")
    wanted, make, what = _MADE[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != Kind.Boolean):
        raise Refused(f"{value!r:.60} is no {kind.name}: it has to be {what}")
    try:
        return make(value)
    except (ValueError, OverflowError, binascii.Error, ua.UaError):
        raise Refused(f"{value!r:.60} is no {kind.name}: it has to be {what}") from None


def _whole(value: Any, kind: Any) -> int:
    """Return an integer; from a text as well, since not every language has numbers of 64 bits in JSON."""
    low, high = _WHOLE[kind]
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(f"{value!r:.60} is no {kind.name}: it has to be a whole number from {low} to {high}")
    return value


def _guessed(value: Any) -> Any:
    first = value
    while isinstance(first, list) and first:
        first = first[0]
    if type(first) not in _GUESSED:
        raise Refused(f"{value!r:.60} has no type of OPC UA")
    return _GUESSED[type(first)]


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(UTC)


def _time(moment: datetime) -> str:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _stamp(moment: datetime | None) -> str | None:
    """Return when a value was taken; the ends of the range stand for no time (Part 6, 5.2.2.5)."""
    return None if moment is None or moment.year in (1601, 9999) else _time(moment)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_Made = tuple[Any, Callable[[Any], Any], str]
_MADE: dict[Any, _Made] = {
    Kind.Boolean: (bool, bool, "true or false"),
    Kind.Float: (int | float, float, "a number"),
    Kind.Double: (int | float, float, "a number"),
    Kind.String: (str, str, "a text"),
    Kind.XmlElement: (str, ua.XmlElement, "a text"),
    Kind.DateTime: (str, _moment, "a text as 2026-01-31T12:00:00Z"),
    Kind.Guid: (str, uuid.UUID, "a text of 32 hexadecimal digits"),
    Kind.ByteString: (str, _bytes, "bytes in base64"),
    Kind.NodeId: (str, ua.NodeId.from_string, "a node id"),
    Kind.QualifiedName: (str, ua.QualifiedName.from_string, "a name as 2:Motor"),
    Kind.LocalizedText: (str, ua.LocalizedText, "a text"),
}
