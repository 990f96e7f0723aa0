"""Two clients that do everything right, and must not notice anything of what others do."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time

from tests.protocols.mqtt import mqtt_wire as wire

PATIENCE = 10.0  # seconds for one message to go there and back


class Bystander:
    """One client on a socket."""

    def __init__(self, level: int, login: tuple[str, bytes] = ("eve", b"right")) -> None:
        self.level = level
        self._login = login
        self.inbox = f"bystander/{secrets.token_hex(8)}"
        self._data = b""
        self._packets: list[wire.Received] = []

    async def connect(self, port: int, *, context: ssl.SSLContext | None = None) -> None:
        name = "localhost" if context is not None else None
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        self.send(wire.connect(self.inbox, *self._login, level=self.level))
        head, body = await self.receive()
        assert (head, body[1]) == (0x20, 0), f"refused with {body[1]}"
        self.send(wire.subscribe((self.inbox, 2), level=self.level))
        head, body = await self.receive()
        assert (head, body[-1]) == (0x90, 2), "SUBSCRIBE was refused"

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self) -> wire.Received:
        while not self._packets:
            data = await self._reader.read(65_536)
            assert data, f"the server has closed the connection of a bystander of level {self.level}"
            self._packets, self._data = wire.split(self._data + data)
        return self._packets.pop(0)

    async def message(self) -> bytes:
        """Return the next message's payload, and end its handshake."""
        head, body = await self.receive()
        while head >> 4 != 3:
            self._answer(head, body)
            head, body = await self.receive()
        at = 2 + int.from_bytes(body[:2], "big")
        if qos := head >> 1 & 3:
            packet_id = int.from_bytes(body[at : at + 2], "big")
            self.send(wire.puback(packet_id) if qos == 1 else wire.pubrec(packet_id))
            at += 2
        if self.level >= 5:
            _, at = wire.read_properties(body, at)
        return body[at:]

    def _answer(self, head: int, body: bytes) -> None:
        packet_id = int.from_bytes(body[:2], "big")
        if head == 0x50:
            self.send(wire.pubrel(packet_id))
        elif head == 0x62:
            self.send(wire.pubcomp(packet_id))
        else:
            assert head in (0x40, 0x70), f"0x{head:02x} to a bystander: {body.hex()}"

    def close(self) -> None:
        self._writer.close()


async def exchange(one: Bystander, other: Bystander, number: int) -> float:
    """Send a message there and back; return how long it took."""
    started = time.monotonic()
    payload = str(number).encode()
    for sender, receiver in ((one, other), (other, one)):
        data = wire.publish(receiver.inbox, payload, number % 3, number % 65_535 + 1, level=sender.level)
        sender.send(data)
        seen = await asyncio.wait_for(receiver.message(), PATIENCE)
        assert seen == payload, f"message {payload!r} arrived as {seen!r}"
    return time.monotonic() - started
