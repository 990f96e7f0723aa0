"""The control packets of MQTT 3.1.1 and 5.0 as values; bytes cut into packets (chapter 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.mqtt.errors import MalformedPacket, PacketTooLarge
from protocols.mqtt.properties import Properties

LEVEL_3_1_1 = 4
LEVEL_5 = 5

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)

# Reason codes of 5.0 (2.4)
SUCCESS = 0x00
DISCONNECT_WITH_WILL_MESSAGE = 0x04
NO_MATCHING_SUBSCRIBERS = 0x10
NO_SUBSCRIPTION_EXISTED = 0x11
CONTINUE_AUTHENTICATION = 0x18
REAUTHENTICATE = 0x19
UNSPECIFIED_ERROR = 0x80
MALFORMED_PACKET = 0x81
PROTOCOL_ERROR = 0x82
IMPLEMENTATION_SPECIFIC_ERROR = 0x83
UNSUPPORTED_PROTOCOL_VERSION = 0x84
CLIENT_IDENTIFIER_NOT_VALID = 0x85
BAD_USER_NAME_OR_PASSWORD = 0x86
NOT_AUTHORIZED = 0x87
SERVER_UNAVAILABLE = 0x88
SERVER_BUSY = 0x89
BANNED = 0x8A
SERVER_SHUTTING_DOWN = 0x8B
BAD_AUTHENTICATION_METHOD = 0x8C
KEEP_ALIVE_TIMEOUT = 0x8D
SESSION_TAKEN_OVER = 0x8E
TOPIC_FILTER_INVALID = 0x8F
TOPIC_NAME_INVALID = 0x90
PACKET_IDENTIFIER_IN_USE = 0x91
PACKET_IDENTIFIER_NOT_FOUND = 0x92
RECEIVE_MAXIMUM_EXCEEDED = 0x93
TOPIC_ALIAS_INVALID = 0x94
PACKET_TOO_LARGE = 0x95
MESSAGE_RATE_TOO_HIGH = 0x96
QUOTA_EXCEEDED = 0x97
ADMINISTRATIVE_ACTION = 0x98
PAYLOAD_FORMAT_INVALID = 0x99
CONNECTION_RATE_EXCEEDED = 0x9F
MAXIMUM_CONNECT_TIME = 0xA0

SUBSCRIBE_FAILURE = 0x80  # 3.1.1's only one


@dataclass(slots=True)
class Message:
    """An application message."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: bytes = b""  # encoded, those of PUBLISH that are forwarded unaltered (5.0)
    expires_at: float | None = None  # on the server's clock, in seconds


@dataclass(slots=True)
class Connect:
    client_id: str
    clean_start: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Message | None = None
    level: int = LEVEL_3_1_1
    properties: Properties = field(default_factory=dict)
    will_delay: int = 0
    will_expiry: int | None = None


@dataclass(slots=True)
class UnknownConnect:
    """A CONNECT of a protocol level that is not spoken here."""

    level: int


@dataclass(slots=True)
class Publish:
    message: Message  # its topic is empty where an alias stands for it
    packet_id: int = 0
    dup: bool = False
    expiry: int | None = None
    alias: int = 0


@dataclass(slots=True)
class Puback:
    packet_id: int
    reason: int = SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Pubrec:
    packet_id: int
    reason: int = SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Pubrel:
    packet_id: int
    reason: int = SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Pubcomp:
    packet_id: int
    reason: int = SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """A topic filter, perhaps "$share/name/filter", with its subscription options (5.0, 3.8.3.1)."""

    topic_filter: str
    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(slots=True)
class Subscribe:
    packet_id: int
    filters: tuple[Filter, ...]
    identifier: int = 0


@dataclass(slots=True)
class Unsubscribe:
    packet_id: int
    filters: tuple[str, ...]


@dataclass(slots=True)
class Pingreq:
    pass


@dataclass(slots=True)
class Disconnect:
    reason: int = SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(slots=True)
