"""The client's side of MQTT 3.1.1 and 5.0, written down a second time, for tests.

Properties are a dictionary from identifier to value; a value that is repeated is a list.
"""

from __future__ import annotations

import itertools
import socket
import time
from typing import Any

from protocols.contract import Grant, Login, Refusal, Wait
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.mqtt.broker import Broker
from protocols.mqtt.connection import Connection
from protocols.mqtt.errors import MqttError
from protocols.mqtt.keeping import Keeper
from protocols.mqtt.limits import Limits

PINGREQ = b"\xc0\x00"
PINGRESP = (0xD0, b"")
DISCONNECT = b"\xe0\x00"

Received = tuple[int, bytes]


def string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def variable(number: int) -> bytes:
    """Encode a remaining length, or another variable byte integer."""
    encoded = bytearray()
    while True:
        encoded.append(number % 128 + (128 if number > 127 else 0))
        number //= 128
        if not number:
            return bytes(encoded)


def packet(head: int, body: bytes) -> bytes:
    return bytes((head,)) + variable(len(body)) + body


_ONE_BYTE = {0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A}
_TWO_BYTES = {0x13, 0x21, 0x22, 0x23}
_FOUR_BYTES = {0x02, 0x11, 0x18, 0x27}


def properties(values: dict[int, Any] | None) -> bytes:
    """Encode properties with their length in front."""
    body = property_fields(values or {})
    return variable(len(body)) + body


def property_fields(values: dict[int, Any]) -> bytes:
    body = b""
    for identifier, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            body += bytes((identifier,)) + _value(identifier, one)
    return body


def _value(identifier: int, value: Any) -> bytes:
    if isinstance(value, int):
        for size, identifiers in ((1, _ONE_BYTE), (2, _TWO_BYTES), (4, _FOUR_BYTES)):
            if identifier in identifiers:
                return value.to_bytes(size, "big")
        return variable(value)
    if isinstance(value, tuple):
        return string(value[0]) + string(value[1])
    return string(value)


def read_properties(body: bytes, at: int = 0) -> tuple[dict[int, Any], int]:
    """Decode the properties that a server sent; user properties and subscription identifiers are lists."""
    length, at = _variable(body, at)
    found: dict[int, Any] = {}
    end = at + length
    while at < end:
        identifier, at = body[at], at + 1
        for size, identifiers in ((1, _ONE_BYTE), (2, _TWO_BYTES), (4, _FOUR_BYTES)):
            if identifier in identifiers:
                found[identifier] = int.from_bytes(body[at : at + size], "big")
                at += size
                break
        else:
            if identifier == 0x0B:
                value, at = _variable(body, at)
                found.setdefault(identifier, []).append(value)
            elif identifier == 0x26:
                name, at = _text(body, at)
                text, at = _text(body, at)
                found.setdefault(identifier, []).append((name.decode(), text.decode()))
            else:
                data, at = _text(body, at)
                found[identifier] = data if identifier in (0x09, 0x16) else data.decode()
    assert at == end, "properties that do not end where they should"
    return found, at


def _variable(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (body[at] & 127) << shift
        shift += 7
        at += 1
        if body[at - 1] < 128:
            return number, at


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end], end


def connect(
    client_id: str = "c",
    username: str | None = "ada",
    password: bytes | None = b"right",
    *,
    clean: bool = True,
    keep_alive: int = 0,
    will: tuple[str, bytes, int, bool] | None = None,
    level: int = 4,
    stated: dict[int, Any] | None = None,
    will_stated: dict[int, Any] | None = None,
) -> bytes:
    flags = clean << 1
    payload = string(client_id)
    if will is not None:
        topic, message, qos, retain = will
        flags |= 4 | qos << 3 | retain << 5
        payload += properties(will_stated) if level >= 5 else b""
        payload += string(topic) + string(message)
    if username is not None:
        flags |= 0x80
        payload += string(username)
    if password is not None:
        flags |= 0x40
        payload += string(password)
    body = string("MQTT") + bytes((level, flags)) + keep_alive.to_bytes(2, "big")
    body += properties(stated) if level >= 5 else b""
    return packet(0x10, body + payload)


