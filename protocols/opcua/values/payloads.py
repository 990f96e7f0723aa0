"""What a value is as the payload of a message, and the other way round: see docs/values.md.

For a node that has values of a kind, a payload is read as one of that kind where it can be.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from asyncua import ua

from protocols.hub import values
from protocols.opcua.values import kinds, node_ids
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.kinds import Kind, Type

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_NULL = b"null"
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_NATURAL = {bool: Type.Boolean, int: Type.Int64, float: Type.Double, str: Type.String, bytes: Type.ByteString}
_UNREADABLE = (ValueError, TypeError, OverflowError, LookupError, RecursionError, ua.UaError, Refused)


def dump(variant: ua.Variant) -> bytes:
    """Return a value as a payload: a ByteString as it is, anything else as JSON."""
    if variant.VariantType is Type.Double and type(variant.Value) is float and isfinite(variant.Value):
        return repr(variant.Value).encode("ascii")  # as json writes it, in a tenth of the time
    if variant.VariantType is Type.ByteString and not variant.is_array and variant.Value is not None:
        return bytes(variant.Value)
    return values.dump(_plain(variant.Value, _WRITERS.get(variant.VariantType, str)))


def load(payload: bytes, kind: Kind | None = None) -> ua.Variant:
    """Return what a payload says: of this kind, where it can be read so; else of the type that it states by itself."""
    plain = values.read(payload)
    natural = ua.Variant(plain, _NATURAL[type(plain)])
    if kind is None or (kind == Kind(natural.VariantType) and payload != _NULL):
        return natural
    try:
        return _of_kind(payload, kind)
    except _UNREADABLE:
        return natural


def _plain(value: Any, write: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one, write) for one in value]
    return None if value is None else write(value)


# --- out of OPC UA


def _write_time(value: datetime) -> str:
    """Return ISO 8601 in UTC; of times beyond those that OPC UA has, the first and the last one (Part 6, 5.4.2.6)."""
    moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return max(_EPOCH, min(moment, _END)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _write_structure(value: Any) -> dict[str, Any]:
    sealed: Any = kinds.seal(ua.Variant(value, Type.ExtensionObject)).Value
    body = b64encode(sealed.Body or b"").decode()
    return {"UaTypeId": sealed.TypeId.to_string(), "UaEncoding": 1, "UaBody": body}


def _write_text(value: ua.LocalizedText) -> dict[str, str]:
    found = {"Locale": value.Locale, "Text": value.Text}
    return {name: text for name, text in found.items() if text is not None}


def _write_name(value: ua.QualifiedName) -> str:
    return f"{value.NamespaceIndex}:{value.Name or ''}"


_WRITERS: dict[ua.VariantType, Callable[[Any], Any]] = {
    **dict.fromkeys(kinds.NUMBERS, lambda value: value),
    Type.Float: values.from_single,
    Type.Boolean: bool,
    Type.String: str,
    Type.DateTime: _write_time,
    Type.ByteString: lambda value: b64encode(value).decode(),
    Type.NodeId: node_ids.dump,
    Type.ExpandedNodeId: node_ids.dump,
    Type.StatusCode: lambda value: value.value,
    Type.QualifiedName: _write_name,
    Type.LocalizedText: _write_text,
    Type.XmlElement: lambda value: value.Value,
    Type.ExtensionObject: _write_structure,
}


# --- into OPC UA


def _of_kind(payload: bytes, kind: Kind) -> ua.Variant:
    """Return a payload as a value of this kind; raise one of _UNREADABLE if it is none."""
    if kind.rank == kinds.SCALAR and kind.type is Type.ByteString:
        return ua.Variant(payload, Type.ByteString)
    if kind.rank == kinds.SCALAR and kind.type is Type.String and not values.is_json(payload):
        return _checked(ua.Variant(payload.decode(), Type.String))
    if not values.is_json(payload):
        raise ValueError("no JSON")
    found = json.loads(payload)
    read = _READERS[kind.type]
    if kind.rank != kinds.SCALAR:
        return _checked(_array(found, kind, read))
    if found is None and kind.type not in _NULLABLE:
        raise ValueError("a value is missing")
    return _checked(ua.Variant(None if found is None else read(found), kind.type))


def _array(found: Any, kind: Kind, read: Callable[[Any], Any]) -> ua.Variant:
    """Return an array of as many dimensions as the kind has."""
    dimensions: list[int] = []
    level = found
    for _ in range(kind.rank):
        if not isinstance(level, list):
            raise ValueError("no array of so many dimensions")
        dimensions.append(len(level))
        level = level[0] if level else []
    read_all = _elements(found, dimensions, read if kind.type not in _NULLABLE else _or_none(read))
    return ua.Variant(read_all, kind.type, dimensions if kind.rank > 1 else None, True)


def _elements(found: Any, dimensions: list[int], read: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(found, list) or len(found) != dimensions[0]:
        raise ValueError("an array with rows of different lengths")
    if len(dimensions) == 1:
        return [read(one) for one in found]
    return [_elements(one, dimensions[1:], read) for one in found]


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _checked(variant: ua.Variant) -> ua.Variant:
    kinds.measure(variant)
    return variant


def _exactly(wanted: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not wanted:
            raise TypeError(f"no {wanted.__name__}")
        return value

    return read


def _number(wanted: ua.VariantType) -> Callable[[Any], Any]:
    """Read a number as a Write would take it: nothing is rounded but to the nearest Float or Double."""

    def read(value: Any) -> Any:
        if wanted not in kinds.FLOATS:
            return kinds.convert(_integer(value), wanted)
        if value in _NOT_FINITE:
            return float(value)
        if type(value) not in (int, float):
            raise TypeError("no number")
        return kinds.convert(float(value), wanted)

    return read


def _integer(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError("no number")
    number: float = value
    return number


def _read_time(value: Any) -> datetime:
    moment = datetime.fromisoformat(_exactly(str)(value))
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    moment = moment.astimezone(UTC)
    if not _EPOCH <= moment <= _END:
        raise ValueError("a time that OPC UA has not")
    return moment


def _read_text(value: Any) -> ua.LocalizedText:
    if isinstance(value, str):
        return ua.LocalizedText(value)
    if not isinstance(value, dict) or not value.keys() <= {"Locale", "Text"}:
        raise ValueError("no LocalizedText")
    text, locale = value.get("Text"), value.get("Locale")
    if not isinstance(text, str | None) or not isinstance(locale, str | None):
        raise TypeError("no LocalizedText")
    return ua.LocalizedText(text, locale)


def _read_name(value: Any) -> ua.QualifiedName:
    index, colon, name = _exactly(str)(value).partition(":")
    if not colon or not index.isdecimal() or int(index) > 0xFFFF:
        raise ValueError("no QualifiedName")
    return ua.QualifiedName(name, int(index))


def _read_structure(value: Any) -> ua.ExtensionObject:
    if not isinstance(value, dict) or value.keys() != {"UaTypeId", "UaEncoding", "UaBody"} or value["UaEncoding"] != 1:
        raise ValueError("no structure in binary")
    return ua.ExtensionObject(node_ids.load(value["UaTypeId"]), b64decode(value["UaBody"], validate=True))


_NULLABLE = frozenset({Type.String, Type.ByteString, Type.XmlElement})
_READERS: dict[ua.VariantType, Callable[[Any], Any]] = {
    **{one: _number(one) for one in kinds.NUMBERS},
    Type.Boolean: _exactly(bool),
    Type.String: _exactly(str),
    Type.DateTime: _read_time,
    Type.Guid: lambda value: uuid.UUID(_exactly(str)(value)),
    Type.ByteString: lambda value: b64decode(_exactly(str)(value), validate=True),
    Type.NodeId: lambda value: node_ids.load(_exactly(str)(value)),
    Type.ExpandedNodeId: lambda value: node_ids.load(_exactly(str)(value), is_expanded=True),
    Type.StatusCode: lambda value: ua.StatusCode(kinds.convert(_integer(value), Type.UInt32)),
    Type.QualifiedName: _read_name,
    Type.LocalizedText: _read_text,
    Type.XmlElement: lambda value: ua.XmlElement(_exactly(str)(value)),
    Type.ExtensionObject: _read_structure,
}
