"""How the value of a topic is written to a file: a CRC-32 of the rest and of the record's number, and the fields."""

from __future__ import annotations

import math
import struct
import zlib

from protocols.hub.keeping import Kept
from protocols.hub.messages import Fields, Message

_SUM = struct.Struct("<I")
_HEAD = struct.Struct("<QdqdBH")  # number, time, integration, when it expires or NaN, retain flag, bytes of the topic
_START = _SUM.size + _HEAD.size


def encode(record: int, message: Fields, expires_at: float | None) -> bytes:
    """Return the bytes of a record."""
    number, topic, payload, retain, integration_id, time = message
    name = topic.encode()
    expiry = math.nan if expires_at is None else expires_at
    body = _HEAD.pack(number, time, integration_id, expiry, retain, len(name)) + name + payload
    return _SUM.pack(_sum(record, body)) + body


def is_whole(record: int, data: bytes) -> bool:
    """Say whether a record is as it was written."""
    return len(data) > _START and _SUM.unpack_from(data)[0] == _sum(record, data[_SUM.size :])


def decode(record: int, data: bytes) -> Kept:
    """Return what a whole record says."""
    number, time, integration_id, expiry, retain, length = _HEAD.unpack_from(data, _SUM.size)
    topic = data[_START : _START + length].decode()
    message = Message(number, topic, data[_START + length :], bool(retain), integration_id, time)
    return Kept(message, None if math.isnan(expiry) else expiry, record)


def _sum(record: int, body: bytes) -> int:
    return zlib.crc32(body, record & 0xFFFFFFFF)
