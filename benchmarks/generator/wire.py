"""The packets of MQTT 3.1.1 and 5.0 that the load sends."""

from __future__ import annotations

LEVEL_3_1_1, LEVEL_5 = 4, 5
PUBACK, PUBREC, PUBREL, PUBCOMP = b"\x40", 0x50, 0x62, 0x70  # first bytes
ACK_SIZE = 4  # bytes of PUBACK, PUBREC, PUBREL and PUBCOMP
PINGREQ, PINGRESP = bytes([0xC0, 0]), bytes([0xD0, 0])
DISCONNECT = bytes([0xE0, 0])

_CLEAN_SESSION, _WILL, _WILL_RETAIN, _PASSWORD, _USERNAME = 0x02, 0x04, 0x20, 0x40, 0x80


def connect(
    client_id: str,
    username: str,
    password: str,
    *,
    level: int = LEVEL_3_1_1,
    clean: bool = True,
    keep_alive: int = 0,
    will: tuple[str, str] | None = None,
) -> bytes:
    """Return CONNECT; a Will, a topic and a payload, is retained."""
    flags = _CLEAN_SESSION * clean | _PASSWORD | _USERNAME | (_WILL | _WILL_RETAIN if will else 0)
    head = _string("MQTT") + bytes([level, flags]) + keep_alive.to_bytes(2, "big") + _no_properties(level)
    said = b"".join((_no_properties(level), *map(_string, will))) if will else b""
    return _packet(0x10, head + _string(client_id) + said + _string(username) + _string(password))


def accepted(data: bytes) -> int:
    """Return where the CONNACK at the start ends, 0 while it is incomplete, -1 when it is none or refuses."""
    if data[0] != 0x20 or len(data) > 3 and data[3]:
        return -1
    size = 2 + data[1] if len(data) > 3 else 0  # that it is shorter than 128 bytes holds for every broker here
    return size if size <= len(data) else 0


def subscribe(filters: list[str], qos: int, *, level: int = LEVEL_3_1_1) -> bytes:
    """Return SUBSCRIBE with packet identifier 1."""
    wanted = b"".join(_string(text) + bytes([qos]) for text in filters)
    return _packet(0x82, b"\x00\x01" + _no_properties(level) + wanted)


def suback(count: int, qos: int, *, level: int = LEVEL_3_1_1) -> bytes:
    """Return the SUBACK that grants all filters what they ask for."""
    return _packet(0x90, b"\x00\x01" + _no_properties(level) + bytes([qos]) * count)


def publish(
    topic: str, payload: bytes, qos: int = 0, packet_id: int = 0, *, level: int = LEVEL_3_1_1, retain: bool = False
) -> bytes:
    """Return PUBLISH."""
    identifier = packet_id.to_bytes(2, "big") if qos else b""
    return _packet(0x30 | qos << 1 | retain, b"".join((_string(topic), identifier, _no_properties(level), payload)))


def pubacks(publishes: bytes, size: int, id_at: int) -> bytes:
    """Return a PUBACK for each of many PUBLISH packets of one size; `id_at` is where their identifier is."""
    count = len(publishes) // size
    acks = bytearray(ACK_SIZE * count)
    acks[0::4] = b"\x40" * count
    acks[1::4] = b"\x02" * count
    acks[2::4] = publishes[id_at::size]
    acks[3::4] = publishes[id_at + 1 :: size]
    return bytes(acks)


def _no_properties(level: int) -> bytes:
    return b"\x00" if level == LEVEL_5 else b""


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
