"""What a value is: its built-in type, its rank and its size; and how another type is made to fit.

A node has the kind of the first value that was written to it.  Numbers fit into numbers: see `docs/opcua.md`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.ua import ua_binary

from protocols.opcua.values.errors import Refused

SCALAR = -1  # as a ValueRank; any other is the number of dimensions
Type = ua.VariantType

_INTEGERS = {
    Type.SByte: (-(2**7), 2**7 - 1),
    Type.Byte: (0, 2**8 - 1),
    Type.Int16: (-(2**15), 2**15 - 1),
    Type.UInt16: (0, 2**16 - 1),
    Type.Int32: (-(2**31), 2**31 - 1),
    Type.UInt32: (0, 2**32 - 1),
    Type.Int64: (-(2**63), 2**63 - 1),
    Type.UInt64: (0, 2**64 - 1),
}
FLOATS = frozenset({Type.Float, Type.Double})
NUMBERS = FLOATS | frozenset(_INTEGERS)

# Of scalars that always take the same room, as on the wire; all others are measured.
FIXED = {
    Type.Boolean: 1,
    Type.SByte: 1,
    Type.Byte: 1,
    Type.Int16: 2,
    Type.UInt16: 2,
    Type.Int32: 4,
    Type.UInt32: 4,
    Type.Int64: 8,
    Type.UInt64: 8,
    Type.Float: 4,
    Type.Double: 8,
    Type.DateTime: 8,
    Type.Guid: 16,
}
_OTHERS = (
    Type.String,
    Type.ByteString,
    Type.XmlElement,
    Type.NodeId,
    Type.ExpandedNodeId,
    Type.StatusCode,
    Type.QualifiedName,
    Type.LocalizedText,
    Type.ExtensionObject,
)
# Bytes that an element of an array takes in memory beside those on the wire.
_ELEMENT = {
    Type.Boolean: 8,
    **dict.fromkeys(NUMBERS, 32),
    Type.String: 64,
    Type.ByteString: 64,
    Type.DateTime: 56,
    Type.Guid: 128,
}
_OBJECT = 256  # of any other type
_UNENCODABLE = (
    ua.UaError,
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

KEPT = frozenset(FIXED) | frozenset(_OTHERS)  # not: Variant in Variant, DataValue, DiagnosticInfo


@dataclass(frozen=True, slots=True)
class Kind:
    """What every value of a node is."""

    type: ua.VariantType
    rank: int = SCALAR


def kind_of(variant: ua.Variant) -> Kind:
    """Return the kind of a value; raise Refused for one that no node can have."""
    if variant.VariantType not in KEPT:
        raise Refused(ua.StatusCodes.BadTypeMismatch, "a node cannot have a value of this type")
    if not variant.is_array:
        return Kind(variant.VariantType)
    return Kind(variant.VariantType, len(variant.Dimensions) if variant.Dimensions else 1)


def measure(variant: ua.Variant) -> int:
    """Return how much room a value takes on the wire; raise Refused for one that cannot be sent again."""
    if not variant.is_array and variant.VariantType in FIXED:
        return FIXED[variant.VariantType]
    if variant.VariantType is Type.Null:
        return 0
    try:
        return len(ua_binary.variant_to_binary(variant))
    except _UNENCODABLE:
        raise Refused(ua.StatusCodes.BadTypeMismatch, "the elements of a value are not of its type") from None


def burden(variant: ua.Variant) -> int:
    """Return how much more room a value takes in memory than on the wire; of a scalar, a node has it anyway."""
    if not variant.is_array:
        return 0
    return _count(variant.Value) * _ELEMENT.get(variant.VariantType, _OBJECT)


def _count(value: Any) -> int:
    """Return how many elements an array has; one inside another counts as one more."""
    if not value:
        return 0
    if isinstance(value[0], list | tuple):
        return len(value) + sum(map(_count, value))
    return len(value)


def seal(variant: ua.Variant) -> ua.Variant:
    """Return a value with its structures as bytes: what is in them is not looked at, and takes no more room."""
    if variant.VariantType is not Type.ExtensionObject:
        return variant
    try:
        sealed = _each(variant.Value, _sealed)
    except _UNENCODABLE:
        raise Refused(ua.StatusCodes.BadTypeMismatch, "a structure that cannot be sent again") from None
    return ua.Variant(sealed, variant.VariantType, variant.Dimensions, variant.is_array)


def _sealed(structure: Any) -> ua.ExtensionObject:
    if isinstance(structure, ua.ExtensionObject):
        return structure
    encoding = ua.typeid_by_extension_objects[type(structure)]
    return ua.ExtensionObject(encoding, ua_binary.struct_to_binary(structure))


def fit(variant: ua.Variant, kind: Kind) -> ua.Variant:
    """Return a value as one of this kind; raise Refused if it does not fit."""
    variant = _swap_bytes(variant, kind)
    found = kind_of(variant)
    if found.rank != kind.rank:
        raise Refused(ua.StatusCodes.BadTypeMismatch, "a scalar for an array, or the other way round")
    if found.type == kind.type:
        return variant
    if found.type not in NUMBERS or kind.type not in NUMBERS:
        raise Refused(ua.StatusCodes.BadTypeMismatch, f"{found.type.name} for {kind.type.name}")
    convert = _converter(kind.type)
    return ua.Variant(_each(variant.Value, convert), kind.type, variant.Dimensions, variant.is_array)


def _swap_bytes(variant: ua.Variant, kind: Kind) -> ua.Variant:
    """Take a ByteString for an array of Byte, and the other way round (Part 4, 5.11.4)."""
    if kind == Kind(Type.Byte, 1) and variant.VariantType == Type.ByteString and not variant.is_array:
        return ua.Variant(list(variant.Value or b""), Type.Byte, is_array=True)
    if kind == Kind(Type.ByteString) and variant.VariantType == Type.Byte and variant.is_array:
        if not variant.Dimensions:
            return ua.Variant(bytes(variant.Value or ()), Type.ByteString)
    return variant


def _each(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Convert a scalar, or every element of an array of any dimensions."""
    if isinstance(value, list | tuple):
        return [_each(one, convert) for one in value]
    return None if value is None else convert(value)


def convert(value: float, wanted: ua.VariantType) -> float:
    """Return a number as one of another type; raise Refused if it does not fit."""
    number: float = _converter(wanted)(value)
    return number


def _converter(wanted: ua.VariantType) -> Callable[[Any], Any]:
    if wanted == Type.Double:
        return float  # of a large 64-bit integer the nearest
    if wanted == Type.Float:
        return _to_float
    low, high = _INTEGERS[wanted]
    return lambda value: _to_integer(value, low, high)


def _to_float(value: float) -> float:
    """Return the nearest that a Float can hold."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        raise Refused(ua.StatusCodes.BadOutOfRange, "a number is too large for a Float") from None


def _to_integer(value: float, low: int, high: int) -> int:
    """Return the same number as an integer: nothing is rounded."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Refused(ua.StatusCodes.BadOutOfRange, "an integer cannot be infinite, or no number")
        if not value.is_integer():
            raise Refused(ua.StatusCodes.BadTypeMismatch, "a number with a fraction for an integer")
    if not low <= value <= high:
        raise Refused(ua.StatusCodes.BadOutOfRange, f"a number is not between {low} and {high}")
    return int(value)
