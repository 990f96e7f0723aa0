"""What is stored, as bytes: one record for each thing that changes on its own, with a checksum over it and its number.

    CRC-32 (4 bytes) | kind (1) | fixed fields | texts and bytes

Numbers are little-endian.  A kind's layout never changes: a changed one gets a new kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from struct import error as StructError
from zlib import crc32

from protocols.contract import Grant
from protocols.mqtt.backlog import Entry
from protocols.mqtt.keeping import Will
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.timeline import Stamp

STAMP, SESSION, SUBSCRIPTION, ENTRY, BODY, RECEIVED, RETAINED, OWNED = range(1, 9)

STAMP_RECORD = 1  # the number of the only stamp
FIRST = 2  # of all others

NEVER = float("inf")
PAGE = 256  # packet identifiers in one record of those received

_CRC = Struct("<I")
_STAMP = Struct("<Bddd")
_SESSION = Struct("<BqBIdBHH")  # integration, level, expiry, ends at, has a Will, publish and subscribe filters
_WILL = Struct("<IqdI")  # delay, expiry or -1, due at, size of the message
_SUBSCRIPTION = Struct("<BQBI")  # session, flags, identifier
_ENTRY = Struct("<BQBHHHQBdHI")  # session, state, packet id, identifiers, size of share, body; then as _MESSAGE
_MESSAGE = Struct("<BdHI")  # flags, expires at, size of topic and of properties
_BODY = Struct("<B")
_OWNED = Struct("<Bq")  # integration
_RECEIVED = Struct("<QB")
_IDENTIFIER = Struct("<I")
_TEXT = Struct("<I")


class DamagedRecord(Exception):
    """A record is not what was stored."""


@dataclass(slots=True)
class SessionRecord:
    """A session without what it holds; times are the timeline's."""

    grant: Grant
    client_id: str
    level: int
    expiry: int
    ends_at: float | None = None
    will: Will | None = None


@dataclass(slots=True)
class SubscriptionRecord:
    session: int
    wanted: Filter
    identifier: int = 0


@dataclass(slots=True)
class EntryRecord:
    """An entry, whose message is in the record, in that of its body, or not needed any more."""

    session: int
    entry: Entry
    body: int = 0


@dataclass(slots=True)
class BodyRecord:
    message: Message


@dataclass(slots=True)
class ReceivedRecord:
    """QoS 2 packet identifiers from `page * PAGE` on, a bit for each."""

    session: int
    page: int
    bits: int = 0
    record: int = field(default=0, compare=False)  # its own number

    def packet_ids(self) -> Iterator[int]:
        """Return the packet identifiers."""
        return (self.page * PAGE + bit for bit in range(PAGE) if self.bits >> bit & 1)


@dataclass(slots=True)
class RetainedRecord:
    message: Message
    owner: int = 0  # whose it is: an integration of VRPC or of an Edge Connector


Record = Stamp | SessionRecord | SubscriptionRecord | EntryRecord | BodyRecord | ReceivedRecord | RetainedRecord


# --- to bytes


def seal(number: int, data: bytes) -> bytes:
    """Put the checksum in front."""
    return _CRC.pack(crc32(data, number & 0xFFFFFFFF)) + data


def stamp(one: Stamp) -> bytes:
    return _STAMP.pack(STAMP, one.at, one.wall, one.up) + one.boot.encode("ascii")


def session(one: SessionRecord) -> bytes:
    grant, will = one.grant, one.will
    ends_at = NEVER if one.ends_at is None else one.ends_at
    publish, subscribe = grant.publish, grant.subscribe
    head = (SESSION, grant.integration_id, one.level, one.expiry, ends_at, will is not None)
    parts = [_SESSION.pack(*head, len(publish), len(subscribe))]
    parts += [_text(text) for text in (grant.username, one.client_id, *publish, *subscribe)]
    if will is not None:
        data = _message(will.message)
        due_at = NEVER if will.due_at is None else will.due_at
        parts += [_WILL.pack(will.delay, -1 if will.expiry is None else will.expiry, due_at, len(data)), data]
    return b"".join(parts)


def subscription(session: int, wanted: Filter, identifier: int) -> bytes:
    flags = wanted.qos | wanted.no_local << 2 | wanted.retain_as_published << 3
    return _SUBSCRIPTION.pack(SUBSCRIPTION, session, flags, identifier) + wanted.topic_filter.encode()


def entry(session: int, one: Entry, body: int = 0, expires_at: float | None = None) -> bytes:
    """Encode an entry; with a `body`, or once it is released, without its message."""
    message = one.message
    flags = message.qos | message.retain << 2
    identifiers, share = one.identifiers, one.share.encode()
    head = (ENTRY, session, one.state, one.packet_id, len(identifiers), len(share), body, flags)
    if body:
        return b"".join((_ENTRY.pack(*head, NEVER, 0, 0), *map(_IDENTIFIER.pack, identifiers), share))
    topic, properties = message.topic.encode(), message.properties
    packed = _ENTRY.pack(*head, NEVER if expires_at is None else expires_at, len(topic), len(properties))
    if not identifiers and not share:
        return b"".join((packed, topic, properties, message.payload))
    return b"".join((packed, *map(_IDENTIFIER.pack, identifiers), share, topic, properties, message.payload))


def body(message: Message, expires_at: float | None = None) -> bytes:
    return _BODY.pack(BODY) + _message(message, expires_at)


