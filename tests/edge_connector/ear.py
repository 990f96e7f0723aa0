"""Hears topics with a client that is not Gatehouse's: paho, with MQTT 5.0."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


class Ear:
    """Keeps what comes on a filter: topic, payload, and the user properties."""

    def __init__(self, port: int, integration: dict[str, Any], topics: str) -> None:
        self.heard: list[tuple[str, bytes, dict[str, str]]] = []
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(integration["username"], integration["password"])
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=2)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Ear:
        self._client.loop_start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.heard]

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def _message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        about = dict(getattr(message.properties, "UserProperty", []))
        self.heard.append((message.topic, message.payload, about))
