"""Clients that other people wrote, for tests: mosquitto's commands and paho-mqtt."""

from __future__ import annotations

import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def command(name: str) -> str:
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: install mosquitto-clients"
    return path


def login(running, version: str) -> list[str]:
    where = ["-h", "127.0.0.1", "-p", str(running.port)]
    return [*where, "-V", version, "-u", "ada", "-P", "right"]


def run(name: str, running, *options: str, version: str = "mqttv311") -> subprocess.CompletedProcess[str]:
    """Run one of mosquitto's commands to its end."""
    return subprocess.run(
        [command(name), *login(running, version), *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def pub(running, *options: str, version: str = "mqttv311") -> subprocess.CompletedProcess[str]:
    return run("mosquitto_pub", running, *options, version=version)


@contextmanager
def sub(running, *options: str, version: str = "mqttv311") -> Iterator[Iterator[str]]:
    """Run mosquitto_sub until the block ends; yield what it prints, once it has subscribed."""
    with subprocess.Popen(
        ["stdbuf", "-oL", command("mosquitto_sub"), *login(running, version), "-d", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            early = []
            for line in process.stdout:
                early.append(line)
                if line.startswith("Subscribed"):
                    break
            yield chain(early, process.stdout)
        finally:
            process.kill()


def got(printed: Iterator[str], count: int) -> list[str]:
    """Return the next messages, without the debugging lines between them."""
    messages = (line.strip() for line in printed if line.startswith("got "))
    return list(islice(messages, count))


def wait_until_gone(running, client_id: str) -> None:
    """Wait until the server has seen a client leave."""
    deadline = time.monotonic() + 20
    while any(session.client_id == client_id and session.line for session in running.do(lambda: _sessions(running))):
        assert time.monotonic() < deadline, f"{client_id} is still connected"
        time.sleep(0.01)


def _sessions(running) -> list[Any]:
    return list(running.server._broker.sessions)


class Paho:
    """A paho client that collects what it hears."""

    def __init__(self, running, client_id: str, **options) -> None:
        self.messages: list[tuple[str, bytes, int, bool]] = []
        self.more = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, **options)
        self.client.username_pw_set("ada", "right")
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self._ready.set()
        self._ready = threading.Event()
        self.client.connect("127.0.0.1", running.port)
        self.client.loop_start()

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self._ready.clear()
        self.client.subscribe(topic_filter, qos)
        assert self._ready.wait(10)

    def wait_for(self, count: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.messages) >= count, 20)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, client, data, message) -> None:
        with self.more:
            self.messages.append((message.topic, message.payload, message.qos, message.retain))
            self.more.notify()


class Paho5:
    """A paho client of version 5, whose callbacks are queues."""

    def __init__(self, running, client_id: str, *, clean: bool = True, will=None, **properties: Any) -> None:
        self.messages: queue.Queue[Any] = queue.Queue()
        self.connected: queue.Queue[Any] = queue.Queue()
        self.disconnected: queue.Queue[Any] = queue.Queue()
        self.subscribed: queue.Queue[Any] = queue.Queue()
        self.published: queue.Queue[Any] = queue.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        self.client.username_pw_set("ada", "right")
        self.client.on_connect = lambda _, __, flags, reason, told: self.connected.put((flags, reason, told))
        self.client.on_disconnect = lambda _, __, flags, reason, told: self.disconnected.put(reason)
        self.client.on_subscribe = lambda _, __, ___, reasons, told: self.subscribed.put(reasons)
        self.client.on_publish = lambda _, __, number, reason, told: self.published.put((number, reason))
        self.client.on_message = lambda _, __, message: self.messages.put(message)
        if will is not None:
            topic, payload, stated = will
            self.client.will_set(topic, payload, 1, properties=stated)
        stated = stating(PacketTypes.CONNECT, **properties)
        self.client.connect("127.0.0.1", running.port, clean_start=clean, properties=stated)
        self.client.loop_start()
        self.flags, self.reason, self.told = self.connected.get(timeout=10)

    def subscribe(self, topic_filter: str, *, properties=None, **options: Any) -> list[int]:
        """Subscribe with options; return the reason codes."""
        wanted = paho.SubscribeOptions(**options)
        self.client.subscribe(topic_filter, options=wanted, properties=properties)
        return [reason.value for reason in self.subscribed.get(timeout=10)]

    def publish(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, **properties: Any) -> int:
        """Publish with properties; return the reason code once that has arrived."""
        stated = stating(PacketTypes.PUBLISH, **properties)
        number = self.client.publish(topic, payload, qos, retain, properties=stated).mid
        published, reason = self.published.get(timeout=10)
        assert published == number
        return reason.value

    def next(self) -> Any:
        return self.messages.get(timeout=10)

    def vanish(self) -> None:
        """Break the connection without DISCONNECT."""
        self.client.on_disconnect = None
        self.client.loop_stop()
        self.client.socket().close()

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def stating(packet_type: int, **values: Any) -> Properties:
    """Return paho's properties for a packet type."""
    properties = Properties(packet_type)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
