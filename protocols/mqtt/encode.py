"""From a packet to its bytes: everything that the server sends (chapter 3)."""

from __future__ import annotations

from protocols.mqtt.packets import (
    CONNACK,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    UNSUBACK,
    Message,
)


def connack(code: int, *, session_present: bool = False) -> bytes:
    """Encode the answer to a CONNECT."""
    return bytes((CONNACK << 4, 2, session_present, code))


def publish(message: Message, packet_id: int = 0, *, dup: bool = False) -> bytes:
    """Encode a message; `packet_id` is 0 with QoS 0 and only then [MQTT-2.3.1-5]."""
    topic = message.topic.encode()
    payload = message.payload
    qos = message.qos
    head = PUBLISH << 4 | dup << 3 | qos << 1 | message.retain
    length = 2 + len(topic) + (2 if qos else 0) + len(payload)
    fixed = bytes((head, length)) if length < 128 else bytes((head,)) + _length(length)
    size = len(topic).to_bytes(2, "big")
    if qos:
        return b"".join((fixed, size, topic, packet_id.to_bytes(2, "big"), payload))
    return b"".join((fixed, size, topic, payload))


def puback(packet_id: int) -> bytes:
    """Encode the answer to a QoS 1 PUBLISH [MQTT-4.3.2-2]."""
    return _with_id(PUBACK << 4, packet_id)


def pubrec(packet_id: int) -> bytes:
    """Encode the answer to a QoS 2 PUBLISH [MQTT-4.3.3-2]."""
    return _with_id(PUBREC << 4, packet_id)


def pubrel(packet_id: int) -> bytes:
    """Encode the answer to a PUBREC [MQTT-3.6.1-1]."""
    return _with_id(PUBREL << 4 | 2, packet_id)


def pubcomp(packet_id: int) -> bytes:
    """Encode the answer to a PUBREL."""
    return _with_id(PUBCOMP << 4, packet_id)


def suback(packet_id: int, codes: bytes) -> bytes:
    """Encode the answer to a SUBSCRIBE: one code for each filter, in order [MQTT-3.8.4-5]."""
    head = bytes((SUBACK << 4,)) + _length(2 + len(codes))
    return head + packet_id.to_bytes(2, "big") + codes


def unsuback(packet_id: int) -> bytes:
    """Encode the answer to an UNSUBSCRIBE [MQTT-3.10.4-4]."""
    return _with_id(UNSUBACK << 4, packet_id)


PINGRESP_PACKET = bytes((PINGRESP << 4, 0))


def _with_id(head: int, packet_id: int) -> bytes:
    return bytes((head, 2, packet_id >> 8, packet_id & 255))


def _length(length: int) -> bytes:
    """Encode a remaining length (2.2.3)."""
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)
