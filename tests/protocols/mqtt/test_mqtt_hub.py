"""The server and the hub on one loop: with real sockets, and without any listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import mqtt_wire as wire
from conftest import Running

from protocols.hub.hub import Hub
from protocols.hub.keeper import StoreKeeper
from protocols.hub.limits import HubLimits
from protocols.hub.messages import Message
from protocols.mqtt.server import MqttServer


class Ear:
    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def heard(self, messages: Sequence[Message]) -> None:
        self.payloads += [message.payload for message in messages]


def anything(topic: str) -> bool:
    return True


def test_the_hub_hears_and_tells_at_the_end_of_the_turn(start: Callable[..., Running]) -> None:
    running, ear = start(), Ear()
    running.do(lambda: running.hub.listen(["a"], ear, anything))
    client = running.client()
    client.send(wire.publish("a", b"1"), wire.publish("a", b"2", 1))
    assert client.receive()[0] == 0x40
    deadline = time.monotonic() + 5
    while len(ear.payloads) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ear.payloads == [b"1", b"2"]
    assert {usage.name for usage in running.do(running.server.usage)} >= {"HUB_TOPICS", "MQTT_MAX_PACKET"}


def test_a_client_gets_what_the_hub_publishes(start: Callable[..., Running]) -> None:
    running = start()
    client = running.client()
    client.send(wire.subscribe(("#", 1)))
    client.receive()
    running.do(lambda: running.hub.publish("a", b"1", qos=1))
    assert wire.message(client.receive())[:2] == ("a", b"1")


def test_the_hub_works_without_listeners_and_its_values_come_back(tmp_path: Path) -> None:
    async def run(payload: bytes) -> bytes | None:
        hub = Hub(HubLimits(), time.time, StoreKeeper(tmp_path / "hub.db"))
        server = MqttServer(authenticate=wire.Door(), presence=wire.Recorder(), hub=hub)
        await server.start({}, {})
        before, ear = hub.get("a"), Ear()
        hub.listen(["a"], ear, anything)
        hub.publish("a", payload)
        assert ear.payloads == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ear.payloads == [payload]
        await server.stop()
        return before.payload if before is not None else None

    assert asyncio.run(run(b"1")) is None
    assert asyncio.run(run(b"2")) == b"1"