def retained(message: Message, expires_at: float | None = None, owner: int = 0) -> bytes:
    head = _OWNED.pack(OWNED, owner) if owner else _BODY.pack(RETAINED)
    return head + _message(message, expires_at)


def received(one: ReceivedRecord) -> bytes:
    return _BODY.pack(RECEIVED) + _RECEIVED.pack(one.session, one.page) + one.bits.to_bytes(PAGE // 8, "little")


def _message(message: Message, expires_at: float | None = None) -> bytes:
    topic = message.topic.encode()
    flags = message.qos | message.retain << 2
    expires = NEVER if expires_at is None else expires_at
    packed = _MESSAGE.pack(flags, expires, len(topic), len(message.properties))
    return b"".join((packed, topic, message.properties, message.payload))


def _text(text: str) -> bytes:
    data = text.encode()
    return _TEXT.pack(len(data)) + data


# --- from bytes


def is_whole(number: int, data: bytes) -> bool:
    """Say whether this is what was stored under this number."""
    return len(data) > 4 and _CRC.unpack_from(data)[0] == crc32(memoryview(data)[4:], number & 0xFFFFFFFF)


def decode(number: int, data: bytes) -> Record:
    """Return the record that is stored under this number; raise DamagedRecord for anything else."""
    if not is_whole(number, data):
        raise DamagedRecord("the checksum is wrong")
    decoder = _DECODERS.get(data[4])
    if decoder is None:
        raise DamagedRecord(f"there is no kind {data[4]}")
    try:
        return decoder(data[4:])
    except (StructError, UnicodeDecodeError, IndexError) as error:  # a fault of the writer
        raise DamagedRecord(str(error)) from None


def _decode_stamp(data: bytes) -> Stamp:
    _, at, wall, up = _STAMP.unpack_from(data)
    return Stamp(at, wall, up, data[_STAMP.size :].decode("ascii"))


def _decode_session(data: bytes) -> SessionRecord:
    _, integration, level, expiry, ends_at, has_will, publish, subscribe = _SESSION.unpack_from(data)
    at = _SESSION.size
    texts = []
    for _ in range(2 + publish + subscribe):
        text, at = _decode_text(data, at)
        texts.append(text)
    username, client_id, *filters = texts
    grant = Grant(integration, username, tuple(filters[:publish]), tuple(filters[publish:]))
    will = _decode_will(data, at) if has_will else None
    return SessionRecord(grant, client_id, level, expiry, _deadline(ends_at), will)


def _decode_will(data: bytes, at: int) -> Will:
    delay, expiry, due_at, size = _WILL.unpack_from(data, at)
    at += _WILL.size
    message = _decode_message(data[at : at + size], 0)
    return Will(message, delay, None if expiry < 0 else expiry, _deadline(due_at))


def _decode_subscription(data: bytes) -> SubscriptionRecord:
    _, session, flags, identifier = _SUBSCRIPTION.unpack_from(data)
    topic_filter = data[_SUBSCRIPTION.size :].decode()
    wanted = Filter(topic_filter, flags & 3, no_local=bool(flags & 4), retain_as_published=bool(flags & 8))
    return SubscriptionRecord(session, wanted, identifier)


def _decode_entry(data: bytes) -> EntryRecord:
    _, session, state, packet_id, count, share_size, body, flags, expires_at, topic, properties = _ENTRY.unpack_from(
        data
    )
    at = _ENTRY.size
    identifiers = ()
    share = ""
    if count:
        identifiers = tuple(_IDENTIFIER.unpack_from(data, at + 4 * index)[0] for index in range(count))
        at += 4 * count
    if share_size:
        share = data[at : at + share_size].decode()
        at += share_size
    message = _unpacked(data, at, flags, expires_at, topic, properties)
    entry = Entry(message, identifiers, share)
    entry.state, entry.packet_id = state, packet_id
    return EntryRecord(session, entry, body)


def _decode_received(data: bytes) -> ReceivedRecord:
    session, page = _RECEIVED.unpack_from(data, 1)
    return ReceivedRecord(session, page, int.from_bytes(data[1 + _RECEIVED.size :], "little"))


def _decode_owned(data: bytes) -> RetainedRecord:
    _, owner = _OWNED.unpack_from(data)
    return RetainedRecord(_decode_message(data, _OWNED.size), owner)


def _decode_message(data: bytes, at: int) -> Message:
    flags, expires_at, topic, properties = _MESSAGE.unpack_from(data, at)
    return _unpacked(data, at + _MESSAGE.size, flags, expires_at, topic, properties)


def _unpacked(data: bytes, at: int, flags: int, expires_at: float, topic: int, properties: int) -> Message:
    """Return the message whose texts start here and end with the data; `topic` and `properties` are sizes."""
    start = at + topic
    return Message(
        data[at:start].decode(),
        data[start + properties :],
        flags & 3,
        bool(flags & 4),
        data[start : start + properties],
        _deadline(expires_at),
    )


def _decode_text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = _TEXT.unpack_from(data, at)
    at += _TEXT.size
    return data[at : at + size].decode(), at + size


def _deadline(stored: float) -> float | None:
    return None if stored == NEVER else stored


_DECODERS: dict[int, Callable[[bytes], Record]] = {
    STAMP: _decode_stamp,
    SESSION: _decode_session,
    SUBSCRIPTION: _decode_subscription,
    ENTRY: _decode_entry,
    BODY: lambda data: BodyRecord(_decode_message(data, 1)),
    RECEIVED: _decode_received,
    RETAINED: lambda data: RetainedRecord(_decode_message(data, 1)),
    OWNED: _decode_owned,
}
