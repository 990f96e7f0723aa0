"""Values as payloads of messages, and payloads as values: the table of docs/values.md, both ways."""

from __future__ import annotations

import json
import math
import struct
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from protocols.hub import values
from protocols.opcua.values import kinds, payloads
from protocols.opcua.values.kinds import SCALAR, Kind, Type

V = ua.Variant
STRUCTURE = ua.ExtensionObject(ua.NodeId(7, 4), b"\x01\x02")


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (V(True, Type.Boolean), b"true"),
        (V(-5, Type.SByte), b"-5"),
        (V(2**64 - 1, Type.UInt64), b"18446744073709551615"),
        (V(21.5, Type.Double), b"21.5"),
        (V(1.0, Type.Double), b"1.0"),
        (V(0.1, Type.Double), b"0.1"),
        (V(struct.unpack("<f", struct.pack("<f", 0.1))[0], Type.Float), b"0.1"),
        (V(math.nan, Type.Double), b'"NaN"'),
        (V(-math.inf, Type.Float), b'"-Infinity"'),
        (V('Grüße "x"', Type.String), '"Grüße \\"x\\""'.encode()),
        (V(None, Type.String), b"null"),
        (V(datetime(2026, 11, 25, 12, 0, 0, 250_000, UTC), Type.DateTime), b'"2026-11-25T12:00:00.250000Z"'),
        (V(datetime(1601, 1, 1), Type.DateTime), b'"1601-01-01T00:00:00Z"'),
        (V(uuid.UUID(int=1), Type.Guid), b'"00000000-0000-0000-0000-000000000001"'),
        (V(b"\x00\xff", Type.ByteString), b"\x00\xff"),
        (V(ua.XmlElement("<a/>"), Type.XmlElement), b'"<a/>"'),
        (V(ua.NodeId("a;b=c", 2), Type.NodeId), b'"ns=2;s=a;b=c"'),
        (V(ua.NodeId(b"\x01", 0), Type.NodeId), b'"b=AQ=="'),
        (
            V(ua.ExpandedNodeId("a", 0, NamespaceUri="urn:x;y", ServerIndex=3), Type.ExpandedNodeId),
            b'"svr=3;nsu=urn:x%3By;s=a"',
        ),
        (V(ua.StatusCode(0x80350000), Type.StatusCode), b"2150957056"),
        (V(ua.QualifiedName("a:b", 2), Type.QualifiedName), b'"2:a:b"'),
        (V(ua.LocalizedText("hallo", "de"), Type.LocalizedText), b'{"Locale":"de","Text":"hallo"}'),
        (V(ua.LocalizedText("hallo"), Type.LocalizedText), b'{"Text":"hallo"}'),
        (V(STRUCTURE, Type.ExtensionObject), b'{"UaTypeId":"ns=4;i=7","UaEncoding":1,"UaBody":"AQI="}'),
        (V([1, 2], Type.Int32), b"[1,2]"),
        (V([[1, 2], [3, 4]], Type.Int32), b"[[1,2],[3,4]]"),
        (V([], Type.Double, is_array=True), b"[]"),
        (V([b"a", None], Type.ByteString), b'["YQ==",null]'),
        (V([math.nan], Type.Double), b'["NaN"]'),
    ],
    ids=lambda one: one.VariantType.name if isinstance(one, V) else "",
)
def test_a_value_is_written_as_the_table_says_and_read_back_by_a_node_of_its_kind(value: ua.Variant, payload: bytes):
    assert payloads.dump(value) == payload
    again = payloads.load(payload, kinds.kind_of(value))
    assert (again.VariantType, again.is_array, again.Dimensions) == (
        value.VariantType,
        value.is_array,
        value.Dimensions,
    )
    assert _comparable(again.Value) == _comparable(value.Value)


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return value


