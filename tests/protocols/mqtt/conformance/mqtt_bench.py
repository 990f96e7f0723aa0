"""A broker on a bench: clients of both versions without sockets, and a clock that is moved by hand."""

from __future__ import annotations

from typing import Any

import mqtt_client as mqtt
import mqtt_wire as wire
import pytest
from mqtt_client import SESSION_EXPIRY, Properties, Seen

from protocols.mqtt.errors import MqttError
from protocols.mqtt.limits import Limits

BOTH = pytest.mark.parametrize("level", [4, 5], ids=["3.1.1", "5.0"])

HOUR = 3_600


class Bench:
    """One broker, its clients and the time."""

    def __init__(self, **limits: Any) -> None:
        self.broker = wire.broker(Limits(**limits))
        self.now = 0.0
        self.clients: list[Client] = []

    def knock(self, *packets: bytes, level: int = 5) -> Client:
        """Return a client whose connection begins with these packets."""
        client = Client(self, level)
        self.clients.append(client)
        return client.send(*packets)

    def client(
        self,
        client_id: str = "c",
        level: int = 5,
        *,
        durable: bool = False,
        properties: Properties | None = None,
        **options: Any,
    ) -> Client:
        """Return a client that was let in; a durable one has a session that is kept for an hour."""
        values = {**({SESSION_EXPIRY: HOUR} if durable else {}), **(properties or {})}
        options = {"clean": not durable, **options}
        client = self.knock(mqtt.connect(client_id, level, properties=values, **options), level=level)
        client.early = client.take()
        client.connack = client.early.pop(0)
        assert (client.connack.kind, client.connack.reason) == ("CONNACK", 0), client.connack
        return client

    def wait(self, seconds: float) -> None:
        """Let time pass, as the server's sweep does."""
        self.now += seconds
        self.broker.sweep(self.now)
        for client in self.clients:
            client.check()


class Client:
    """One connection; `send` what a client says, `take` what the broker answers."""

    def __init__(self, bench: Bench, level: int) -> None:
        self.bench = bench
        self.level = level
        self.peer = wire.Peer(bench.broker, now=bench.now)
        self.connack = Seen("")
        self.early: list[Seen] = []  # what came right behind the CONNACK

    def send(self, *packets: bytes) -> Client:
        self.peer.send(*packets, now=self.bench.now)
        return self

    def take(self) -> list[Seen]:
        """Return what came since this was last asked."""
        return [mqtt.read(head, body, self.level) for head, body in self.peer.received()]

    def check(self) -> None:
        """Close the connection when it has been silent for too long."""
        connection = self.peer.connection
        if not self.closed and (reason := connection.overdue(self.bench.now)) is not None:
            connection.expel(reason)

    def lose(self) -> None:
        """Break the connection."""
        self.peer.connection.close("connection lost")

    @property
    def closed(self) -> bool:
        return self.peer.closed

    @property
    def error(self) -> MqttError | None:
        return self.peer.error

    # --- what clients do all the time

    def publish(
        self, topic: str | bytes, payload: bytes = b"", qos: int = 0, packet_id: int = 1, **more: Any
    ) -> Client:
        return self.send(mqtt.publish(self.level, topic, payload, qos, packet_id, **more))

    def subscribe(
        self,
        *filters: tuple[str | bytes, int],
        packet_id: int = 1,
        properties: Properties | None = None,
    ) -> list[Seen]:
        """Subscribe; return the SUBACK and what came with it."""
        return self.send(mqtt.subscribe(self.level, *filters, packet_id=packet_id, properties=properties)).take()

    def unsubscribe(self, *filters: str, packet_id: int = 1) -> list[Seen]:
        return self.send(mqtt.unsubscribe(self.level, *filters, packet_id=packet_id)).take()

    def answer(self, kind: str, packet_id: int, reason: int = 0) -> Client:
        return self.send(mqtt.answer(kind, packet_id, reason))

    def payloads(self) -> list[bytes]:
        """Return the payloads of what came, which must be messages."""
        return [one.payload for one in messages(self.take())]

    def closed_with(self) -> int | None:
        """Return the reason of the DISCONNECT with which the connection was closed; None for none at all."""
        assert self.closed
        goodbye = [one.reason for one in self.take() if one.kind == "DISCONNECT"]
        return goodbye[0] if goodbye else None


def read_all(reader: Client, most: int) -> list[int]:
    """Take and acknowledge every message of QoS 1 and 2, of which so many may be under way; return what they carry."""
    found, under_way = [], set()
    while seen := reader.take():
        for one in seen:
            if one.kind == "PUBLISH":
                found.append(one.payload[0])
                under_way.add(one.packet_id)
                assert len(under_way) <= most
        for one in seen:
            if one.kind == "PUBREL" or one.qos == 1:
                under_way.remove(one.packet_id)
            reader.answer("PUBCOMP" if one.kind == "PUBREL" else ("PUBACK", "PUBREC")[one.qos - 1], one.packet_id)
    return found


def messages(seen: list[Seen]) -> list[Seen]:
    """Return these packets, which must all be messages."""
    assert [one.kind for one in seen if one.kind != "PUBLISH"] == []
    return seen


def kinds(seen: list[Seen]) -> list[str]:
    return [one.kind for one in seen]


def refusal(level: int, reason: int) -> int | None:
    """Return the reason of DISCONNECT that this version has: 3.1.1 has none."""
    return reason if level == 5 else None
