"""From the bytes of one packet to the packet: everything that a client may send (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable, Sized
from functools import lru_cache

from protocols.mqtt import packets
from protocols.mqtt.decode_connect import decode_connect
from protocols.mqtt.errors import MalformedPacket, PacketTooLarge, ProtocolViolation
from protocols.mqtt.fields import byte, check_used, packet_identifier, string, variable
from protocols.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    SUCCESS,
    Auth,
    Disconnect,
    Filter,
    Message,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)
from protocols.mqtt.properties import (
    MESSAGE_EXPIRY_INTERVAL,
    NO_PROPERTIES,
    SUBSCRIPTION_IDENTIFIER,
    TOPIC_ALIAS,
    Properties,
)
from protocols.mqtt.property_codec import decode_properties, forwarded
from protocols.mqtt.topics import check_filter, check_name, check_shared, decode_utf8, parse_shared

__all__ = ["decode", "decode_connect", "decode_publish"]

_MOST_FILTERS = 10_000  # in one packet
_KNOWN_SIZE = 64  # bytes of properties that are worth remembering

# The reason codes that a client may state, by packet type
_RECEIVED = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
_RELEASED = frozenset({0x00, 0x92})
_REASONS: dict[int, frozenset[int]] = {
    packets.PUBACK: _RECEIVED,  # [MQTT5-3.4.2-1]
    packets.PUBREC: _RECEIVED,  # [MQTT5-3.5.2-1]
    packets.PUBREL: _RELEASED,  # [MQTT5-3.6.2-1]
    packets.PUBCOMP: _RELEASED,  # [MQTT5-3.7.2-1]
    # [MQTT5-3.14.2-1]
    packets.DISCONNECT: frozenset({0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}),
    packets.AUTH: frozenset({packets.CONTINUE_AUTHENTICATION, packets.REAUTHENTICATE}),  # [MQTT5-3.15.2-1]
}

_Decoder = Callable[[int, bytes, int], Packet]


def decode(head: int, body: bytes, level: int = LEVEL_3_1_1) -> Packet:
    """Decode a packet from its first byte, which `packets.frames` has checked, and its body.

    Raises MalformedPacket or ProtocolViolation, and nothing else, for a body that the standard forbids.
    """
    return _DECODERS[head >> 4](head, body, level)


def decode_publish(head: int, body: bytes, level: int = LEVEL_3_1_1) -> Publish:
    """Decode a PUBLISH; read in place what `fields` would read, since there are many."""
    size = len(body)
    at = 2 + (body[0] << 8 | body[1]) if size > 1 else 2
    qos = head >> 1 & 3
    packet_id = 0
    name_end = at
    if qos:  # [MQTT-2.3.1-1] [MQTT5-2.2.1-2]
        at += 2
    if at > size:
        raise MalformedPacket("a PUBLISH that ends in the middle of a field")
    topic = decode_utf8(body[2:name_end])  # [MQTT-3.3.2-1] [MQTT5-3.3.2-1]
    if qos:
        packet_id, _ = packet_identifier(body, name_end)
    if level >= LEVEL_5:
        if at == size or body[at]:
            return _with_properties(head, body, topic, packet_id, at)
        at += 1
    message = Message(check_name(topic), body[at:], qos, bool(head & 1))
    return Publish(message, packet_id, bool(head & 8))


def _with_properties(head: int, body: bytes, topic: str, packet_id: int, at: int) -> Publish:
    """Decode a PUBLISH with properties.

    A payload is not compared with its payload format indicator: that is left open (3.3.2.3.2), and
    receivers that care look at it anyway.
    """
    length, start = variable(body, at)
    end = start + length
    read = _known_properties if length <= _KNOWN_SIZE else _publish_properties
    properties, expiry, alias = read(body[at:end])
    if topic or not alias:  # else the topic is what the alias stands for (3.3.2.3.4)
        check_name(topic)
    message = Message(topic, body[end:], head >> 1 & 3, bool(head & 1), properties)
    return Publish(message, packet_id, bool(head & 8), expiry, alias)


def _publish_properties(encoded: bytes) -> tuple[bytes, int | None, int]:
    """Return what is forwarded of a PUBLISH's properties, the message expiry interval and the topic alias."""
    stated, _ = decode_properties(packets.PUBLISH, encoded, 0)
    return forwarded(stated), stated.get(MESSAGE_EXPIRY_INTERVAL), stated.get(TOPIC_ALIAS, 0)


# A publisher's messages often have the same properties.
_known_properties = lru_cache(maxsize=1_024)(_publish_properties)


def _subscribe(head: int, body: bytes, level: int) -> Subscribe:
    packet_id, at = packet_identifier(body, 0)
    stated, at = _properties(packets.SUBSCRIBE, body, at, level)
    read = _filter if level < LEVEL_5 else _filter_5
    filters: list[Filter] = []
    while at < len(body):
        topic_filter, at = string(body, at)  # [MQTT-3.8.3-1] [MQTT5-3.8.3-1]
        options, at = byte(body, at)
        filters.append(read(topic_filter, options))
        _check_count(filters)
    if not filters:  # [MQTT-3.8.3-3] [MQTT5-3.8.3-2]
        raise _empty("SUBSCRIBE without a topic filter", level)
    return Subscribe(packet_id, tuple(filters), stated.get(SUBSCRIPTION_IDENTIFIER, 0))


