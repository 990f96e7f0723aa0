"""Values as the portal shows them, and as an account types them."""

from __future__ import annotations

import json
import math
import uuid
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from asyncua import ua

from protocols.opcua.values import kinds
from protocols.opcua.values.errors import Refused, Unreadable
from protocols.opcua.values.kinds import Kind, Type

LONGEST = 120  # characters that are shown of a value
_ARRAY = "[]"


def name_of(kind: Kind | None) -> str:
    """Return a type as the portal names it: "Double", "Double[]", "Double[][]"; "" when it is unknown."""
    if kind is None:
        return ""
    return str(kind.type.name) + _ARRAY * (0 if kind.rank == kinds.SCALAR else kind.rank)


def show(variant: ua.Variant | None) -> str:
    """Return a value as a short text."""
    if variant is None or variant.Value is None:
        return ""
    text = _show_array(variant.Value, LONGEST) if variant.is_array else _show_one(variant.Value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _show_array(values: Any, room: int) -> str:
    """Show the first elements, as many as are needed to fill the room."""
    parts: list[str] = []
    for value in values:
        parts.append(_show_array(value, room) if isinstance(value, list | tuple) else _show_one(value))
        room -= len(parts[-1]) + 2
        if room < 0:
            break
    return f"[{', '.join(parts)}]"


def _show_one(value: Any) -> str:
    for kind, show_kind in _SHOWN:
        if isinstance(value, kind):
            return show_kind(value)
    return type(value).__name__


def _show_bytes(value: bytes) -> str:
    return "0x" + value[:LONGEST].hex()


def _show_text(value: str) -> str:
    return value[: LONGEST + 1].encode("utf-8", "replace").decode()  # a string need not be UTF-8


def _show_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SHOWN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (type(None), lambda value: "null"),
    (bool, lambda value: "true" if value else "false"),
    (int, str),
    (float, repr),
    (str, _show_text),
    (bytes, _show_bytes),
    (datetime, _show_time),
    (uuid.UUID, str),
    (ua.LocalizedText, lambda value: _show_text(value.Text or "")),
    (ua.NodeId, lambda value: _show_text(value.to_string())),
    (ua.QualifiedName, lambda value: f"{value.NamespaceIndex}:{_show_text(value.Name or '')}"),
    (ua.StatusCode, lambda value: value.name),
    (ua.ExtensionObject, lambda value: f"{value.TypeId.to_string()} {_show_bytes(value.Body or b'')}"),
)


def parse(type_name: str, text: str) -> ua.Variant:
    """Return the value of a type that a text says; raise Unreadable."""
    is_array = type_name.endswith(_ARRAY)
    name = type_name.removesuffix(_ARRAY)
    found = _PARSED.get(name)
    if found is None:
        raise Unreadable(f"there is no type {type_name!r}")
    variant_type, parse_one = found
    try:
        if is_array:
            return _checked(ua.Variant([parse_one(one) for one in _elements(text)], variant_type, is_array=True))
        return _checked(ua.Variant(parse_one(text), variant_type))
    except (ValueError, TypeError, OverflowError, Refused) as error:
        raise Unreadable(f"this is no {type_name}: {error}") from None


def _elements(text: str) -> list[str]:
    """Return the elements of an array, which is written as in JSON."""
    found = json.loads(text or "[]")
    if not isinstance(found, list):
        raise ValueError("an array is written as [1, 2, 3]")
    return [one if isinstance(one, str) else json.dumps(one) for one in found]


def _checked(variant: ua.Variant) -> ua.Variant:
    kinds.measure(variant)
    return variant


def _integer(variant_type: ua.VariantType) -> tuple[ua.VariantType, Callable[[str], Any]]:
    """Parse through Int64 or Double, so that the bounds are those of any other write."""

    def parse_one(text: str) -> Any:
        number = int(text)
        source = Type.Int64 if number < 2**63 else Type.UInt64
        if not -(2**63) <= number < 2**64:
            raise ValueError("out of range")
        return kinds.fit(ua.Variant(number, source), Kind(variant_type)).Value

    return variant_type, parse_one


def _boolean(text: str) -> bool:
    wanted = text.strip().lower()
    if wanted not in ("true", "false", "1", "0"):
        raise ValueError("true or false is expected")
    return wanted in ("true", "1")


def _float(text: str) -> float:
    number = float(text)
    if math.isfinite(number):
        return float(kinds.fit(ua.Variant(number, Type.Double), Kind(Type.Float)).Value)
    return number


def _bytes(text: str) -> bytes:
    """Read 0x and hexadecimal digits, or Base64."""
    return bytes.fromhex(text[2:]) if text.startswith("0x") else b64decode(text, validate=True)


def _time(text: str) -> datetime:
    """Read ISO 8601; UTC, if it does not say."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)


_PARSED: dict[str, tuple[ua.VariantType, Callable[[str], Any]]] = {
    "Boolean": (Type.Boolean, _boolean),
    **{one.name: _integer(one) for one in sorted(kinds.NUMBERS) if one not in (Type.Float, Type.Double)},
    "Float": (Type.Float, _float),
    "Double": (Type.Double, float),
    "String": (Type.String, str),
    "DateTime": (Type.DateTime, _time),
    "Guid": (Type.Guid, uuid.UUID),
    "ByteString": (Type.ByteString, _bytes),
    "LocalizedText": (Type.LocalizedText, ua.LocalizedText),
}
TYPES = tuple(_PARSED)  # those that an account can create a node with; each also as an array, with []
