"""Which values fit which nodes, and what becomes of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from uuid import UUID

import pytest
from asyncua import ua

from protocols.opcua.values.kinds import FIXED, KEPT, NUMBERS, SCALAR, Kind, burden, fit, kind_of, measure, seal
from tests.protocols.opcua.values.values_pure import refused

T = ua.VariantType
BOUNDS = {
    T.SByte: (-128, 127), T.Byte: (0, 255), T.Int16: (-32_768, 32_767), T.UInt16: (0, 65_535),
    T.Int32: (-(2**31), 2**31 - 1), T.UInt32: (0, 2**32 - 1), T.Int64: (-(2**63), 2**63 - 1), T.UInt64: (0, 2**64 - 1),
}  # fmt: skip
SAMPLES = {
    T.Boolean: True, T.String: "1", T.DateTime: datetime(2026, 1, 1, tzinfo=UTC), T.Guid: UUID(int=1),
    T.ByteString: b"1",
    T.NodeId: ua.NodeId(1), T.StatusCode: ua.StatusCode(), T.QualifiedName: ua.QualifiedName("1"),
    T.LocalizedText: ua.LocalizedText("1"), T.ExtensionObject: ua.Range(),
    **dict.fromkeys(BOUNDS, 1), T.Float: 1.0, T.Double: 1.0,
}  # fmt: skip


@pytest.mark.parametrize("found", sorted(SAMPLES))
@pytest.mark.parametrize("wanted", sorted(SAMPLES))
def test_a_scalar_fits_into_its_own_type_and_a_number_into_any_number(found: T, wanted: T) -> None:
    variant = ua.Variant(SAMPLES[found], found)
    if found == wanted or {found, wanted} <= NUMBERS:
        fitted = fit(variant, Kind(wanted))
        assert (fitted.Value, fitted.VariantType) == (SAMPLES[found], wanted)
        assert isinstance(fitted.Value, type(SAMPLES[wanted]))
    else:
        assert refused(lambda: fit(variant, Kind(wanted))) == "BadTypeMismatch"


@pytest.mark.parametrize("wanted", sorted(BOUNDS))
def test_an_integer_beyond_the_bounds_is_out_of_range(wanted: T) -> None:
    low, high = BOUNDS[wanted]
    other = T.UInt64 if wanted == T.Int64 else T.Int64
    for number in (low, high):
        if BOUNDS[other][0] <= number <= BOUNDS[other][1]:
            assert fit(ua.Variant(number, other), Kind(wanted)).Value == number
    for number in (low - 1, high + 1):
        if wanted != other and BOUNDS[other][0] <= number <= BOUNDS[other][1]:
            assert refused(lambda number=number: fit(ua.Variant(number, other), Kind(wanted))) == "BadOutOfRange"
    for number in (1e30, -1e30, math.inf, math.nan):
        assert refused(lambda number=number: fit(ua.Variant(number, T.Double), Kind(wanted))) == "BadOutOfRange"


def test_nothing_is_rounded_to_an_integer() -> None:
    assert fit(ua.Variant(-21.0, T.Double), Kind(T.Int32)).Value == -21
    assert refused(lambda: fit(ua.Variant(21.5, T.Double), Kind(T.Int32))) == "BadTypeMismatch"


def test_a_number_becomes_the_nearest_float_or_double() -> None:
    assert fit(ua.Variant(0.1, T.Double), Kind(T.Float)).Value == pytest.approx(0.1, rel=1e-7)
    assert fit(ua.Variant(0.1, T.Double), Kind(T.Float)).Value != 0.1
    assert fit(ua.Variant(2**53 + 1, T.Int64), Kind(T.Double)).Value == 2.0**53
    assert fit(ua.Variant(math.inf, T.Double), Kind(T.Float)).Value == math.inf
    assert refused(lambda: fit(ua.Variant(1e39, T.Double), Kind(T.Float))) == "BadOutOfRange"


def test_arrays_fit_into_arrays_of_as_many_dimensions() -> None:
    flat, square = ua.Variant([1, 2], T.Int16), ua.Variant([[1, 2], [3, 4]], T.Int16)
    assert kind_of(flat) == Kind(T.Int16, 1) and kind_of(square) == Kind(T.Int16, 2)
    assert fit(flat, Kind(T.Double, 1)).Value == [1.0, 2.0]
    assert fit(square, Kind(T.Double, 2)).Value == [[1.0, 2.0], [3.0, 4.0]]
    assert fit(ua.Variant([], T.Int16), Kind(T.Double, 1)).Value == []
    for variant, kind in (
        (flat, Kind(T.Int16)),
        (ua.Variant(1, T.Int16), Kind(T.Int16, 1)),
        (square, Kind(T.Int16, 1)),
        (ua.Variant(["a"]), Kind(T.Double, 1)),
    ):
        assert refused(lambda variant=variant, kind=kind: fit(variant, kind)) == "BadTypeMismatch"
    assert refused(lambda: fit(ua.Variant([1, 300], T.Int16), Kind(T.Byte, 1))) == "BadOutOfRange"


def test_a_byte_string_and_an_array_of_bytes_are_the_same() -> None:
    assert fit(ua.Variant(b"\1\2"), Kind(T.Byte, 1)) == ua.Variant([1, 2], T.Byte)
    assert fit(ua.Variant([1, 2], T.Byte), Kind(T.ByteString)) == ua.Variant(b"\1\2")


@pytest.mark.parametrize("kept", sorted(set(T) - KEPT))
def test_a_node_cannot_have_a_value_of_other_types(kept: T) -> None:
    assert refused(lambda: kind_of(ua.Variant([], kept))) == "BadTypeMismatch"


def test_an_array_whose_elements_are_missing_is_refused() -> None:
    """Dimensions that promise more than there is: asyncua fills up with empty lists, which cannot be sent again."""
    variant = ua.Variant([1, 2, [], []], T.Int32, [4], is_array=True)
    assert refused(lambda: measure(variant)) == "BadTypeMismatch"


@pytest.mark.parametrize("fixed", sorted(FIXED))
def test_a_size_that_is_known_is_the_one_on_the_wire(fixed: T) -> None:
    value = SAMPLES[fixed]
    assert measure(ua.Variant(value, fixed)) == len(ua.ua_binary.variant_to_binary(ua.Variant(value, fixed))) - 1


def test_other_sizes_are_measured() -> None:
    assert measure(ua.Variant("ü" * 10)) == 1 + 4 + 20
    assert measure(ua.Variant([1.0] * 100)) == 1 + 4 + 800
    assert kind_of(ua.Variant(None, T.String)).rank == SCALAR


@pytest.mark.parametrize(
    ("element", "variant_type"),
    [(True, T.Boolean), (300, T.Int16), (1.5, T.Double), ("x", T.String), (ua.NodeId(5), T.NodeId), ([1, 2], T.Int32),
     ([], T.Int32)],
)  # fmt: skip
def test_what_an_array_takes_in_memory_is_counted(element: object, variant_type: T) -> None:
    assert burden(ua.Variant([element] * 500, variant_type, is_array=True)) >= 8 * 500


def test_what_a_scalar_takes_is_not() -> None:
    assert burden(ua.Variant("text")) == burden(ua.Variant()) == 0


def test_structures_are_sealed_and_read_as_they_were_written() -> None:
    known, unknown = ua.Range(1.0, 2.0), ua.ExtensionObject(ua.NodeId(4711, 9), b"\1")
    before = ua.Variant([known, unknown, None], T.ExtensionObject)
    sealed = seal(before)
    assert all(isinstance(one, ua.ExtensionObject) or one is None for one in sealed.Value)
    assert ua.ua_binary.variant_to_binary(sealed) == ua.ua_binary.variant_to_binary(before)
    assert seal(ua.Variant(1.0)) == ua.Variant(1.0)
    assert refused(lambda: seal(ua.Variant(object(), T.ExtensionObject))) == "BadTypeMismatch"
