"""Packets that clients send, right, nearly right and wrong, from a random generator."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.protocols.mqtt import mqtt_wire as wire

Stated = dict[int, Any]

CLIENT_IDS = ["a", "b", "c", "d/e", "x" * 300, ""]
USERS = ["ada", "bob"]
ODD_USERS = ["idle", "nobody", "", None]
TOPICS = ["a", "a", "a/b", "a/b/c", "b", "b/", "/", "much/longer/than/an/alias", "ü/😀"]
ODD_TOPICS = ["", "a/+", "#", "\0", "$SYS/broker/uptime", "$share/g/a", "x" * 65_535, "/" * 10_000, b"\xff"]
FILTERS = ["a", "a/b", "a/#", "#", "+", "+/b", "a/+/c", "$share/g/a", "$share/g/#", "$share/h/+/b", "b/#"]
ODD_FILTERS = ["", "a#", "+a", "#/a", "$SYS/#", "$share/g", "$share//a", "$share/+/a", "/" * 10_000, "\0", b"\xff"]

_HEADS = [0x10, 0x20, 0x30, 0x32, 0x34, 0x3D, 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0]
_OF_CONNECT = [0x11, 0x11, 0x11, 0x17, 0x19, 0x21, 0x21, 0x22, 0x22, 0x26, 0x27]
_OF_WILL = [0x18, 0x01, 0x02, 0x03, 0x08, 0x09, 0x26]
_OF_PUBLISH = [0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x23, 0x26]
_ANY = [*range(0x00, 0x2C), 0x7F]


class Writer:
    """One client's packets; most are what the standard allows."""

    def __init__(self, random: Random, level: int) -> None:
        self.random = random
        self.level = level
        self.is_clear = True  # nothing was written that may be taken for something else
        self.stated: Stated = {}  # in the last CONNECT
        self._writers = [
            (self.publish, 200),
            (self.subscribe, 70),
            (self.answer, 100),
            (self.unsubscribe, 30),
            (self.ping, 30),
            (self.disconnect, 6),
            (self.connect, 1),
            (self.auth, 1),
            (self.noise, 1),
        ]

    def packet(self) -> bytes:
        """Return a packet of any kind, as it should be or mutated."""
        writers, weights = zip(*self._writers, strict=True)
        data: bytes = self.random.choices(writers, weights)[0]()
        if self._rarely(50):
            self.is_clear = False
            return mutated(self.random, data)
        return data

    def connect(self) -> bytes:
        choose = self.random.choice
        username = choose(ODD_USERS if self._rarely(20) else USERS)
        password = None if username is None and self.level < 5 else b"right"
        if self._rarely(20):
            password = b"wrong"
        will = None
        if self.random.random() < 0.3:
            will = (self._topic(), self._payload(), choose([0, 1, 2]), choose([False, True]))
        self.stated = self._stated(_OF_CONNECT) or {}
        return wire.connect(
            choose(CLIENT_IDS),
            username,
            password,
            clean=choose([False, True]),
            keep_alive=choose([0, 0, 1, 60, 65_535]),
            will=will,  # type: ignore[arg-type]
            level=self.level if not self._rarely(100) else choose([0, 3, 6, 255]),
            stated=self.stated,
            will_stated=self._stated(_OF_WILL),
        )

    def publish(self) -> bytes:
        qos, random = self.random.choice([0, 0, 1, 2]), self.random
        one = wire.publish(
            self._topic(),
            self._payload(),
            qos,
            self._packet_id(),
            retain=random.random() < 0.2,
            dup=qos > 0 and random.random() < 0.1,
            level=self.level,
            stated=self._stated(_OF_PUBLISH),
        )
        return one * random.choice([1, 1, 1, 2, 30]) if len(one) < 1_000 else one

    def subscribe(self) -> bytes:
        filters = [(self._filter(), self._options()) for _ in range(self.random.choice([1, 1, 2, 5]))]
        return wire.subscribe(
            *filters,  # type: ignore[arg-type]
            packet_id=self._packet_id(),
            level=self.level,
            stated=self._stated([0x0B, 0x26]),
        )

    def unsubscribe(self) -> bytes:
        filters = [self._filter() for _ in range(self.random.choice([1, 1, 2, 5]))]
        return wire.unsubscribe(
            *filters,  # type: ignore[arg-type]
            packet_id=self._packet_id(),
            level=self.level,
            stated=self._stated([0x26]),
        )

    def answer(self) -> bytes:
        write = self.random.choice([wire.puback, wire.pubrec, wire.pubrel, wire.pubcomp])
        return write(self._packet_id(), *self._reason([0, 0, 0, 0x10, 0x92, 0x80, 0x87, 0x97]))

    def ping(self) -> bytes:
        return wire.PINGREQ

    def disconnect(self) -> bytes:
        return wire.disconnect(*self._reason([0, 4, 0x81, 0x8E], [0x11, 0x1F, 0x26]))

    def auth(self) -> bytes:
        return wire.auth(*self._reason([0x18, 0x19, 0], [0x15, 0x16, 0x1F, 0x26]))

    def noise(self) -> bytes:
        """Return a first byte that may be right, and then anything."""
        self.is_clear = False
        return wire.packet(self.random.choice(_HEADS), self.random.randbytes(self.random.randrange(40)))

    # --- parts

    def _rarely(self, times: int) -> bool:
        return self.random.randrange(times) == 0

    def _topic(self) -> Any:
        return self.random.choice(ODD_TOPICS if self._rarely(150) else TOPICS)

    def _filter(self) -> Any:
        return self.random.choice(ODD_FILTERS if self._rarely(100) else FILTERS)

    def _payload(self) -> bytes:
        return self.random.choice([b"", b"x", b"12345", bytes(200), bytes(20_000)])

    def _packet_id(self) -> int:
        return 0 if self._rarely(500) else self.random.choice([1, 2, 3, 4, 5, 6, 7, 8, 65_535])

    def _options(self) -> int:
        if self.level < 5:
            return 3 if self._rarely(100) else self.random.randrange(3)
        if self._rarely(150):
            return self.random.randrange(256)
        random = self.random
        return (
            random.randrange(3) | (random.randrange(8) == 0) << 2 | random.randrange(2) << 3 | random.randrange(3) << 4
        )

    def _reason(self, reasons: list[int], identifiers: list[int] | None = None) -> tuple[Any, ...]:
        if self.level < 5 or self.random.random() < 0.5:
            return ()
        return self.random.choice(reasons), self._stated(identifiers or [0x1F, 0x26])

    def _stated(self, identifiers: list[int]) -> Stated | None:
        if self.level < 5 or self.random.random() < 0.5:
            return None
        chosen = [self.random.choice(identifiers) for _ in range(self.random.randrange(4))]
        if self._rarely(150):
            chosen.append(self.random.choice(_ANY))
        return {identifier: self._value(identifier) for identifier in chosen}

    def _value(self, identifier: int) -> Any:
        choose = self.random.choice
        if identifier in (0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A):
            return choose([0, 1, 1, 1] if not self._rarely(100) else [2, 255])
        if identifier in (0x13, 0x21, 0x22, 0x23):
            return choose([1, 2, 3, 3, 10] if not self._rarely(100) else [0, 65_535])
        if identifier in (0x02, 0x11, 0x18, 0x27):
            return choose([20, 60, 1_000, 100_000, 0xFFFFFFFF] if not self._rarely(20) else [0, 1, 5])
        if identifier == 0x0B:
            return choose([1, 2, 127, 128, 268_435_455] if not self._rarely(100) else [0])
        if identifier == 0x26:
            return [("k", "v"), ("k", choose(["", "w" * 200]))]
        return choose(["", "a", "a/b", "long" * 30] if not self._rarely(100) else ["\0", "a/#", b"\xff\xfe"])


