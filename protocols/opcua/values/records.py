"""How nodes, values and history are written to a file: numbered records with a checksum.

A record is a CRC-32 of the rest, a kind, and its fields; values are as in the protocol's own binary encoding (Part 6).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary

from protocols.opcua.values.kinds import Kind

_SUM = struct.Struct("<I")
_HEAD = struct.Struct("<BqQBbI")  # kind of record, integration, writes, built-in type, rank, bytes of the name
_SIZE = struct.Struct("<I")

VARIABLE, FOLDER, RING = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Record:
    """A node, or the history of one."""

    what: int
    integration_id: int
    name: str
    writes: int = 0
    kind: Kind | None = None
    values: Iterable[ua.DataValue] = ()  # one of a variable; of a history all, oldest first


def encode(record: Record) -> bytes:
    """Return the bytes of a record."""
    name = record.name.encode()
    kind = record.kind or Kind(ua.VariantType.Null)
    head = _HEAD.pack(
        record.what, record.integration_id, record.writes, kind.type.value, min(kind.rank, 127), len(name)
    )
    body = b"".join([head, name, *_encode_values(record.values)])
    return _SUM.pack(zlib.crc32(body)) + body


def _encode_values(values: Iterable[ua.DataValue]) -> Iterator[bytes]:
    for value in values:
        encoded = ua_binary.struct_to_binary(value)
        yield _SIZE.pack(len(encoded))
        yield encoded


def is_whole(number: int, data: bytes) -> bool:
    """Say whether a record is as it was written."""
    return len(data) >= _SUM.size + _HEAD.size and _SUM.unpack_from(data)[0] == zlib.crc32(data[_SUM.size :])


def decode(data: bytes) -> Record:
    """Return what a whole record says."""
    what, integration_id, writes, type_number, rank, length = _HEAD.unpack_from(data, _SUM.size)
    start = _SUM.size + _HEAD.size
    name = data[start : start + length].decode()
    kind = Kind(ua.VariantType(type_number), rank) if type_number else None
    return Record(what, integration_id, name, writes, kind, tuple(_decode_values(data, start + length)))


def _decode_values(data: bytes, position: int) -> Iterator[ua.DataValue]:
    while position < len(data):
        (size,) = _SIZE.unpack_from(data, position)
        position += _SIZE.size
        yield ua_binary.struct_from_binary(ua.DataValue, Buffer(data[position : position + size]))
        position += size
