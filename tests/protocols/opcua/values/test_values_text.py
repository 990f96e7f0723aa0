"""Values as the portal shows them, and as an account types them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from asyncua import ua

from protocols.opcua.values import text
from protocols.opcua.values.errors import Unreadable
from protocols.opcua.values.kinds import Kind, kind_of

T = ua.VariantType

# A type, what is typed, the value, and how it is shown.
ROUND = [
    ("Boolean", "true", True, "true"),
    ("Boolean", "0", False, "false"),
    ("SByte", "-128", -128, "-128"),
    ("UInt64", str(2**64 - 1), 2**64 - 1, str(2**64 - 1)),
    ("Float", "0.5", 0.5, "0.5"),
    ("Double", "0.1", 0.1, "0.1"),
    ("Double", "1e300", 1e300, "1e+300"),
    ("Double", "nan", None, "nan"),
    ("String", "a, b", "a, b", "a, b"),
    ("String", "", "", ""),
    ("DateTime", "2026-01-02T03:04:05.678Z", datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC), "2026-01-02T03:04:05.678Z"),
    ("DateTime", "2026-01-02 03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00.000Z"),
    ("DateTime", "2026-01-02T03:00+02:00", datetime(2026, 1, 2, 1, tzinfo=UTC), "2026-01-02T01:00:00.000Z"),
    ("Guid", str(UUID(int=1)), UUID(int=1), str(UUID(int=1))),
    ("ByteString", "0x00ff", b"\0\xff", "0x00ff"),
    ("ByteString", "AP8=", b"\0\xff", "0x00ff"),
    ("LocalizedText", "hallo", ua.LocalizedText("hallo"), "hallo"),
    ("Int32[]", "[1, 2]", [1, 2], "[1, 2]"),
    ("Int32[]", "", [], "[]"),
    ("String[]", '["a", "b"]', ["a", "b"], "[a, b]"),
    ("Boolean[]", "[true, false]", [True, False], "[true, false]"),
]


@pytest.mark.parametrize(("type_name", "typed", "value", "shown"), ROUND)
def test_what_is_typed_becomes_a_value_that_is_shown(type_name: str, typed: str, value: object, shown: str) -> None:
    variant = text.parse(type_name, typed)
    assert variant.Value == value or value is None
    assert text.name_of(kind_of(variant)) == type_name
    assert text.show(variant) == shown


@pytest.mark.parametrize(
    ("type_name", "typed"),
    [
        ("Nothing", "1"), ("", "1"), ("ExtensionObject", "1"), ("Double[][]", "[[1]]"), ("Boolean", "yes"),
        ("Int16", "32768"), ("Byte", "-1"), ("UInt64", str(2**64)), ("Int64", str(-(2**63) - 1)), ("Int32", "1.5"),
        ("Int32", ""), ("Float", "1e39"), ("Double", "1,5"), ("DateTime", "yesterday"), ("Guid", "x"),
        ("ByteString", "0xf"), ("ByteString", "?"), ("Int32[]", "1"), ("Int32[]", "[1"), ("Int32[]", "[[1]]"),
        ("Int32[]", '["x"]'), ("Int32[]", "{}"), ("Int32", "9" * 5_000),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_refused(type_name: str, typed: str) -> None:
    with pytest.raises(Unreadable):
        text.parse(type_name, typed)


@pytest.mark.parametrize(
    ("variant", "shown"),
    [
        (ua.Variant(), ""),
        (ua.Variant(None, T.String), ""),
        (ua.Variant([[1, 2], [3, 4]], T.Int32), "[[1, 2], [3, 4]]"),
        (ua.Variant([None, "a"], T.String), "[null, a]"),
        (ua.Variant("\udcff", T.String), "?"),
        (ua.Variant(ua.NodeId("x", 2)), "ns=2;s=x"),
        (ua.Variant(ua.QualifiedName("x", 2)), "2:x"),
        (ua.Variant(ua.StatusCode(0x80000000)), "Bad"),
        (ua.Variant(ua.ExtensionObject(ua.NodeId(7, 3), b"\1")), "ns=3;i=7 0x01"),
        (ua.Variant(ua.Range(1.0, 2.0)), "Range"),
        (ua.Variant(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))), "2026-01-01T00:00:00.000Z"),
    ],
)
def test_values_that_cannot_be_typed_are_shown(variant: ua.Variant, shown: str) -> None:
    assert text.show(variant) == shown


@pytest.mark.parametrize("content", ["x" * 10**6, b"x" * 10**6, [1] * 10**6, [["x" * 1_000] * 1_000] * 10])
def test_a_long_value_is_shown_in_short(content: object) -> None:
    shown = text.show(ua.Variant(content))
    assert len(shown) == text.LONGEST and shown.endswith("…")


def test_a_type_that_is_unknown_has_no_name() -> None:
    assert text.name_of(None) == ""
    assert text.name_of(Kind(T.Double, 2)) == "Double[][]"
