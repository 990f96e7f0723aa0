"""QoS 0 PUBLISH packets without properties, from one protocol level to the other."""

from __future__ import annotations

from protocols.mqtt.fields import length_bytes


def to_level_5(data: bytes, start: int, body: int, end: int, count: int) -> bytes:
    """Return `count` packets of 3.1.1, of one topic and one size, as packets of 5.0."""
    return _translate(data, start, body, end, count, 0, b"\0")


def to_level_3_1_1(data: bytes, start: int, body: int, end: int, count: int) -> bytes:
    """Return `count` packets of 5.0, of one topic and one size and without properties, as packets of 3.1.1."""
    return _translate(data, start, body, end, count, 1, b"")


def _translate(data: bytes, start: int, body: int, end: int, count: int, skipped: int, properties: bytes) -> bytes:
    size = (end - start) // count
    topic_end = body + 2 + (data[body] << 8 | data[body + 1])
    topic = data[body:topic_end]
    payload = topic_end + skipped - start
    length = len(topic) + len(properties) + size - payload
    head = b"".join((data[start : start + 1], length_bytes(length), topic, properties))
    if count == 1:
        return head + data[start + payload : end]
    return b"".join([head + data[at + payload : at + size] for at in range(start, end, size)])
