"""Read and Write decoded and encoded by hand mean what asyncua's codec says that they mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import nodeid_from_binary, nodeid_to_binary, struct_from_binary, struct_to_binary

from protocols.opcua import quick
from protocols.opcua.decoding import Bounded
from tests.protocols.opcua.opcua_wire import NOW

TOKEN = ua.NodeId(bytes(range(32)), 0, ua.NodeIdType.ByteString)
ENCODED = nodeid_to_binary(TOKEN)
TEXT = ua.NodeId("ada/a/ä", 2)
_T = ua.VariantType
SCALARS = [
    (_T.Boolean, True),
    (_T.SByte, -128),
    (_T.Byte, 255),
    (_T.Int16, -1),
    (_T.UInt16, 65_535),
    (_T.Int32, -(2**31)),
    (_T.UInt32, 2**32 - 1),
    (_T.Int64, -(2**63)),
    (_T.UInt64, 2**64 - 1),
    (_T.Float, 0.5),
    (_T.Double, 1e300),
]
TIMES = [None, NOW, datetime(1601, 1, 1, tzinfo=UTC), datetime(2030, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)]


def body_of(request: Any) -> bytes:
    request.RequestHeader.AuthenticationToken = TOKEN
    request.RequestHeader.RequestHandle = 77
    return bytes(struct_to_binary(request))


def read_of(*asked: ua.ReadValueId, times: ua.TimestampsToReturn = ua.TimestampsToReturn.Both) -> bytes:
    request = ua.ReadRequest()
    request.Parameters = ua.ReadParameters(5.0, times, list(asked))
    return body_of(request)


def write_of(*asked: ua.WriteValue) -> bytes:
    request = ua.WriteRequest()
    request.Parameters.NodesToWrite = list(asked)
    return body_of(request)


def by_asyncua(body: bytes, kind: Any) -> Any:
    buffer = Bounded(body, 100_000)
    nodeid_from_binary(buffer)
    struct_from_binary(ua.RequestHeader, buffer)
    return struct_from_binary(kind, buffer)


def value_id(node_id: ua.NodeId = TEXT, attribute: int = 13, **fields: Any) -> ua.ReadValueId:
    return ua.ReadValueId(NodeId=node_id, AttributeId=attribute, **fields)


def values() -> Iterator[ua.DataValue]:
    for kind, content in SCALARS:
        yield ua.DataValue(ua.Variant(content, kind))
    for time in TIMES:
        for code in (None, ua.StatusCode(), ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue)):
            yield ua.DataValue(ua.Variant(2.5, _T.Double), code, time, NOW)
            yield ua.DataValue(ua.Variant(2, _T.Int16), code, None, time)


OTHER_VALUES = [
    ua.DataValue(ua.Variant([1.0, 2.0], _T.Double)),
    ua.DataValue(ua.Variant("text", _T.String)),
    ua.DataValue(ua.Variant(None, _T.Null)),
    ua.DataValue(ua.Variant(NOW, _T.DateTime)),
    ua.DataValue(ua.Variant(1, _T.Int32), SourceTimestamp=NOW, SourcePicoseconds=7),
    ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNoData)),
]


@pytest.mark.parametrize("times", list(ua.TimestampsToReturn)[:4])
def test_a_read_is_decoded_as_asyncua_does(times: ua.TimestampsToReturn) -> None:
    asked = [value_id(), value_id(ua.NodeId(2258, 0), 13), value_id(ua.NodeId("", 3), 1)]
    body = read_of(*asked, times=times)
    request = quick.decode(body, ENCODED)
    assert request is not None
    assert request.handle == 77
    assert request.reads == by_asyncua(body, ua.ReadParameters)
    assert [type(one.NodeId.Identifier) for one in request.reads.NodesToRead] == [str, int, str]


@pytest.mark.parametrize("value", list(values()), ids=repr)
def test_a_write_is_decoded_as_asyncua_does(value: ua.DataValue) -> None:
    one = ua.WriteValue(NodeId=TEXT, AttributeId=13, Value=value)
    body = write_of(one, one)
    request = quick.decode(body, ENCODED)
    assert request is not None
    assert request.writes == by_asyncua(body, ua.WriteParameters)


@pytest.mark.parametrize("value", [*values(), *OTHER_VALUES], ids=repr)
def test_a_value_is_encoded_as_asyncua_does(value: ua.DataValue) -> None:
    assert quick.data_value(value) == struct_to_binary(value)


def test_answers_are_encoded_as_asyncua_does() -> None:
    header = ua.ResponseHeader(Timestamp=NOW, RequestHandle=77)
    found = [*values(), *OTHER_VALUES]
    wanted = struct_to_binary(ua.ReadResponse(ResponseHeader=header, Results=found))
    assert quick.answer_read(77, found, NOW) == wanted
    codes = [ua.StatusCode(), ua.StatusCode(ua.StatusCodes.BadNotWritable)]
    wanted = struct_to_binary(ua.WriteResponse(ResponseHeader=header, Results=codes))
    assert quick.answer_write(77, codes, NOW) == wanted


@pytest.mark.parametrize(
    "asked",
    [
        value_id(IndexRange="0:1"),
        value_id(DataEncoding=ua.QualifiedName("Default Binary", 0)),
        value_id(ua.NodeId(70_000, 2)),
        value_id(ua.NodeId(b"opaque", 2)),
    ],
    ids=repr,
)
def test_a_read_of_another_shape_is_left_to_asyncua(asked: ua.ReadValueId) -> None:
    assert quick.decode(read_of(value_id(), asked), ENCODED) is None


@pytest.mark.parametrize("value", OTHER_VALUES, ids=repr)
def test_a_write_of_another_shape_is_left_to_asyncua(value: ua.DataValue) -> None:
    assert quick.decode(write_of(ua.WriteValue(TEXT, 13, None, value)), ENCODED) is None


def test_the_token_of_another_session_is_left_to_who_refuses_it() -> None:
    assert quick.decode(read_of(value_id()), nodeid_to_binary(ua.NodeId(bytes(32), 0))) is None


@pytest.mark.parametrize("body", [read_of(value_id()), write_of(ua.WriteValue(TEXT, 13, None, next(values())))])
def test_a_request_that_is_cut_off_or_too_long_is_left_to_asyncua(body: bytes) -> None:
    assert all(quick.decode(body[:size], ENCODED) is None for size in range(len(body)))
    assert quick.decode(body + b"\x00", ENCODED) is None


@pytest.mark.parametrize("count", [-1, 0, 1_001, 2**31 - 1])
@pytest.mark.parametrize("kind", ["read", "write"])
def test_counts_that_cannot_be_are_left_to_asyncua(kind: str, count: int) -> None:
    one = ua.WriteValue(TEXT, 13, None, next(values()))
    body, at = (read_of(value_id()), 12) if kind == "read" else (write_of(one), 0)
    at += 4 + len(ENCODED) + 8 + 4 + 4 + 4 + 4 + 3
    assert body[at : at + 4] == b"\x01\x00\x00\x00"
    changed = body[:at] + count.to_bytes(4, "little", signed=True) + body[at + 4 :]
    assert quick.decode(changed, ENCODED) is None