@pytest.mark.parametrize(
    ("payload", "variant_type", "value"),
    [
        (b"21", Type.Int64, 21),
        (b" 21 ", Type.Int64, 21),
        (b"9223372036854775807", Type.Int64, 2**63 - 1),
        (b"9223372036854775808", Type.Double, 2.0**63),
        (b"21.0", Type.Double, 21.0),
        (b"1e3", Type.Double, 1_000.0),
        (b"true", Type.Boolean, True),
        (b'"on"', Type.String, "on"),
        (b'{"a":[1]}', Type.String, '{"a":[1]}'),
        (b"[1,2]", Type.String, "[1,2]"),
        (b"null", Type.String, "null"),
        (b"1e400", Type.String, "1e400"),
        (b"NaN", Type.ByteString, b"NaN"),
        (b"on", Type.ByteString, b"on"),
        (b"", Type.ByteString, b""),
        (b"\xff", Type.ByteString, b"\xff"),
    ],
)
def test_a_payload_is_read_by_itself_as_the_table_says(payload: bytes, variant_type: ua.VariantType, value: Any):
    found = payloads.load(payload)
    assert (found.VariantType, found.Value) == (variant_type, value)


INT16, FLOAT, TEXT = Kind(Type.Int16), Kind(Type.Float), Kind(Type.String)


@pytest.mark.parametrize(
    ("payload", "kind", "becomes"),
    [
        (b"21", INT16, (Type.Int16, 21)),
        (b"21.0", INT16, (Type.Int16, 21)),
        (b"21.5", INT16, (Type.Double, 21.5)),
        (b"40000", INT16, (Type.Int64, 40_000)),
        (b"true", INT16, (Type.Boolean, True)),
        (b'"21"', INT16, (Type.String, "21")),
        (b"2", FLOAT, (Type.Float, 2.0)),
        (b"1e39", FLOAT, (Type.Double, 1e39)),
        (b'"NaN"', INT16, (Type.String, "NaN")),
        (b"1", Kind(Type.Boolean), (Type.Int64, 1)),
        (b"on", TEXT, (Type.String, "on")),
        (b"\xff", TEXT, (Type.ByteString, b"\xff")),
        (b"21", TEXT, (Type.Int64, 21)),
        (b"21", Kind(Type.ByteString), (Type.ByteString, b"21")),
        (b'"2026-11-25T12:00:00+01:00"', Kind(Type.DateTime), (Type.DateTime, datetime(2026, 11, 25, 11, tzinfo=UTC))),
        (b'"2026-11-25T12:00:00"', Kind(Type.DateTime), (Type.String, "2026-11-25T12:00:00")),
        (b'"1500-01-01T00:00:00Z"', Kind(Type.DateTime), (Type.String, "1500-01-01T00:00:00Z")),
        (b"[1,2.5]", Kind(Type.Double, 1), (Type.Double, [1.0, 2.5])),
        (b"[1,2.5]", Kind(Type.Int32, 1), (Type.String, "[1,2.5]")),
        (b"[1,null]", Kind(Type.Int32, 1), (Type.String, "[1,null]")),
        (b"[[1],[2,3]]", Kind(Type.Int32, 2), (Type.String, "[[1],[2,3]]")),
        (b"5", Kind(Type.Int32, 1), (Type.Int64, 5)),
        (b"5", Kind(Type.StatusCode), (Type.StatusCode, ua.StatusCode(5))),
        (b'"x"', Kind(Type.NodeId), (Type.String, "x")),
        (b'"i=99999999999"', Kind(Type.NodeId), (Type.String, "i=99999999999")),
        (b'"hallo"', Kind(Type.LocalizedText), (Type.LocalizedText, ua.LocalizedText("hallo"))),
        (b'{"Text":1}', Kind(Type.LocalizedText), (Type.String, '{"Text":1}')),
        (b'{"UaTypeId":"i=1"}', Kind(Type.ExtensionObject), (Type.String, '{"UaTypeId":"i=1"}')),
    ],
)
def test_a_payload_is_made_to_fit_a_node_or_else_says_its_own_type(payload: bytes, kind: Kind, becomes: Any):
    found = payloads.load(payload, kind)
    assert (found.VariantType, found.Value) == becomes


