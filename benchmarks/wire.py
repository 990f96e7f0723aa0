"""The packets of MQTT 3.1.1 that the load sends."""

from __future__ import annotations

ACCEPTED = bytes([0x20, 2, 0, 0])  # CONNACK of a new session
PUBACK_SIZE = 4

_CLEAN_SESSION, _PASSWORD, _USERNAME = 0x02, 0x40, 0x80


def connect(client_id: str, username: str, password: str) -> bytes:
    """Return CONNECT with a clean session and without keep alive."""
    flags = _CLEAN_SESSION | _PASSWORD | _USERNAME
    strings = b"".join(_string(text) for text in (client_id, username, password))
    return _packet(0x10, _string("MQTT") + bytes([4, flags, 0, 0]) + strings)


def subscribe(topic_filter: str, qos: int) -> bytes:
    """Return SUBSCRIBE with packet identifier 1."""
    return _packet(0x82, b"\x00\x01" + _string(topic_filter) + bytes([qos]))


def publish(topic: str, payload: bytes, qos: int = 0, packet_id: int = 0) -> bytes:
    """Return PUBLISH of QoS 0 or 1."""
    identifier = packet_id.to_bytes(2, "big") if qos else b""
    return _packet(0x30 | qos << 1, _string(topic) + identifier + payload)


def pubacks(publishes: bytes, size: int, id_at: int) -> bytes:
    """Return a PUBACK for each of many PUBLISH packets of one size; `id_at` is where their identifier is."""
    count = len(publishes) // size
    acks = bytearray(PUBACK_SIZE * count)
    acks[0::4] = b"\x40" * count
    acks[1::4] = b"\x02" * count
    acks[2::4] = publishes[id_at::size]
    acks[3::4] = publishes[id_at + 1 :: size]
    return bytes(acks)


def _packet(head: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, low = divmod(length, 128)
        encoded.append(low | (128 if length else 0))
        if not length:
            return bytes([head]) + bytes(encoded) + body


def _string(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