class Auth:
    reason: int = SUCCESS
    properties: Properties = field(default_factory=dict)


Packet = (
    Connect
    | UnknownConnect
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Unsubscribe
    | Pingreq
    | Disconnect
    | Auth
)

PUBLISH_QOS_0 = PUBLISH << 4  # neither DUP nor RETAIN

# The first bytes a client may send: type and flags [MQTT-2.2.2-1] [MQTT-2.2.2-2] [MQTT5-2.1.3-1].
# [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT5-3.6.1-1] [MQTT5-3.8.1-1] [MQTT5-3.10.1-1]
_FLAGS_0010 = (PUBREL, SUBSCRIBE, UNSUBSCRIBE)
_FLAGS_0000 = (CONNECT, PUBACK, PUBREC, PUBCOMP, PINGREQ, DISCONNECT)
_PUBLISH_HEADS = (0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3A, 0x3B, 0x3C, 0x3D)
CLIENT_HEADS = frozenset(
    [
        *(kind << 4 for kind in _FLAGS_0000),
        *(kind << 4 | 2 for kind in _FLAGS_0010),
        # No QoS 3 [MQTT-3.3.1-4] [MQTT5-3.3.1-4], no DUP with QoS 0 [MQTT-3.3.1-2] [MQTT5-3.3.1-2]
        *_PUBLISH_HEADS,
    ]
)
CLIENT_HEADS_5 = CLIENT_HEADS | {AUTH << 4}  # [MQTT5-3.15.1-1]


def frames(
    data: bytes, position: int, limit: int, level: int = LEVEL_3_1_1
) -> Iterator[tuple[int, int, int, int, int]]:
    """Cut `data` into its complete packets: (first byte, start, start of body, end, count).

    Consecutive QoS 0 PUBLISH packets of one topic and one size, in 5.0 without properties, come as one
    frame with their count, so that a burst is routed once.  A first byte or a length that is not allowed
    raises before the body has arrived.
    """
    size = len(data)
    heads = CLIENT_HEADS if level < LEVEL_5 else CLIENT_HEADS_5
    while position < size:
        head = data[position]
        if head not in heads:
            raise MalformedPacket(f"0x{head:02x} starts no packet that a client may send")
        body = position + 2
        if body <= size and (rest := data[body - 1]) < 128 and rest + 2 <= limit:  # most packets
            end = body + rest
        else:
            end = packet_end(data, position, limit, level)
            while end and data[body - 1] > 127:
                body += 1
        if not end or end > size:
            return
        start, position, count = position, end, 1
        if head == PUBLISH_QOS_0 and end - body > 1:
            length = end - start
            topic_end = body + 2 + (data[body] << 8 | data[body + 1])
            if level >= LEVEL_5:
                topic_end += 1
                if topic_end > end or data[topic_end - 1]:  # has properties: none is like it
                    length = size
            # Neighbours on other topics differ where these end, mostly: that is looked at before anything is copied.
            if topic_end <= end <= size - length and data[topic_end - 1 + length] == data[topic_end - 1]:
                same = data[start:topic_end]
                while position + length <= size and data.startswith(same, position):
                    position += length
                    count += 1
        yield head, start, body, position, count


def packet_end(data: bytes, start: int, limit: int, level: int = LEVEL_3_1_1) -> int:
    """Return where the packet at `start` ends, or 0 when its length is not complete yet."""
    length = shift = 0
    position = start + 1
    for byte in data[position : position + 4]:  # [MQTT-2.2.3] at most four bytes
        position += 1
        length |= (byte & 127) << shift
        if byte < 128:
            if not byte and shift and level >= LEVEL_5:  # [MQTT5-1.5.5-1]
                raise MalformedPacket("a remaining length in more bytes than it needs")
            if position + length - start > limit:
                raise PacketTooLarge(f"a packet of {position + length - start:,} bytes; {limit:,} are allowed")
            return position + length
        shift += 7
    if shift == 28:
        raise MalformedPacket("a remaining length of more than four bytes")
    return 0
