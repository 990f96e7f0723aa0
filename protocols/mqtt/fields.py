"""The data types that packets are made of (1.5), read from a body at a position."""

from __future__ import annotations

from protocols.mqtt.errors import MalformedPacket
from protocols.mqtt.topics import decode_utf8

_CUT = "a packet that ends in the middle of a field"


def byte(body: bytes, at: int) -> tuple[int, int]:
    if at >= len(body):
        raise MalformedPacket(_CUT)
    return body[at], at + 1


def two_bytes(body: bytes, at: int) -> tuple[int, int]:
    if at + 2 > len(body):
        raise MalformedPacket(_CUT)
    return body[at] << 8 | body[at + 1], at + 2


def four_bytes(body: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(body):
        raise MalformedPacket(_CUT)
    return int.from_bytes(body[at : at + 4], "big"), at + 4


def variable(body: bytes, at: int) -> tuple[int, int]:
    """Read a variable byte integer (5.0, 1.5.5)."""
    value = 0
    for shift in (0, 7, 14, 21):
        part, at = byte(body, at)
        value |= (part & 127) << shift
        if part < 128:
            if not part and shift:  # [MQTT5-1.5.5-1]
                raise MalformedPacket("a number in more bytes than it needs")
            return value, at
    raise MalformedPacket("a number of more than four bytes")


def binary(body: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    if start > len(body) or (end := start + (body[at] << 8 | body[at + 1])) > len(body):
        raise MalformedPacket(_CUT)
    return body[start:end], end


def string(body: bytes, at: int) -> tuple[str, int]:
    data, at = binary(body, at)
    return decode_utf8(data), at


def pair(body: bytes, at: int) -> tuple[tuple[str, str], int]:
    """Read a UTF-8 string pair [MQTT5-1.5.7-1]."""
    name, at = string(body, at)
    value, at = string(body, at)
    return (name, value), at


def packet_identifier(body: bytes, at: int) -> tuple[int, int]:
    packet_id, at = two_bytes(body, at)
    if not packet_id:  # [MQTT-2.3.1-1] [MQTT5-2.2.1-3]
        raise MalformedPacket("a packet identifier of 0")
    return packet_id, at


def check_used(body: bytes, at: int) -> None:
    if at != len(body):
        raise MalformedPacket("a packet with bytes after its end")


def length_bytes(length: int) -> bytes:
    """Encode a remaining length or another variable byte integer (2.2.3; 5.0: 1.5.5)."""
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)
