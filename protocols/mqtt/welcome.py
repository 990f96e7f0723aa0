"""What a CONNACK tells the client (3.2; 5.0: 3.2.2.3)."""

from __future__ import annotations

from protocols.access import Access
from protocols.mqtt import encode, properties
from protocols.mqtt.errors import ConnectRefused, LoginRefused
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import (
    BAD_USER_NAME_OR_PASSWORD,
    CLIENT_IDENTIFIER_NOT_VALID,
    LEVEL_3_1_1,
    NOT_AUTHORIZED,
    PACKET_TOO_LARGE,
    UNSUPPORTED_PROTOCOL_VERSION,
    Connect,
    UnknownConnect,
)
from protocols.mqtt.properties import Properties

# The return codes of 3.1.1 (3.2.2.3); all else, such as a ban, passes: "server unavailable", which clients try again.
_RETURN_CODES = {
    UNSUPPORTED_PROTOCOL_VERSION: 1,
    CLIENT_IDENTIFIER_NOT_VALID: 2,
    BAD_USER_NAME_OR_PASSWORD: 4,
    NOT_AUTHORIZED: 5,
}
_SERVER_UNAVAILABLE = 3

LONGEST_GIVEN = 512  # bytes of a CONNACK that tells a client its credentials


def keep_alive(connect: Connect, limits: Limits) -> int:
    """Return the keep alive in seconds; a client of 3.1.1 cannot be told another than its own."""
    longest = limits.max_keep_alive
    if connect.level != LEVEL_3_1_1 and longest and not 0 < connect.keep_alive <= longest:
        return longest
    return connect.keep_alive


def properties_for(connect: Connect, client_id: str, access: Access, limits: Limits) -> Properties:
    """Return what differs from what the client would assume anyway; raise ConnectRefused if it takes less."""
    if connect.level == LEVEL_3_1_1:
        return {}
    told: Properties = {
        properties.RECEIVE_MAXIMUM: limits.receive_maximum,
        properties.MAXIMUM_PACKET_SIZE: limits.max_packet,
    }
    if properties.SESSION_EXPIRY_INTERVAL in connect.properties:
        stated = connect.properties[properties.SESSION_EXPIRY_INTERVAL]
        told[properties.SESSION_EXPIRY_INTERVAL] = stated if access.lasts else 0
    if not connect.client_id:  # [MQTT5-3.1.3-7] [MQTT5-3.2.2-16]
        told[properties.ASSIGNED_CLIENT_IDENTIFIER] = client_id
    if limits.topic_aliases:
        told[properties.TOPIC_ALIAS_MAXIMUM] = limits.topic_aliases
    if (seconds := keep_alive(connect, limits)) != connect.keep_alive:  # [MQTT5-3.1.2-21] [MQTT5-3.2.2-21]
        told[properties.SERVER_KEEP_ALIVE] = seconds
    if connect.properties.get(properties.REQUEST_RESPONSE_INFORMATION):  # [MQTT5-3.1.2-28]
        topic = f"response/{client_id}"
        if not {"+", "#"} & set(topic) and access.may_subscribe(f"{topic}/#"):
            told[properties.RESPONSE_INFORMATION] = topic
    size = len(encode.connack(level=connect.level, properties=told))
    if size > connect.properties.get(properties.MAXIMUM_PACKET_SIZE, size):  # [MQTT5-3.1.2-24]
        raise ConnectRefused(PACKET_TOO_LARGE, f"a maximum packet size below the {size} bytes of CONNACK")
    return told


def refuse(refusal: ConnectRefused, packet: Connect | UnknownConnect) -> bytes:
    """Return the CONNACK of a refused CONNECT [MQTT5-3.2.2-7]; a refused login is not told why, but may be advised."""
    if isinstance(packet, UnknownConnect) or packet.level == LEVEL_3_1_1:
        return encode.connack(_RETURN_CODES.get(refusal.code, _SERVER_UNAVAILABLE))
    told = encode.connack(refusal.code, level=packet.level)
    longest = packet.properties.get(properties.MAXIMUM_PACKET_SIZE, 0)
    words = refusal.advice if isinstance(refusal, LoginRefused) else str(refusal)
    if words and explains(packet):
        reason: Properties = {properties.REASON_STRING: words}
        if isinstance(refusal, LoginRefused) and refusal.given is not None:
            reason[properties.USER_PROPERTY] = list(zip(("username", "password"), refusal.given, strict=True))
        explained = encode.connack(refusal.code, level=packet.level, properties=reason)
        told = told if longest and len(explained) > longest else explained  # [MQTT5-3.2.2-19]
    return b"" if longest and len(told) > longest else told  # [MQTT5-3.1.2-24]


def can_be_given(connect: Connect) -> bool:
    """Say whether CONNACK can tell this client which username and password to come with."""
    longest = connect.properties.get(properties.MAXIMUM_PACKET_SIZE, LONGEST_GIVEN)
    return connect.level != LEVEL_3_1_1 and explains(connect) and longest >= LONGEST_GIVEN


def explains(connect: Connect) -> bool:
    """Say whether reason strings are wanted [MQTT5-3.1.2-29]."""
    return bool(connect.properties.get(properties.REQUEST_PROBLEM_INFORMATION, 1))
