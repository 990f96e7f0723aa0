"""From a packet to its bytes: everything that the server sends (chapter 3).

`level` is the protocol level of the client; reasons and properties are for 5.0 alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.mqtt.fields import length_bytes
from protocols.mqtt.packets import (
    CONNACK,
    DISCONNECT,
    LEVEL_3_1_1,
    LEVEL_5,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    SUCCESS,
    UNSUBACK,
    Message,
)
from protocols.mqtt.properties import (
    MESSAGE_EXPIRY_INTERVAL,
    NO_PROPERTIES,
    REASON_STRING,
    SUBSCRIPTION_IDENTIFIER,
    TOPIC_ALIAS,
    Properties,
)
from protocols.mqtt.property_codec import encode_properties


def connack(
    code: int = SUCCESS,
    *,
    session_present: bool = False,
    level: int = LEVEL_3_1_1,
    properties: Properties = NO_PROPERTIES,
) -> bytes:
    """Encode the answer to a CONNECT: a return code of 3.1.1 or a reason code of 5.0."""
    if level < LEVEL_5:
        return bytes((CONNACK << 4, 2, session_present, code))
    return _packet(CONNACK << 4, bytes((session_present, code)) + encode_properties(properties))


def publish(
    message: Message,
    packet_id: int = 0,
    *,
    dup: bool = False,
    level: int = LEVEL_3_1_1,
    expiry: int | None = None,
    identifiers: Sequence[int] = (),
    alias: int = 0,
    bare: bool = False,
) -> bytes:
    """Encode a message; `packet_id` is 0 with QoS 0 and only then [MQTT-2.3.1-5] [MQTT5-2.2.1-2].

    `bare` leaves the topic name to the alias.
    """
    topic = message.topic.encode()
    payload = message.payload
    qos = message.qos
    head = PUBLISH << 4 | dup << 3 | qos << 1 | message.retain
    middle = packet_id.to_bytes(2, "big") if qos else b""
    if level >= LEVEL_5:
        if bare:
            topic = b""
        if message.properties or alias or identifiers or expiry is not None:
            middle += _publish_properties(message.properties, expiry, identifiers, alias)
        else:
            middle += b"\0"
    length = 2 + len(topic) + len(middle) + len(payload)
    fixed = bytes((head, length)) if length < 128 else bytes((head,)) + length_bytes(length)
    return b"".join((fixed, len(topic).to_bytes(2, "big"), topic, middle, payload))


def _publish_properties(forwarded: bytes, expiry: int | None, identifiers: Sequence[int], alias: int) -> bytes:
    parts: list[bytes] = []
    if expiry is not None:  # [MQTT5-3.3.2-6]
        parts += bytes((MESSAGE_EXPIRY_INTERVAL,)), expiry.to_bytes(4, "big")
    if alias:
        parts += bytes((TOPIC_ALIAS,)), alias.to_bytes(2, "big")
    for identifier in identifiers:  # [MQTT5-3.3.4-3] [MQTT5-3.3.4-4]
        parts += bytes((SUBSCRIPTION_IDENTIFIER,)), length_bytes(identifier)
    # Unaltered, in order [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]
    parts.append(forwarded)
    return length_bytes(sum(map(len, parts))) + b"".join(parts)


def puback(
    packet_id: int, reason: int = SUCCESS, *, level: int = LEVEL_3_1_1, reason_string: str = "", limit: int = 0
) -> bytes:
    """Encode the answer to a QoS 1 PUBLISH [MQTT-4.3.2-2] [MQTT5-4.3.2-4]."""
    if not reason or level < LEVEL_5:
        return _short(PUBACK << 4, packet_id)
    return _acknowledgement(PUBACK << 4, packet_id, reason, reason_string, limit)


def pubrec(
    packet_id: int, reason: int = SUCCESS, *, level: int = LEVEL_3_1_1, reason_string: str = "", limit: int = 0
) -> bytes:
    """Encode the answer to a QoS 2 PUBLISH [MQTT-4.3.3-2] [MQTT5-4.3.3-8]."""
    if not reason or level < LEVEL_5:
        return _short(PUBREC << 4, packet_id)
    return _acknowledgement(PUBREC << 4, packet_id, reason, reason_string, limit)


def pubrel(
    packet_id: int, reason: int = SUCCESS, *, level: int = LEVEL_3_1_1, reason_string: str = "", limit: int = 0
) -> bytes:
    """Encode the answer to a PUBREC [MQTT-3.6.1-1] [MQTT5-3.6.1-1]."""
    if not reason or level < LEVEL_5:
        return _short(PUBREL << 4 | 2, packet_id)
    return _acknowledgement(PUBREL << 4 | 2, packet_id, reason, reason_string, limit)


def pubcomp(
    packet_id: int, reason: int = SUCCESS, *, level: int = LEVEL_3_1_1, reason_string: str = "", limit: int = 0
) -> bytes:
    """Encode the answer to a PUBREL [MQTT5-4.3.3-11]."""
    if not reason or level < LEVEL_5:
        return _short(PUBCOMP << 4, packet_id)
    return _acknowledgement(PUBCOMP << 4, packet_id, reason, reason_string, limit)


def suback(packet_id: int, codes: bytes, *, level: int = LEVEL_3_1_1, reason_string: str = "", limit: int = 0) -> bytes:
    """Encode the answer to a SUBSCRIBE: one code for each filter, in order [MQTT-3.8.4-5] [MQTT5-3.8.4-6]."""
    identifier = packet_id.to_bytes(2, "big")
    if level < LEVEL_5:
        return _packet(SUBACK << 4, identifier + codes)
    return _explained(SUBACK << 4, identifier, reason_string, limit, codes)


def unsuback(
    packet_id: int, codes: bytes = b"", *, level: int = LEVEL_3_1_1, reason_string: str = "", limit: int = 0
) -> bytes:
    """Encode the answer to an UNSUBSCRIBE [MQTT-3.10.4-4], in 5.0 with a code for each filter [MQTT5-3.11.3-1]."""
    if level < LEVEL_5:
        return _short(UNSUBACK << 4, packet_id)
    return _explained(UNSUBACK << 4, packet_id.to_bytes(2, "big"), reason_string, limit, codes)


def disconnect(reason: int, reason_string: str = "", *, limit: int = 0) -> bytes:
    """Encode why the server closes the connection, for clients of 5.0 alone [MQTT5-3.14.0-1] [MQTT5-3.14.2-1]."""
    if not reason_string:
        return bytes((DISCONNECT << 4, 1, reason))
    return _explained(DISCONNECT << 4, bytes((reason,)), reason_string, limit)


PINGRESP_PACKET = bytes((PINGRESP << 4, 0))


def _acknowledgement(head: int, packet_id: int, reason: int, reason_string: str, limit: int) -> bytes:
    if not reason_string:
        return bytes((head, 3, packet_id >> 8, packet_id & 255, reason))
    return _explained(head, bytes((packet_id >> 8, packet_id & 255, reason)), reason_string, limit)


def _short(head: int, packet_id: int) -> bytes:
    return bytes((head, 2, packet_id >> 8, packet_id & 255))


def _explained(head: int, start: bytes, reason_string: str, limit: int, end: bytes = b"") -> bytes:
    """Encode a packet with a reason string, if there is one and the client takes so much in a packet.

    [MQTT5-3.4.2-2] [MQTT5-3.5.2-2] [MQTT5-3.6.2-2] [MQTT5-3.7.2-2] [MQTT5-3.9.2-1] [MQTT5-3.11.2-1] [MQTT5-3.14.2-3]
    """
    if reason_string:
        packet = _packet(head, start + encode_properties({REASON_STRING: reason_string}) + end)
        if not limit or len(packet) <= limit:
            return packet
    return _packet(head, start + b"\0" + end)


def _packet(head: int, body: bytes) -> bytes:
    return b"".join((bytes((head,)), length_bytes(len(body)), body))
