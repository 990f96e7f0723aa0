"""Properties from and to bytes: which are allowed in which packet, and which values (5.0, 2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from protocols.mqtt import fields, packets, properties
from protocols.mqtt.errors import MalformedPacket, PacketTooLarge, ProtocolViolation, TopicAliasInvalid
from protocols.mqtt.fields import length_bytes
from protocols.mqtt.properties import NO_PROPERTIES, Properties
from protocols.mqtt.topics import check_name

WILL = 16  # beside the packet types: the properties of a Will, in the payload of CONNECT

_ACKNOWLEDGEMENT = frozenset({properties.REASON_STRING, properties.USER_PROPERTY})
_MESSAGE = frozenset(
    {
        properties.PAYLOAD_FORMAT_INDICATOR,
        properties.MESSAGE_EXPIRY_INTERVAL,
        properties.CONTENT_TYPE,
        properties.RESPONSE_TOPIC,
        properties.CORRELATION_DATA,
        properties.USER_PROPERTY,
    }
)
_FORWARDED = _MESSAGE - {properties.MESSAGE_EXPIRY_INTERVAL}

# What a client may send (table 2-4)
_ALLOWED: dict[int, frozenset[int]] = {
    packets.CONNECT: frozenset(
        {
            properties.SESSION_EXPIRY_INTERVAL,
            properties.AUTHENTICATION_METHOD,
            properties.AUTHENTICATION_DATA,
            properties.REQUEST_PROBLEM_INFORMATION,
            properties.REQUEST_RESPONSE_INFORMATION,
            properties.RECEIVE_MAXIMUM,
            properties.TOPIC_ALIAS_MAXIMUM,
            properties.USER_PROPERTY,
            properties.MAXIMUM_PACKET_SIZE,
        }
    ),
    WILL: _MESSAGE | {properties.WILL_DELAY_INTERVAL},
    packets.PUBLISH: _MESSAGE | {properties.TOPIC_ALIAS},
    packets.PUBACK: _ACKNOWLEDGEMENT,
    packets.PUBREC: _ACKNOWLEDGEMENT,
    packets.PUBREL: _ACKNOWLEDGEMENT,
    packets.PUBCOMP: _ACKNOWLEDGEMENT,
    packets.SUBSCRIBE: frozenset({properties.SUBSCRIPTION_IDENTIFIER, properties.USER_PROPERTY}),
    packets.UNSUBSCRIBE: frozenset({properties.USER_PROPERTY}),
    packets.DISCONNECT: _ACKNOWLEDGEMENT | {properties.SESSION_EXPIRY_INTERVAL},
    packets.AUTH: _ACKNOWLEDGEMENT | {properties.AUTHENTICATION_METHOD, properties.AUTHENTICATION_DATA},
}

# Of these packets, but only when they come from the server
_FROM_SERVER = {
    (packets.PUBLISH, properties.SUBSCRIPTION_IDENTIFIER),  # [MQTT5-3.3.4-6]
    (packets.DISCONNECT, properties.SERVER_REFERENCE),
}

_READ: dict[int, Callable[[bytes, int], tuple[Any, int]]] = {
    properties.PAYLOAD_FORMAT_INDICATOR: fields.byte,
    properties.MESSAGE_EXPIRY_INTERVAL: fields.four_bytes,
    properties.CONTENT_TYPE: fields.string,  # [MQTT5-3.3.2-19]
    properties.RESPONSE_TOPIC: fields.string,  # [MQTT5-3.3.2-13]
    properties.CORRELATION_DATA: fields.binary,
    properties.SUBSCRIPTION_IDENTIFIER: fields.variable,
    properties.SESSION_EXPIRY_INTERVAL: fields.four_bytes,
    properties.AUTHENTICATION_METHOD: fields.string,
    properties.AUTHENTICATION_DATA: fields.binary,
    properties.REQUEST_PROBLEM_INFORMATION: fields.byte,
    properties.WILL_DELAY_INTERVAL: fields.four_bytes,
    properties.REQUEST_RESPONSE_INFORMATION: fields.byte,
    properties.REASON_STRING: fields.string,
    properties.RECEIVE_MAXIMUM: fields.two_bytes,
    properties.TOPIC_ALIAS_MAXIMUM: fields.two_bytes,
    properties.TOPIC_ALIAS: fields.two_bytes,
    properties.USER_PROPERTY: fields.pair,
    properties.MAXIMUM_PACKET_SIZE: fields.four_bytes,
}

_MOST_PAIRS = 1_000  # in one packet: everybody else waits while they are read

_FLAGS = {
    properties.PAYLOAD_FORMAT_INDICATOR,
    properties.REQUEST_PROBLEM_INFORMATION,
    properties.REQUEST_RESPONSE_INFORMATION,
}
_NOT_ZERO = {
    properties.SUBSCRIPTION_IDENTIFIER,
    properties.RECEIVE_MAXIMUM,
    properties.MAXIMUM_PACKET_SIZE,
}


def decode_properties(packet_type: int, body: bytes, at: int) -> tuple[Properties, int]:
    """Read a packet's properties; return them and where they end."""
    length, at = fields.variable(body, at)
    if not length:
        return NO_PROPERTIES, at
    end = at + length
    if end > len(body):
        raise MalformedPacket("properties that end after their packet")
    section, allowed = body[at:end], _ALLOWED[packet_type]
    found: Properties = {}
    at = 0
    while at < length:
        identifier, at = fields.variable(section, at)
        if identifier not in allowed:
            raise _misplaced(packet_type, identifier)
        value, at = _READ[identifier](section, at)
        if identifier == properties.USER_PROPERTY:  # in order [MQTT5-3.3.2-18] [MQTT5-3.1.3-10]
            pairs = found.setdefault(identifier, [])
            pairs.append(value)
            if len(pairs) > _MOST_PAIRS:
                raise PacketTooLarge(f"a packet of more than {_MOST_PAIRS:,} user properties")
        elif identifier in found:
            raise ProtocolViolation(f"property 0x{identifier:02x} more than once")
        else:
            _check(identifier, value)
            found[identifier] = value
    return found, end


