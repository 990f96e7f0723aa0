"""From the bytes of one packet to the packet: everything that a client may send (chapter 3)."""

from __future__ import annotations

from collections.abc import Callable, Sized

from protocols.mqtt import packets
from protocols.mqtt.errors import MalformedPacket, PacketTooLarge
from protocols.mqtt.packets import (
    LEVEL_3_1_1,
    Connect,
    Disconnect,
    Message,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    UnknownConnect,
    Unsubscribe,
)
from protocols.mqtt.topics import check_filter, check_name, decode_utf8

_MOST_FILTERS = 10_000  # in one packet

# The flags of CONNECT (3.1.2.3)
_RESERVED, _CLEAN_SESSION, _WILL, _WILL_RETAIN = 0x01, 0x02, 0x04, 0x20
_PASSWORD, _USERNAME = 0x40, 0x80


def decode(head: int, body: bytes) -> Packet:
    """Decode a packet from its first byte, which `packets.frames` has checked, and its body.

    Raises MalformedPacket, and nothing else, for a body that the standard forbids.
    """
    return _DECODERS[head >> 4](head, body)


def decode_connect(body: bytes) -> Connect | UnknownConnect:
    name, at = _binary(body, 0)
    if name not in (b"MQTT", b"MQIsdp"):  # [MQTT-3.1.2-1]
        raise MalformedPacket("CONNECT of another protocol than MQTT")
    level = _byte(body, at)
    if level != LEVEL_3_1_1:  # answered by a CONNACK [MQTT-3.1.2-2]; its rest may look different
        return UnknownConnect(level)
    flags = _byte(body, at + 1)
    _check_connect_flags(flags)
    keep_alive, at = _integer(body, at + 2)
    client_id, at = _string(body, at)
    will, at = _will(flags, body, at) if flags & _WILL else (None, at)
    username, at = _string(body, at) if flags & _USERNAME else (None, at)
    password, at = _binary(body, at) if flags & _PASSWORD else (None, at)
    _check_used(body, at)
    return Connect(client_id, bool(flags & _CLEAN_SESSION), keep_alive, username, password, will, level)


def _check_connect_flags(flags: int) -> None:
    if flags & _RESERVED:  # [MQTT-3.1.2-3]
        raise MalformedPacket("the reserved flag of CONNECT is set")
    if flags >> 3 & 3 == 3:  # [MQTT-3.1.2-14]
        raise MalformedPacket("a Will of QoS 3")
    if not flags & _WILL and flags & 0x38:  # [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15]
        raise MalformedPacket("flags of a Will without a Will")
    if flags & _PASSWORD and not flags & _USERNAME:  # [MQTT-3.1.2-22]
        raise MalformedPacket("a password without a username")


def _will(flags: int, body: bytes, at: int) -> tuple[Message, int]:
    topic, at = _string(body, at)  # [MQTT-3.1.3-10]
    payload, at = _binary(body, at)
    will = Message(check_name(topic), payload, flags >> 3 & 3, bool(flags & _WILL_RETAIN))
    return will, at


def decode_publish(head: int, body: bytes) -> Publish:
    topic, at = _string(body, 0)  # [MQTT-3.3.2-1]
    qos = head >> 1 & 3
    packet_id, at = _packet_id(body, at) if qos else (0, at)
    message = Message(check_name(topic), body[at:], qos, bool(head & 1))
    return Publish(message, packet_id, bool(head & 8))


def _subscribe(head: int, body: bytes) -> Subscribe:
    packet_id, at = _packet_id(body, 0)
    filters = []
    while at < len(body):
        topic_filter, at = _string(body, at)  # [MQTT-3.8.3-1]
        qos = _byte(body, at)
        if qos > 2:  # [MQTT-3.8.3-4]
            raise MalformedPacket("SUBSCRIBE asks for a QoS above 2")
        filters.append((check_filter(topic_filter), qos))
        _check_count(filters)
        at += 1
    if not filters:  # [MQTT-3.8.3-3]
        raise MalformedPacket("SUBSCRIBE without a topic filter")
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(head: int, body: bytes) -> Unsubscribe:
    packet_id, at = _packet_id(body, 0)
    filters = []
    while at < len(body):
        topic_filter, at = _string(body, at)  # [MQTT-3.10.3-1]
        filters.append(check_filter(topic_filter))
        _check_count(filters)
    if not filters:  # [MQTT-3.10.3-2]
        raise MalformedPacket("UNSUBSCRIBE without a topic filter")
    return Unsubscribe(packet_id, tuple(filters))


def _acknowledgement(
    kind: Callable[[int], Puback | Pubrec | Pubrel | Pubcomp],
) -> Callable[[int, bytes], Packet]:
    def decode_acknowledgement(head: int, body: bytes) -> Packet:
        packet_id, at = _packet_id(body, 0)
        _check_used(body, at)
        return kind(packet_id)

    return decode_acknowledgement


def _pingreq(head: int, body: bytes) -> Pingreq:
    _check_used(body, 0)
    return Pingreq()


def _disconnect(head: int, body: bytes) -> Disconnect:
    _check_used(body, 0)
    return Disconnect()


_DECODERS: dict[int, Callable[[int, bytes], Packet]] = {
    packets.CONNECT: lambda _, body: decode_connect(body),
    packets.PUBLISH: decode_publish,
    packets.PUBACK: _acknowledgement(Puback),
    packets.PUBREC: _acknowledgement(Pubrec),
    packets.PUBREL: _acknowledgement(Pubrel),
    packets.PUBCOMP: _acknowledgement(Pubcomp),
    packets.SUBSCRIBE: _subscribe,
    packets.UNSUBSCRIBE: _unsubscribe,
    packets.PINGREQ: _pingreq,
    packets.DISCONNECT: _disconnect,
}


def _byte(body: bytes, at: int) -> int:
    if at >= len(body):
        raise MalformedPacket("a packet that ends in the middle of a field")
    return body[at]


def _integer(body: bytes, at: int) -> tuple[int, int]:
    if at + 2 > len(body):
        raise MalformedPacket("a packet that ends in the middle of a field")
    return body[at] << 8 | body[at + 1], at + 2


def _packet_id(body: bytes, at: int) -> tuple[int, int]:
    packet_id, at = _integer(body, at)
    if not packet_id:  # [MQTT-2.3.1-1]
        raise MalformedPacket("a packet identifier of 0")
    return packet_id, at


def _binary(body: bytes, at: int) -> tuple[bytes, int]:
    length, at = _integer(body, at)
    end = at + length
    if end > len(body):
        raise MalformedPacket("a packet that ends in the middle of a field")
    return body[at:end], end


def _string(body: bytes, at: int) -> tuple[str, int]:
    data, at = _binary(body, at)
    return decode_utf8(data), at


def _check_count(filters: Sized) -> None:
    if len(filters) > _MOST_FILTERS:
        raise PacketTooLarge(f"a packet of more than {_MOST_FILTERS:,} topic filters")


def _check_used(body: bytes, at: int) -> None:
    if at != len(body):
        raise MalformedPacket("a packet with bytes after its end")