def test_a_structure_that_is_known_is_written_as_its_bytes():
    argument = ua.uaprotocol_auto.Argument(Name="x")
    found = json.loads(payloads.dump(V(argument, Type.ExtensionObject)))
    assert found["UaTypeId"] == "i=298"
    again = payloads.load(payloads.dump(V(argument, Type.ExtensionObject)), Kind(Type.ExtensionObject))
    assert again.Value == kinds.seal(V(argument, Type.ExtensionObject)).Value


def test_an_odd_hour_is_told_in_utc():
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert payloads.dump(V(moment, Type.DateTime)) == b'"2025-12-31T23:00:00Z"'


_INTEGERS = [
    (one, st.integers(low, high))
    for one, (low, high) in {
        Type.SByte: (-128, 127),
        Type.Byte: (0, 255),
        Type.Int16: (-(2**15), 2**15 - 1),
        Type.UInt16: (0, 2**16 - 1),
        Type.Int32: (-(2**31), 2**31 - 1),
        Type.UInt32: (0, 2**32 - 1),
        Type.Int64: (-(2**63), 2**63 - 1),
        Type.UInt64: (0, 2**64 - 1),
    }.items()
]
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_OTHERS = [
    (Type.Boolean, st.booleans()),
    (Type.Float, st.floats(width=32)),
    (Type.Double, st.floats()),
    (Type.String, _TEXT),
    (Type.ByteString, st.binary()),
    (Type.Guid, st.uuids()),
    (Type.DateTime, st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))),
    (Type.NodeId, st.builds(ua.NodeId, st.integers(0, 2**32 - 1) | _TEXT.filter(bool), st.integers(0, 65_535))),
    (Type.StatusCode, st.builds(ua.StatusCode, st.integers(0, 2**32 - 1))),
    (Type.QualifiedName, st.builds(ua.QualifiedName, _TEXT, st.integers(0, 32_767))),
    (Type.LocalizedText, st.builds(ua.LocalizedText, _TEXT, st.none() | _TEXT)),
]


@st.composite
def variants(draw: st.DrawFn) -> ua.Variant:
    variant_type, elements = draw(st.sampled_from(_INTEGERS + _OTHERS))
    if draw(st.booleans()):
        return V(draw(elements), variant_type)
    if draw(st.booleans()):
        return V(draw(st.lists(elements, max_size=5)), variant_type, is_array=True)
    rows = draw(st.lists(st.lists(elements, min_size=2, max_size=2), min_size=1, max_size=3))
    return V(rows, variant_type, [len(rows), 2], True)


@given(variants())
def test_whatever_is_written_is_read_back_the_same(value: ua.Variant):
    again = payloads.load(payloads.dump(value), kinds.kind_of(value))
    assert kinds.kind_of(again) == kinds.kind_of(value)
    assert _bits(again.Value) == _bits(value.Value)


def _bits(value: Any) -> Any:
    """Return what can be compared: every NaN is one."""
    if isinstance(value, list):
        return [_bits(one) for one in value]
    return "NaN" if isinstance(value, float) and math.isnan(value) else _comparable(value)


@given(variants())
def test_whatever_is_written_but_bytes_is_json(value: ua.Variant):
    if value.VariantType is not Type.ByteString or value.is_array:
        assert values.is_json(payloads.dump(value))


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), st.data())
def test_any_bytes_are_read_for_any_kind(payload: bytes, data: st.DataObject):
    variant_type = data.draw(st.sampled_from(sorted(kinds.KEPT)))
    kind = Kind(variant_type, data.draw(st.sampled_from([SCALAR, 1, 2])))
    assert kinds.measure(payloads.load(payload, kind)) >= 0
