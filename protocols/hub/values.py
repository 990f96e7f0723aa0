"""What a payload says: JSON as plain Python values, and back (docs/values.md)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence

import payloads

Plain = bool | int | float | str | bytes  # Boolean, Int64, Double, String, ByteString
Json = bool | int | float | str | None | Sequence["Json"] | Mapping[str, "Json"]

_INT64 = range(-(1 << 63), 1 << 63)
_DIGITS = 19  # of the largest
_SINGLE = struct.Struct("<f")


def read(payload: bytes) -> Plain:
    """Return what a payload says.

    An integer within 64 bits is an int, another number a float; true and false are bools, a JSON string is its content.
    Any other JSON is its text, as is a number or a string that no float or UTF-8 holds; all else is bytes.
    """
    try:
        text, found = payloads.decode(payload, _READS)
    except ValueError:
        return payload
    if isinstance(found, float) and not math.isfinite(found):
        return text
    if isinstance(found, str) and not _is_encodable(found):
        return text
    return found if isinstance(found, bool | int | float | str) else text


def is_json(payload: bytes) -> bool:
    """Say whether a payload is JSON (RFC 8259), in UTF-8."""
    return payloads.kind_of(payload) == payloads.JSON


def dump(value: Json) -> bytes:
    """Return a value as JSON: numbers as short as they read back the same, and NaN and the infinities as strings."""
    value = _finite(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def from_single(value: float) -> float:
    """Return the number with the fewest digits that a float of 32 bits reads back as the same."""
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        try:
            if _SINGLE.pack(short) == _SINGLE.pack(value):
                return short
        except OverflowError:  # rounded up, beyond the largest
            continue
    return value


def _integer(digits: str) -> int | float:
    if len(digits.lstrip("-")) <= _DIGITS and (number := int(digits)) in _INT64:
        return number
    return float(digits)


_READS = json.JSONDecoder(parse_int=_integer, parse_constant=payloads.refuse)


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _finite(value: Json) -> Json:
    """Put strings in the place of numbers that JSON has not (OPC 10000-6, 5.4.2.4)."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    return value