def _filter(topic_filter: str, qos: int) -> Filter:
    if qos > 2:  # [MQTT-3.8.3-4]
        raise MalformedPacket("SUBSCRIBE asks for a QoS above 2")
    return Filter(check_filter(topic_filter), qos)


def _filter_5(topic_filter: str, options: int) -> Filter:
    """Read the subscription options (3.8.3.1)."""
    qos, no_local, handling = options & 3, bool(options & 4), options >> 4 & 3
    if options >> 6:  # [MQTT5-3.8.3-5]
        raise MalformedPacket("SUBSCRIBE with reserved subscription options")
    if qos > 2:
        raise ProtocolViolation("SUBSCRIBE asks for a QoS above 2")
    if handling > 2:
        raise ProtocolViolation("SUBSCRIBE with a retain handling of 3")
    if no_local and parse_shared(topic_filter)[0]:  # [MQTT5-3.8.3-4]
        raise ProtocolViolation("a shared subscription with No Local")
    return Filter(check_shared(topic_filter), qos, no_local, bool(options & 8), handling)


def _unsubscribe(head: int, body: bytes, level: int) -> Unsubscribe:
    packet_id, at = packet_identifier(body, 0)
    _, at = _properties(packets.UNSUBSCRIBE, body, at, level)
    check = check_filter if level < LEVEL_5 else check_shared
    filters: list[str] = []
    while at < len(body):
        topic_filter, at = string(body, at)  # [MQTT-3.10.3-1] [MQTT5-3.10.3-1]
        filters.append(check(topic_filter))
        _check_count(filters)
    if not filters:  # [MQTT-3.10.3-2] [MQTT5-3.10.3-2]
        raise _empty("UNSUBSCRIBE without a topic filter", level)
    return Unsubscribe(packet_id, tuple(filters))


def _acknowledgement(
    packet_type: int, kind: Callable[[int, int, Properties], Puback | Pubrec | Pubrel | Pubcomp]
) -> _Decoder:
    def decode_acknowledgement(head: int, body: bytes, level: int) -> Packet:
        packet_id, at = packet_identifier(body, 0)
        if at == len(body):
            return kind(packet_id, SUCCESS, NO_PROPERTIES)
        reason, stated = _reason(packet_type, body, at, level)
        return kind(packet_id, reason, stated)

    return decode_acknowledgement


def _pingreq(head: int, body: bytes, level: int) -> Pingreq:
    check_used(body, 0)
    return Pingreq()


def _disconnect(head: int, body: bytes, level: int) -> Disconnect:
    reason, stated = _reason(packets.DISCONNECT, body, 0, level)
    return Disconnect(reason, stated)


def _auth(head: int, body: bytes, level: int) -> Auth:
    reason, stated = _reason(packets.AUTH, body, 0, level)
    return Auth(reason, stated)


_DECODERS: dict[int, _Decoder] = {
    packets.CONNECT: lambda head, body, level: decode_connect(body),
    packets.PUBLISH: decode_publish,
    packets.PUBACK: _acknowledgement(packets.PUBACK, Puback),
    packets.PUBREC: _acknowledgement(packets.PUBREC, Pubrec),
    packets.PUBREL: _acknowledgement(packets.PUBREL, Pubrel),
    packets.PUBCOMP: _acknowledgement(packets.PUBCOMP, Pubcomp),
    packets.SUBSCRIBE: _subscribe,
    packets.UNSUBSCRIBE: _unsubscribe,
    packets.PINGREQ: _pingreq,
    packets.DISCONNECT: _disconnect,
    packets.AUTH: _auth,
}


def _reason(packet_type: int, body: bytes, at: int, level: int) -> tuple[int, Properties]:
    """Read a reason code and properties to the end of the packet; both may be left out in 5.0, and are in 3.1.1."""
    stated, reason = NO_PROPERTIES, SUCCESS
    if level >= LEVEL_5 and at < len(body):
        reason, at = byte(body, at)
        if at < len(body):
            stated, at = decode_properties(packet_type, body, at)
    check_used(body, at)
    if level >= LEVEL_5 and reason not in _REASONS[packet_type]:
        raise ProtocolViolation(f"a reason code of 0x{reason:02x} in packet type {packet_type}")
    return reason, stated


def _properties(packet_type: int, body: bytes, at: int, level: int) -> tuple[Properties, int]:
    return decode_properties(packet_type, body, at) if level >= LEVEL_5 else (NO_PROPERTIES, at)


def _empty(fact: str, level: int) -> MalformedPacket | ProtocolViolation:
    return MalformedPacket(fact) if level < LEVEL_5 else ProtocolViolation(fact)


def _check_count(filters: Sized) -> None:
    if len(filters) > _MOST_FILTERS:
        raise PacketTooLarge(f"a packet of more than {_MOST_FILTERS:,} topic filters")