def answers(found: list[wire.Received]) -> Iterator[bytes]:
    """Acknowledge what a server sent, as it should be."""
    for head, body in found:
        packet_id = int.from_bytes(body[:2], "big")
        if head >> 4 == 3 and head & 6:
            packet_id = int.from_bytes(body[2 + packet_id : 4 + packet_id], "big")
            yield wire.puback(packet_id) if head & 2 else wire.pubrec(packet_id)
        elif head == 0x62:
            yield wire.pubcomp(packet_id)


def mutated(random: Random, data: bytes) -> bytes:
    """Return bytes that are a little different."""
    changed = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5])):
        at, end = sorted((random.randrange(len(changed) + 1), random.randrange(len(changed) + 1)))
        end = min(end, at + 8)
        match random.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1 if at < len(changed):
                changed[at] = random.choice([0, 1, 127, 128, 255])
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = random.randbytes(random.randrange(1, 5))
            case 4:
                changed[at:at] = changed[at:end]
            case _:
                del changed[end:]
    return bytes(changed)


def cut(random: Random, data: bytes) -> list[bytes]:
    """Return the same bytes in parts, as a network may deliver them."""
    places = sorted(random.randrange(len(data) + 1) for _ in range(random.choice([0, 0, 0, 1, 3])))
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False) if end > start]
