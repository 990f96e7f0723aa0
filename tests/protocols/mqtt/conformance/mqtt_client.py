"""Both versions as a client writes and reads them, written down apart from the broker's codec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mqtt_wire import packet, string

# The properties by their identifiers (5.0, section 2.2.2.2)
PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION = 0x01, 0x02, 0x03, 0x08, 0x09
SUBSCRIPTION_ID, SESSION_EXPIRY, ASSIGNED_ID, SERVER_KEEP_ALIVE = 0x0B, 0x11, 0x12, 0x13
AUTH_METHOD, AUTH_DATA, PROBLEM_INFORMATION, WILL_DELAY = 0x15, 0x16, 0x17, 0x18
RESPONSE_INFORMATION_WANTED, RESPONSE_INFORMATION, SERVER_REFERENCE, REASON_STRING = 0x19, 0x1A, 0x1C, 0x1F
RECEIVE_MAXIMUM, ALIAS_MAXIMUM, ALIAS, MAXIMUM_QOS, RETAIN_AVAILABLE, USER = 0x21, 0x22, 0x23, 0x24, 0x25, 0x26
MAXIMUM_PACKET, WILDCARDS, SUBSCRIPTION_IDS, SHARED = 0x27, 0x28, 0x29, 0x2A

_BYTES = (0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A)
_SIZES = {**dict.fromkeys(_BYTES, 1), 0x13: 2, 0x21: 2, 0x22: 2, 0x23: 2, 0x02: 4, 0x11: 4, 0x18: 4, 0x27: 4}
_BINARY = (CORRELATION, AUTH_DATA)

Properties = dict[int, Any]


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes((*encoded, value))


def encode_properties(values: Properties | None) -> bytes:
    """Encode properties with their length in front; a list holds several of one kind."""
    body = b""
    for key, value in (values or {}).items():
        for one in value if isinstance(value, list) else [value]:
            body += bytes((key,)) + _value(key, one)
    return varint(len(body)) + body


def _value(key: int, value: Any) -> bytes:
    if key in _SIZES:
        return int(value).to_bytes(_SIZES[key], "big")
    if key == SUBSCRIPTION_ID:
        return varint(value)
    if key == USER:
        return string(value[0]) + string(value[1])
    return string(value)


@dataclass(frozen=True)
class Will:
    topic: str | bytes
    payload: bytes = b"gone"
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=dict)


def connect(
    client_id: str | bytes = "c",
    level: int = 5,
    *,
    clean: bool = True,
    keep_alive: int = 0,
    will: Will | None = None,
    username: str | bytes | None = "ada",
    password: bytes | None = b"right",
    flags: int = 0,
    name: str = "MQTT",
    properties: Properties | None = None,
) -> bytes:
    """Encode CONNECT; `flags` are set besides those that the fields ask for."""
    encode = encode_properties if level == 5 else _nothing
    flags |= clean << 1
    payload = string(client_id)
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        payload += encode(will.properties) + string(will.topic) + string(will.payload)
    for flag, value in ((0x80, username), (0x40, password)):
        if value is not None:
            flags |= flag
            payload += string(value)
    head = string(name) + bytes((level, flags)) + keep_alive.to_bytes(2, "big") + encode(properties)
    return packet(0x10, head + payload)


def _nothing(values: Properties | None) -> bytes:
    """Encode the properties of a version that has none."""
    return b""


def publish(
    level: int,
    topic: str | bytes,
    payload: bytes = b"",
    qos: int = 0,
    packet_id: int = 1,
    *,
    retain: bool = False,
    dup: bool = False,
    properties: Properties | None = None,
) -> bytes:
    body = string(topic) + (packet_id.to_bytes(2, "big") if qos else b"")
    body += encode_properties(properties) if level == 5 else b""
    return packet(0x30 | dup << 3 | qos << 1 | retain, body + payload)


def subscribe(
    level: int, *filters: tuple[str | bytes, int], packet_id: int = 1, properties: Properties | None = None
) -> bytes:
    """Encode SUBSCRIBE: filters with their QoS, or with all options in one byte for 5.0."""
    body = packet_id.to_bytes(2, "big") + (encode_properties(properties) if level == 5 else b"")
    return packet(0x82, body + b"".join(string(wanted) + bytes((options,)) for wanted, options in filters))


def unsubscribe(level: int, *filters: str | bytes, packet_id: int = 1) -> bytes:
    body = packet_id.to_bytes(2, "big") + (b"\0" if level == 5 else b"")
    return packet(0xA2, body + b"".join(map(string, filters)))


_KINDS = {4: "PUBACK", 5: "PUBREC", 6: "PUBREL", 7: "PUBCOMP"}


def answer(kind: str, packet_id: int, reason: int = 0) -> bytes:
    """Encode PUBACK, PUBREC, PUBREL or PUBCOMP; a reason only where it is not success."""
    number = next(number for number, name in _KINDS.items() if name == kind)
    head = number << 4 | (2 if kind == "PUBREL" else 0)
    return packet(head, packet_id.to_bytes(2, "big") + (bytes((reason,)) if reason else b""))


def disconnect(reason: int = 0, values: Properties | None = None) -> bytes:
    if values is None:
        return packet(0xE0, bytes((reason,)) if reason else b"")
    return packet(0xE0, bytes((reason,)) + encode_properties(values))


@dataclass(frozen=True)
class Seen:
    """A packet from the server; what it does not have is empty."""

    kind: str
    packet_id: int = 0
    reason: int = 0
    codes: tuple[int, ...] = ()
    present: bool = False
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    dup: bool = False
    properties: Properties = field(default_factory=dict)
    size: int = field(default=0, compare=False)


def read(head: int, body: bytes, level: int) -> Seen:
    """Read a packet from the server, or fail at the first byte that should not be there."""
    cursor = _Cursor(body)
    seen = _READERS[head >> 4](head, cursor, level)
    assert cursor.at == len(body), f"{body[cursor.at :]!r} after the end of 0x{head:02x}"
    size = 1 + len(varint(len(body))) + len(body)
    return Seen(**{**seen, "size": size})


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        assert size <= self.left, "a packet that ends in the middle of a field"
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def properties(self) -> Properties:
        values: Properties = {}
        end = self.varint() + self.at
        while self.at < end:
            key = self.number(1)
            if key == USER:
                values.setdefault(USER, []).append((self.binary().decode(), self.binary().decode()))
            elif key == SUBSCRIPTION_ID:
                values.setdefault(key, []).append(self.varint())
            else:
                assert key not in values, f"property 0x{key:02x} twice"
                values[key] = self._single(key)
        assert self.at == end, "properties that end in the middle of one"
        return values

    def _single(self, key: int) -> Any:
        if key in _SIZES:
            return self.number(_SIZES[key])
        return self.binary() if key in _BINARY else self.binary().decode()


def _connack(head: int, cursor: _Cursor, level: int) -> dict[str, Any]:
    flags, reason = cursor.number(1), cursor.number(1)
    assert (head, flags & 0xFE) == (0x20, 0)
    values = cursor.properties() if level == 5 else {}
    return {"kind": "CONNACK", "present": bool(flags), "reason": reason, "properties": values}


def _publish(head: int, cursor: _Cursor, level: int) -> dict[str, Any]:
    topic, qos = cursor.binary().decode(), head >> 1 & 3
    seen = {"kind": "PUBLISH", "topic": topic, "qos": qos, "retain": bool(head & 1), "dup": bool(head & 8)}
    seen["packet_id"] = cursor.number(2) if qos else 0
    seen["properties"] = cursor.properties() if level == 5 else {}
    return {**seen, "payload": cursor.take(cursor.left)}


def _answer(head: int, cursor: _Cursor, level: int) -> dict[str, Any]:
    assert head & 15 == (2 if head >> 4 == 6 else 0)
    seen = {"kind": _KINDS[head >> 4], "packet_id": cursor.number(2)}
    return {**seen, **_reason(cursor, level)}


def _reason(cursor: _Cursor, level: int) -> dict[str, Any]:
    if level < 5 or not cursor.left:
        return {}
    reason = cursor.number(1)
    return {"reason": reason, "properties": cursor.properties() if cursor.left else {}}


def _codes(kind: str) -> Any:
    def read_codes(head: int, cursor: _Cursor, level: int) -> dict[str, Any]:
        assert head & 15 == 0
        seen: dict[str, Any] = {"kind": kind, "packet_id": cursor.number(2)}
        seen["properties"] = cursor.properties() if level == 5 else {}
        return {**seen, "codes": tuple(cursor.take(cursor.left))}

    return read_codes


def _disconnect(head: int, cursor: _Cursor, level: int) -> dict[str, Any]:
    assert (head, level) == (0xE0, 5)
    return {"kind": "DISCONNECT", **_reason(cursor, level)}


_READERS = {
    2: _connack,
    3: _publish,
    **dict.fromkeys(_KINDS, _answer),
    9: _codes("SUBACK"),
    11: _codes("UNSUBACK"),
    13: lambda *_: {"kind": "PINGRESP"},
    14: _disconnect,
    15: lambda _, cursor, level: {"kind": "AUTH", **_reason(cursor, level)},
}