def _misplaced(packet_type: int, identifier: int) -> MalformedPacket | ProtocolViolation:
    fact = f"property 0x{identifier:02x} where it is not allowed"
    if (packet_type, identifier) in _FROM_SERVER:
        return ProtocolViolation(fact)
    return MalformedPacket(fact)


def _check(identifier: int, value: Any) -> None:
    """Refuse a value that the standard excludes."""
    if identifier in _FLAGS and value > 1:
        raise ProtocolViolation(f"property 0x{identifier:02x} is {value}, neither 0 nor 1")
    if identifier in _NOT_ZERO and not value:
        raise ProtocolViolation(f"property 0x{identifier:02x} is 0")
    if identifier == properties.TOPIC_ALIAS and not value:  # [MQTT5-3.3.2-8]
        raise TopicAliasInvalid("a topic alias of 0")
    if identifier == properties.RESPONSE_TOPIC:  # [MQTT5-3.3.2-14]
        check_name(value)


def _two(value: int) -> bytes:
    return value.to_bytes(2, "big")


def _four(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _binary(value: bytes) -> bytes:
    return _two(len(value)) + value


def _string(value: str) -> bytes:
    return _binary(value.encode())


_WRITE: Mapping[int, Callable[[Any], bytes]] = {
    properties.PAYLOAD_FORMAT_INDICATOR: lambda value: bytes((value,)),
    properties.MESSAGE_EXPIRY_INTERVAL: _four,
    properties.CONTENT_TYPE: _string,
    properties.RESPONSE_TOPIC: _string,
    properties.CORRELATION_DATA: _binary,
    properties.SUBSCRIPTION_IDENTIFIER: length_bytes,
    properties.SESSION_EXPIRY_INTERVAL: _four,
    properties.ASSIGNED_CLIENT_IDENTIFIER: _string,
    properties.SERVER_KEEP_ALIVE: _two,
    properties.RESPONSE_INFORMATION: _string,
    properties.SERVER_REFERENCE: _string,
    properties.REASON_STRING: _string,
    properties.RECEIVE_MAXIMUM: _two,
    properties.TOPIC_ALIAS_MAXIMUM: _two,
    properties.TOPIC_ALIAS: _two,
    properties.MAXIMUM_QOS: lambda value: bytes((value,)),
    properties.RETAIN_AVAILABLE: lambda value: bytes((value,)),
    properties.USER_PROPERTY: lambda value: _string(value[0]) + _string(value[1]),
    properties.MAXIMUM_PACKET_SIZE: _four,
    properties.WILDCARD_SUBSCRIPTION_AVAILABLE: lambda value: bytes((value,)),
    properties.SUBSCRIPTION_IDENTIFIERS_AVAILABLE: lambda value: bytes((value,)),
    properties.SHARED_SUBSCRIPTION_AVAILABLE: lambda value: bytes((value,)),
}


def forwarded(stated: Properties) -> bytes:
    """Encode what goes with a message to its subscribers as it came, in order [MQTT5-3.3.2-18]."""
    if not stated:
        return b""
    return encode_fields({identifier: value for identifier, value in stated.items() if identifier in _FORWARDED})


def encode_fields(wanted: Properties) -> bytes:
    """Encode properties without their length; a list stands for a property that is repeated."""
    parts: list[bytes] = []
    for identifier, value in wanted.items():
        write = _WRITE[identifier]
        for one in value if isinstance(value, list) else (value,):
            parts += bytes((identifier,)), write(one)
    return b"".join(parts)


def encode_properties(wanted: Properties) -> bytes:
    """Encode properties with their length in front."""
    encoded = encode_fields(wanted)
    return length_bytes(len(encoded)) + encoded
