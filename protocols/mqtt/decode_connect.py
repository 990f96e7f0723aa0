"""CONNECT: from its bytes to the packet (3.1)."""

from __future__ import annotations

from protocols.mqtt import properties
from protocols.mqtt.errors import MalformedPacket, ProtocolViolation
from protocols.mqtt.fields import binary, byte, check_used, string, two_bytes
from protocols.mqtt.packets import CONNECT, LEVEL_3_1_1, LEVEL_5, Connect, Message, UnknownConnect
from protocols.mqtt.properties import NO_PROPERTIES, Properties
from protocols.mqtt.property_codec import WILL, decode_properties, forwarded
from protocols.mqtt.topics import check_name

# The flags (3.1.2.3)
_RESERVED, _CLEAN_START, _WILL, _WILL_RETAIN = 0x01, 0x02, 0x04, 0x20
_PASSWORD, _USERNAME = 0x40, 0x80


def decode_connect(body: bytes) -> Connect | UnknownConnect:
    """Decode a CONNECT, which states its own protocol level."""
    name, at = binary(body, 0)
    if name not in (b"MQTT", b"MQIsdp"):  # [MQTT-3.1.2-1] [MQTT5-3.1.2-1]
        raise MalformedPacket("CONNECT of another protocol than MQTT")
    level, at = byte(body, at)
    # Answered by a CONNACK [MQTT-3.1.2-2] [MQTT5-3.1.2-2]: of 3.1.1, which level 3 ("MQIsdp") understands,
    # and higher levels, if there ever are any, will know.  The rest of it may look different.
    if level not in (LEVEL_3_1_1, LEVEL_5):
        return UnknownConnect(level)
    if level == LEVEL_5 and name != b"MQTT":
        raise MalformedPacket("CONNECT of 5.0 by the name of 3.1")
    flags, at = byte(body, at)
    _check_flags(flags, level)
    keep_alive, at = two_bytes(body, at)
    stated: Properties = NO_PROPERTIES
    if level == LEVEL_5:
        stated, at = decode_properties(CONNECT, body, at)
        _check_authentication(stated)
    client_id, at = string(body, at)  # [MQTT-3.1.3-4] [MQTT5-3.1.3-4]
    connect = Connect(client_id, bool(flags & _CLEAN_START), keep_alive, level=level, properties=stated)
    if flags & _WILL:  # [MQTT-3.1.2-9] [MQTT5-3.1.2-9]
        at = _read_will(connect, flags, body, at)
    if flags & _USERNAME:  # [MQTT-3.1.3-11] [MQTT5-3.1.3-12]
        connect.username, at = string(body, at)
    if flags & _PASSWORD:
        connect.password, at = binary(body, at)
    check_used(body, at)
    return connect


def _check_flags(flags: int, level: int) -> None:
    if flags & _RESERVED:  # [MQTT-3.1.2-3] [MQTT5-3.1.2-3]
        raise MalformedPacket("the reserved flag of CONNECT is set")
    if flags >> 3 & 3 == 3:  # [MQTT-3.1.2-14] [MQTT5-3.1.2-12]
        raise MalformedPacket("a Will of QoS 3")
    # [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15] [MQTT5-3.1.2-11] [MQTT5-3.1.2-13]
    if not flags & _WILL and flags & 0x38:
        raise MalformedPacket("flags of a Will without a Will")
    if level < LEVEL_5 and flags & _PASSWORD and not flags & _USERNAME:  # [MQTT-3.1.2-22]
        raise MalformedPacket("a password without a username")


def _check_authentication(stated: Properties) -> None:
    if properties.AUTHENTICATION_DATA in stated and properties.AUTHENTICATION_METHOD not in stated:  # 3.1.2.11.10
        raise ProtocolViolation("authentication data without an authentication method")


def _read_will(connect: Connect, flags: int, body: bytes, at: int) -> int:
    stated: Properties = NO_PROPERTIES
    if connect.level == LEVEL_5:
        stated, at = decode_properties(WILL, body, at)
    topic, at = string(body, at)  # [MQTT-3.1.3-10] [MQTT5-3.1.3-11]
    payload, at = binary(body, at)
    qos, retain = flags >> 3 & 3, bool(flags & _WILL_RETAIN)
    connect.will = Message(check_name(topic), payload, qos, retain, forwarded(stated))
    connect.will_delay = stated.get(properties.WILL_DELAY_INTERVAL, 0)
    connect.will_expiry = stated.get(properties.MESSAGE_EXPIRY_INTERVAL)
    return at