def publish(
    topic: str | bytes,
    payload: bytes = b"",
    qos: int = 0,
    packet_id: int = 1,
    *,
    retain: bool = False,
    dup: bool = False,
    level: int = 4,
    stated: dict[int, Any] | None = None,
) -> bytes:
    identifier = packet_id.to_bytes(2, "big") if qos else b""
    identifier += properties(stated) if level >= 5 else b""
    return packet(0x30 | dup << 3 | qos << 1 | retain, string(topic) + identifier + payload)


def subscribe(
    *filters: tuple[str, int], packet_id: int = 1, level: int = 4, stated: dict[int, Any] | None = None
) -> bytes:
    """Encode SUBSCRIBE; in 5.0 the number of each filter has all its subscription options."""
    identifier = packet_id.to_bytes(2, "big") + (properties(stated) if level >= 5 else b"")
    return packet(0x82, identifier + b"".join(string(wanted) + bytes((options,)) for wanted, options in filters))


def unsubscribe(*filters: str, packet_id: int = 1, level: int = 4, stated: dict[int, Any] | None = None) -> bytes:
    identifier = packet_id.to_bytes(2, "big") + (properties(stated) if level >= 5 else b"")
    return packet(0xA2, identifier + b"".join(map(string, filters)))


def puback(packet_id: int, reason: int | None = None, stated: dict[int, Any] | None = None) -> bytes:
    return packet(0x40, packet_id.to_bytes(2, "big") + _reason(reason, stated))


def pubrec(packet_id: int, reason: int | None = None, stated: dict[int, Any] | None = None) -> bytes:
    return packet(0x50, packet_id.to_bytes(2, "big") + _reason(reason, stated))


def pubrel(packet_id: int, reason: int | None = None, stated: dict[int, Any] | None = None) -> bytes:
    return packet(0x62, packet_id.to_bytes(2, "big") + _reason(reason, stated))


def pubcomp(packet_id: int, reason: int | None = None, stated: dict[int, Any] | None = None) -> bytes:
    return packet(0x70, packet_id.to_bytes(2, "big") + _reason(reason, stated))


def disconnect(reason: int | None = None, stated: dict[int, Any] | None = None) -> bytes:
    return packet(0xE0, _reason(reason, stated))


def auth(reason: int | None = None, stated: dict[int, Any] | None = None) -> bytes:
    return packet(0xF0, _reason(reason, stated))


def _reason(reason: int | None, stated: dict[int, Any] | None) -> bytes:
    """Encode the end of a packet that may have a reason code, and then properties too (5.0)."""
    if reason is None:
        return b""
    return bytes((reason,)) + (properties(stated) if stated is not None else b"")


def connack(code: int = 0, *, present: bool = False) -> Received:
    return 0x20, bytes((present, code))


def split(data: bytes) -> tuple[list[Received], bytes]:
    """Cut what a server sent into (first byte, body), and what is incomplete."""
    found = []
    while len(data) > 1:
        length = shift = 0
        at = 1
        while True:
            if at >= len(data):
                return found, data
            byte = data[at]
            length |= (byte & 127) << shift
            shift += 7
            at += 1
            if byte < 128:
                break
        if at + length > len(data):
            break
        found.append((data[0], data[at : at + length]))
        data = data[at + length :]
    return found, data


def message(received: Received) -> tuple[str, bytes, int, int]:
    """Return (topic, payload, QoS, packet identifier) of a received PUBLISH."""
    head, body = received
    assert head >> 4 == 3, f"0x{head:02x} is no PUBLISH"
    end = 2 + int.from_bytes(body[:2], "big")
    qos = head >> 1 & 3
    packet_id = int.from_bytes(body[end : end + 2], "big") if qos else 0
    return body[2:end].decode(), body[end + 2 if qos else end :], qos, packet_id


