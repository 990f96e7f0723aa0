"""MQTT 3.1.1 clients that keep to the standard across lost connections: nothing is sent anew, nothing is given up."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress

HOST = "127.0.0.1"
AGAIN = 0.05  # seconds between two tries to connect

PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = 3, 4, 5, 6, 7, 8, 9
CONNECT, CONNACK = b"\x10", 0x20


def packet(head: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        length.append(rest % 128 + (128 if rest > 127 else 0))
        rest //= 128
        if not rest:
            return bytes((head,)) + length + body


def string(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


class Client:
    """A client with a durable session, which connects again whenever it is cut off, until it is told to stop."""

    def __init__(self, port: int, username: str, password: str, client_id: str) -> None:
        flags = 0xC0  # clean session 0
        body = string("MQTT") + bytes((4, flags)) + struct.pack(">H", 30)
        self._connect = packet(0x10, body + string(client_id) + string(username) + string(password))
        self._port = port
        self._writer: asyncio.StreamWriter | None = None
        self._stopping = False
        self.client_id = client_id
        self.connects = 0
        self.strangers: list[str] = []  # what a broker that forgets nothing does not do

    async def run(self) -> None:
        """Be connected, again and again."""
        while not self._stopping:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._session()
            self._writer = None
            await asyncio.sleep(AGAIN)

    def stop(self) -> None:
        """Leave without DISCONNECT."""
        self._stopping = True
        if self._writer is not None:
            self._writer.transport.abort()

    def resume(self) -> None:
        """Go on after a CONNACK; for subclasses."""

    def take(self, kind: int, head: int, body: bytes) -> None:
        """Act on a packet; for subclasses."""

    def send(self, data: bytes) -> None:
        """Send if there is a connection."""
        if self._writer is not None:
            self._writer.write(data)

    async def _session(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        try:
            writer.write(self._connect)
            head, body = await self._read(reader)
            assert head == CONNACK, hex(head)
            if body[1]:
                return
            if self.connects and not body[0]:
                self.strangers.append(f"{self.client_id}: the session is not present")
            self.connects += 1
            self._writer = writer
            self.resume()
            while True:
                head, body = await self._read(reader)
                self.take(head >> 4, head, body)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = (await reader.readexactly(1))[0]
        length = shift = 0
        while True:
            (byte,) = await reader.readexactly(1)
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return head, await reader.readexactly(length)


class Publisher(Client):
    """Publishes numbered messages, with as many under way as its window allows; keeps what was acknowledged."""

    def __init__(self, *who: str | int, topic: str, qos: int, window: int = 20, retained: str = "") -> None:
        super().__init__(*who)  # type: ignore[arg-type]
        self._topic, self._qos, self._window, self._retained = topic, qos, window, retained
        self._unacknowledged: dict[int, tuple[int, bytes]] = {}  # number and what follows the first byte, oldest first
        self._released: dict[int, None] = {}
        self._packet_id = 0
        self.sent = 0
        self.acknowledged: list[int] = []
        self.paused = False

    @property
    def is_done(self) -> bool:
        return not self._unacknowledged and not self._released

    def resume(self) -> None:
        for _, (_, rest) in self._unacknowledged.items():
            self.send(bytes((0x38 | self._qos << 1 | bool(self._retained),)) + rest)
        for packet_id in self._released:
            self.send(packet(0x62, struct.pack(">H", packet_id)))

    def take(self, kind: int, head: int, body: bytes) -> None:
        (packet_id,) = struct.unpack(">H", body[:2])
        if kind in (PUBACK, PUBREC) and packet_id in self._unacknowledged:
            self.acknowledged.append(self._unacknowledged.pop(packet_id)[0])
        if kind == PUBREC:
            self._released[packet_id] = None
            self.send(packet(0x62, body[:2]))
        elif kind == PUBCOMP:
            self._released.pop(packet_id, None)

    async def publish(self, pause: float) -> None:
        """Publish as the window allows, until the client stops."""
        while not self._stopping:
            while not self.paused and self._writer is not None and self._has_room():
                self._publish_one()
            await asyncio.sleep(pause)

    def _has_room(self) -> bool:
        return len(self._unacknowledged) + len(self._released) < self._window

    def _publish_one(self) -> None:
        self._packet_id = self._packet_id % 65_535 + 1
        self.sent += 1
        topic = self._topic if not self._retained else f"{self._retained}/{self.sent % 40}"
        body = string(topic) + struct.pack(">H", self._packet_id) + b"%d" % self.sent
        whole = packet(0x30 | self._qos << 1 | bool(self._retained), body)
        self._unacknowledged[self._packet_id] = (self.sent, whole[1:])
        self.send(whole)


class Subscriber(Client):
    """Subscribes once, and acknowledges what it gets; keeps the numbers that it got, by topic."""

    def __init__(self, *who: str | int, topic_filter: str, qos: int) -> None:
        super().__init__(*who)  # type: ignore[arg-type]
        body = struct.pack(">H", 1) + string(topic_filter) + bytes((qos,))
        self._subscribe = packet(0x82, body)
        self._underway: set[int] = set()  # QoS 2 packet identifiers that have arrived and are not released
        self.subscribed = False
        self.got: dict[str, list[int]] = {}

    def resume(self) -> None:
        if not self.subscribed:
            self.send(self._subscribe)

    def take(self, kind: int, head: int, body: bytes) -> None:
        if kind == SUBACK:
            self.subscribed = True
        elif kind == PUBLISH:
            self._take_message(head >> 1 & 3, body)
        elif kind == PUBREL:
            self._underway.discard(struct.unpack(">H", body)[0])
            self.send(packet(0x70, body))

    def _take_message(self, qos: int, body: bytes) -> None:
        end = 2 + struct.unpack(">H", body[:2])[0]
        topic, packet_id = body[2:end].decode(), body[end : end + 2]
        number = struct.unpack(">H", packet_id)[0]
        if qos == 2:
            if number not in self._underway:
                self._underway.add(number)
                self.got.setdefault(topic, []).append(int(body[end + 2 :]))
            self.send(packet(0x50, packet_id))
        else:
            assert qos == 1
            self.got.setdefault(topic, []).append(int(body[end + 2 :]))
            self.send(packet(0x40, packet_id))

    @property
    def count(self) -> int:
        return sum(map(len, self.got.values()))
