"""The control packets of MQTT 3.1.1 as values; bytes cut into packets (chapter 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.mqtt.errors import MalformedPacket, PacketTooLarge

LEVEL_3_1_1 = 4

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)

ACCEPTED = 0x00
UNACCEPTABLE_LEVEL = 0x01
IDENTIFIER_REJECTED = 0x02
BAD_CREDENTIALS = 0x04
NOT_AUTHORIZED = 0x05

SUBSCRIBE_FAILURE = 0x80


@dataclass(slots=True)
class Message:
    """An application message."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(slots=True)
class Connect:
    client_id: str
    clean_session: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Message | None = None
    level: int = LEVEL_3_1_1


@dataclass(slots=True)
class UnknownConnect:
    """A CONNECT of a protocol level that is not spoken here."""

    level: int


@dataclass(slots=True)
class Publish:
    message: Message
    packet_id: int = 0
    dup: bool = False


@dataclass(slots=True)
class Puback:
    packet_id: int


@dataclass(slots=True)
class Pubrec:
    packet_id: int


@dataclass(slots=True)
class Pubrel:
    packet_id: int


@dataclass(slots=True)
class Pubcomp:
    packet_id: int


@dataclass(slots=True)
class Subscribe:
    packet_id: int
    filters: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Unsubscribe:
    packet_id: int
    filters: tuple[str, ...]


@dataclass(slots=True)
class Pingreq:
    pass


@dataclass(slots=True)
class Disconnect:
    pass


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
)

PUBLISH_QOS_0 = PUBLISH << 4  # neither DUP nor RETAIN

# The first bytes a client may send: type and flags [MQTT-2.2.2-1] [MQTT-2.2.2-2].
_FLAGS_0010 = (PUBREL, SUBSCRIBE, UNSUBSCRIBE)  # [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
_FLAGS_0000 = (CONNECT, PUBACK, PUBREC, PUBCOMP, PINGREQ, DISCONNECT)
_PUBLISH_HEADS = (0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3A, 0x3B, 0x3C, 0x3D)
CLIENT_HEADS = frozenset(
    [
        *(kind << 4 for kind in _FLAGS_0000),
        *(kind << 4 | 2 for kind in _FLAGS_0010),
        *_PUBLISH_HEADS,  # no QoS 3 [MQTT-3.3.1-4], no DUP with QoS 0 [MQTT-3.3.1-2]
    ]
)


def frames(data: bytes, position: int, limit: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Cut `data` into its complete packets: (first byte, start, start of body, end, count).

    Consecutive QoS 0 PUBLISH packets of one topic and one size come as one frame with their count,
    so that a burst is routed once.  A first byte or a length that is not allowed raises before
    the body has arrived.
    """
    size = len(data)
    while position < size:
        head = data[position]
        if head not in CLIENT_HEADS:
            raise MalformedPacket(f"0x{head:02x} starts no packet that a client may send")
        end = packet_end(data, position, limit)
        if not end or end > size:
            return
        start, position, count = position, end, 1
        body = start + 2
        while data[body - 1] > 127:
            body += 1
        if head == PUBLISH_QOS_0 and end - body > 1:
            same = data[start : body + 2 + (data[body] << 8 | data[body + 1])]
            length = end - start
            while position + length <= size and data.startswith(same, position):
                position += length
                count += 1
        yield head, start, body, position, count


def packet_end(data: bytes, start: int, limit: int) -> int:
    """Return where the packet at `start` ends, or 0 when its length is not complete yet."""
    length = shift = 0
    position = start + 1
    for byte in data[position : position + 4]:  # [MQTT-2.2.3] at most four bytes
        position += 1
        length |= (byte & 127) << shift
        if byte < 128:
            if position + length - start > limit:
                raise PacketTooLarge(f"a packet of {position + length - start:,} bytes; {limit:,} are allowed")
            return position + length
        shift += 7
    if shift == 28:
        raise MalformedPacket("a remaining length of more than four bytes")
    return 0