class Door:
    """An `authenticate` that knows a few integrations, and remembers every login."""

    def __init__(self) -> None:
        self.logins: list[Login] = []
        self.waited = 0.0
        self.waits: list[Wait] = []  # given before any other answer
        self.answers: dict[str, Grant | Refusal] = {
            "ada": Grant(1, "ada"),
            "bob": Grant(2, "bob"),
            "idle": Refusal.INACTIVE,
            "plc": Refusal.WRONG_TYPE,
        }

    def __call__(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait:
        self.logins.append(login)
        self.waited = waited
        if self.waits:
            return self.waits.pop(0)
        if login.username is None:
            return Refusal.NO_CREDENTIALS
        answer = self.answers.get(login.username, Refusal.UNKNOWN_USERNAME)
        if isinstance(answer, Grant) and login.password != b"right":
            return Refusal.WRONG_PASSWORD
        return answer


class Recorder:
    """A presence that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []
        self.open: set[str] = set()
        self._count = 0

    def connected(self, grant: Grant, login: Login) -> str:
        self._count += 1
        connection_id = str(self._count)
        self.events.append(("connected", connection_id, grant.username, login.client_id))
        self.open.add(connection_id)
        return connection_id

    def refused(self, login: Login, refusal: Refusal, integration_id: int | None) -> None:
        self.events.append(("refused", refusal.value, str(integration_id)))

    def disconnected(self, connection_id: str, reason: str) -> None:
        self.open.remove(connection_id)  # exactly once
        self.events.append(("disconnected", connection_id, reason))


def hub() -> Hub:
    return Hub(HubLimits(), time.time)


def broker(limits: Limits | None = None, keeper: Keeper | None = None) -> Broker:
    numbers = itertools.count(1)
    limits = limits or Limits()
    return Broker(Door(), Recorder(), limits, keeper, hub=hub(), new_client_id=lambda: f"assigned-{next(numbers)}")


class Peer:
    """A client joined to a broker without a socket."""

    def __init__(self, broker: Broker, *, now: float = 0.0) -> None:
        self.connection = Connection(broker, "192.0.2.7", now, lambda: None, self._on_close)
        self.written: list[bytes] = []
        self.connection.outbox.write = self.written.append
        self.closed = False
        self.gently = False
        self.error: MqttError | None = None

    def send(self, *packets: bytes, now: float = 0.0) -> Peer:
        try:
            self.connection.feed(b"".join(packets), now)
        except MqttError as error:
            self.error = error
            self.connection.fail(error)
        self.connection.settle()
        return self

    def received(self) -> list[Received]:
        """Read everything the broker has for this client."""
        data = b"".join(self.written)
        self.written.clear()
        self.connection.settle()
        while self.connection.outbox.size:
            data += self.connection.outbox.take()
            self.connection.drained()
        found, rest = split(data)
        assert not rest
        return found

    def _on_close(self, gently: bool) -> None:
        self.closed = True
        self.gently = gently


def joined(broker: Broker, client_id: str = "c", username: str = "ada", **options: object) -> Peer:
    """Return a connected peer that has read its CONNACK."""
    peer = Peer(broker).send(connect(client_id, username, **options))  # type: ignore[arg-type]
    head, body = peer.received()[0]
    assert (head, body[1]) == (0x20, 0), f"refused with {body[1]}"
    return peer


class SocketClient:
    """A blocking client on a real socket."""

    def __init__(self, port: int, first: bytes = b"", over: Any = None) -> None:
        self.socket = over or socket.create_connection(("127.0.0.1", port), timeout=10)
        self._rest = b""
        self._packets: list[Received] = []
        if first:
            self.send(first)

    def send(self, *packets: bytes) -> SocketClient:
        self.socket.sendall(b"".join(packets))
        return self

    def receive(self) -> Received:
        """Return the next packet; EOFError when the server has closed."""
        while not self._packets:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self._packets, self._rest = split(self._rest + data)
        return self._packets.pop(0)

    def at_end(self) -> bool:
        """Wait for the server to close, ignoring what it sends before."""
        try:
            while True:
                self.receive()
        except EOFError:
            return True

    def close(self) -> None:
        self.socket.close()
