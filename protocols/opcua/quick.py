"""Read and Write by hand (OPC 10000-6, section 5.2), where asyncua's codec would cost more than everything else.

Only the shape that clients send a thousand times a second is known here: nodes named by a number or a text, whole
values in their default encoding, scalars without picoseconds.  For whatever else a function returns None, or leaves a
value to asyncua, whose codec means the same.  Bytes in, parameters out, and back; nothing is kept.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any, NamedTuple

from asyncua import ua
from asyncua.ua import ua_binary

READ = b"\x01\x00" + struct.pack("<H", ua.ObjectIds.ReadRequest_Encoding_DefaultBinary)
WRITE = b"\x01\x00" + struct.pack("<H", ua.ObjectIds.WriteRequest_Encoding_DefaultBinary)
KINDS = frozenset({READ, WRITE})

_READ_RESPONSE = b"\x01\x00" + struct.pack("<H", ua.ObjectIds.ReadResponse_Encoding_DefaultBinary)
_WRITE_RESPONSE = b"\x01\x00" + struct.pack("<H", ua.ObjectIds.WriteResponse_Encoding_DefaultBinary)
_KIND = 4  # bytes
_NONE = b"\x00\x00\x00"  # no additional header
_MOST = 1_000  # operations

_HEADER = struct.Struct("<qIIiI3s")  # time, handle, diagnostics, length of the audit id, time-out hint, more
_ANSWER = struct.Struct("<4sqI12xi")  # kind, time, handle, Good and nothing else, how many results
_NO_DIAGNOSTICS = bytes(4)
_READ_HEAD = struct.Struct("<dIi")  # MaxAge, TimestampsToReturn, how many
_READ_REST = struct.Struct("<IiHi")  # AttributeId, lengths of IndexRange and, after a namespace, of DataEncoding
_WRITE_REST = struct.Struct("<IiBB")  # AttributeId, length of IndexRange, masks of the DataValue and its Variant
_TEXT_ID = struct.Struct("<BHi")
_COUNT = struct.Struct("<i")
_CODE = struct.Struct("<I")
_TIME = struct.Struct("<q")

_VALUE, _STATUS, _SOURCE, _SERVER = 1, 2, 4, 8  # in the mask of a DataValue
_KNOWN = _VALUE | _STATUS | _SOURCE | _SERVER

_T = ua.VariantType
_SCALARS = {
    kind.value: (kind, struct.Struct(f"<{form}"), struct.Struct(f"<BB{form}"))
    for kind, form in {
        _T.Boolean: "?",
        _T.SByte: "b",
        _T.Byte: "B",
        _T.Int16: "h",
        _T.UInt16: "H",
        _T.Int32: "i",
        _T.UInt32: "I",
        _T.Int64: "q",
        _T.UInt64: "Q",
        _T.Float: "f",
        _T.Double: "d",
    }.items()
}
_TIMES = tuple(ua.TimestampsToReturn(number) for number in range(4))
_DEFAULT = ua.QualifiedName()  # DataEncoding
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_DAY, _SECOND = 864_000_000_000, 10_000_000  # of 100 ns
_YEARS = range(1602, 9999)


class Request(NamedTuple):
    """A request that was decoded."""

    handle: int
    reads: Any  # ReadParameters or None
    writes: Any  # WriteParameters or None


def decode(body: bytes, token: bytes) -> Request | None:
    """Return a Read or a Write in the session of this token, if it is a plain one."""
    kind = body[:_KIND]
    start = _KIND + len(token)
    if kind not in KINDS or body[_KIND:start] != token:
        return None
    try:
        _, handle, _, audit, _, more = _HEADER.unpack_from(body, start)
        if audit > 0 or more != _NONE:
            return None
        start += _HEADER.size
        if kind == READ:
            reads = _read(body, start)
            return Request(handle, reads, None) if reads is not None else None
        writes = _write(body, start)
        return Request(handle, None, writes) if writes is not None else None
    except (struct.error, ValueError):
        return None  # too short, or no text: asyncua's decoder says how it is wrong


def _read(body: bytes, at: int) -> Any:
    age, times, count = _READ_HEAD.unpack_from(body, at)
    if times >= len(_TIMES) or not 0 < count <= _MOST:
        return None
    at += _READ_HEAD.size
    asked = []
    for _ in range(count):
        node_id, at = _node_id(body, at)
        if node_id is None:
            return None
        attribute, part, namespace, encoding = _READ_REST.unpack_from(body, at)
        if part != -1 or namespace or encoding != -1:
            return None
        at += _READ_REST.size
        asked.append(ua.ReadValueId(node_id, attribute, None, _DEFAULT))
    return ua.ReadParameters(age, _TIMES[times], asked) if at == len(body) else None


def _write(body: bytes, at: int) -> Any:
    (count,) = _COUNT.unpack_from(body, at)
    if not 0 < count <= _MOST:
        return None
    at += _COUNT.size
    asked = []
    for _ in range(count):
        node_id, at = _node_id(body, at)
        if node_id is None:
            return None
        attribute, part, mask, kind = _WRITE_REST.unpack_from(body, at)
        if part != -1 or mask & ~_KNOWN or not mask & _VALUE or kind not in _SCALARS:
            return None
        value, at = _data_value(body, at + _WRITE_REST.size, mask, kind)
        asked.append(ua.WriteValue(node_id, attribute, None, value))
    return ua.WriteParameters(asked) if at == len(body) else None


def _data_value(body: bytes, at: int, mask: int, kind: int) -> tuple[Any, int]:
    variant_type, form, _ = _SCALARS[kind]
    (content,) = form.unpack_from(body, at)
    at += form.size
    value = ua.DataValue(ua.Variant(content, variant_type, None, False))
    if mask & _STATUS:
        value.StatusCode = ua.StatusCode(*_CODE.unpack_from(body, at))
        at += _CODE.size
    if mask & _SOURCE:
        value.SourceTimestamp = ua.win_epoch_to_datetime(*_TIME.unpack_from(body, at))
        at += _TIME.size
    if mask & _SERVER:
        value.ServerTimestamp = ua.win_epoch_to_datetime(*_TIME.unpack_from(body, at))
        at += _TIME.size
    return value, at


def _node_id(body: bytes, at: int) -> tuple[Any, int]:
    """Return a node id and where it ends; None for one of another kind."""
    kind = body[at : at + 1]
    if kind == b"\x03":
        _, namespace, length = _TEXT_ID.unpack_from(body, at)
        start = at + _TEXT_ID.size
        end = start + length
        if not start <= end <= len(body):
            return None, at
        return _made(body[start:end].decode("utf-8", "surrogateescape"), namespace, ua.NodeIdType.String), end
    if kind == b"\x01":
        namespace, number = struct.unpack_from("<BH", body, at + 1)
        return _made(number, namespace, ua.NodeIdType.FourByte), at + 4
    return None, at


def _made(identifier: str | int, namespace: int, kind: ua.NodeIdType) -> ua.NodeId:
    """Return a node id; its own constructor would look at length whether the two fit."""
    node_id = ua.NodeId.__new__(ua.NodeId)
    node_id.Identifier, node_id.NamespaceIndex, node_id.NodeIdType = identifier, namespace, kind
    return node_id


# --- answers


def answer_read(handle: int, results: list[ua.DataValue], now: datetime) -> bytes:
    """Return the body of a ReadResponse.  Raises what asyncua does for what cannot be encoded."""
    head = _ANSWER.pack(_READ_RESPONSE, file_time(now), handle, len(results))
    return b"".join((head, *map(data_value, results), _NO_DIAGNOSTICS))


def answer_write(handle: int, results: list[ua.StatusCode], now: datetime) -> bytes:
    """Return the body of a WriteResponse."""
    head = _ANSWER.pack(_WRITE_RESPONSE, file_time(now), handle, len(results))
    return b"".join((head, *(_CODE.pack(code.value) for code in results), _NO_DIAGNOSTICS))


def data_value(value: ua.DataValue) -> bytes:
    """Return a DataValue's bytes."""
    variant: Any = value.Value
    known = _SCALARS.get(variant.VariantType.value) if variant is not None and not variant.is_array else None
    if known is None or value.SourcePicoseconds is not None or value.ServerPicoseconds is not None:
        return bytes(ua_binary.struct_to_binary(value))
    mask, rest = _VALUE, b""
    status, source, server = value.StatusCode, value.SourceTimestamp, value.ServerTimestamp
    if status is not None:
        mask |= _STATUS
        rest = _CODE.pack(status.value)
    if source is not None:
        mask |= _SOURCE
        rest += _TIME.pack(file_time(source))
    if server is not None:
        mask |= _SERVER
        rest += _TIME.pack(file_time(server))
    try:
        return known[2].pack(mask, variant.VariantType.value, variant.Value) + rest
    except (struct.error, TypeError, OverflowError):
        return bytes(ua_binary.struct_to_binary(value))  # which says what is wrong with it


def file_time(time: datetime) -> int:
    """Return a time as OPC UA counts it: in 100 ns since 1601."""
    if time.tzinfo is not UTC or time.year not in _YEARS:
        return int(ua.datetime_to_win_epoch(time))
    since = time - _EPOCH
    return since.days * _DAY + since.seconds * _SECOND + since.microseconds * 10
