"""Both parts with real sockets between them, each on a loop of its own, and foreign clients of theirs."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from asyncua import ua
from asyncua.sync import Client, ThreadLoop

from portal import unix
from protocols.answers import Answers
from protocols.contract import Grant
from protocols.hub.hub import Hub
from protocols.hub.keeper import StoreKeeper
from protocols.hub.limits import HubLimits
from protocols.hub.linked import LinkedHub
from protocols.looper import Looper
from protocols.mqtt.limits import Limits
from protocols.mqtt.server import MqttServer
from protocols.opcua.topics.space import TopicSpace
from protocols.opcua.values.limits import ValueLimits
from tests.protocols.opcua.opcua_host import Door, Recorder
from tests.support.processes import wait_until

HOST = "127.0.0.1"
NAME = "main.sock"
TOPICS = ua.NodeId(1, 3)


class Main:
    """The main part: the broker, the hub, and its answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.door = Door()
        with socket.create_server((HOST, 0)) as listener:
            self.port: int = listener.getsockname()[1]
        self.looper: Looper | None = None

    def start(self) -> Main:
        self.looper = Looper("mqtt")
        self.looper.start()
        self.hub = Hub(HubLimits(), time.time, StoreKeeper(self.folder / "hub.db"))
        self.server = MqttServer(hub=self.hub, authenticate=self.door, presence=Recorder(), limits=Limits())
        self.answers = Answers({}, LinkedHub(self.hub).actions())
        grants = {one.integration_id: one for one in self.door.answers.values() if isinstance(one, Grant)}
        self.looper.run(self.server.start({"tcp": [socket.create_server((HOST, self.port))]}, grants), 10)
        self.looper.run(self.answers.start(unix.listen(self.folder, NAME, socket.SOCK_STREAM)), 10)
        return self

    def stop(self) -> None:
        if self.looper is not None:
            self.looper.run(self.answers.stop(), 5)
            self.looper.run(self.server.stop(), 5)
            self.looper.stop(5)
            self.looper = None

    def do(self, act: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return act()

        assert self.looper is not None
        return self.looper.run(run(), 5)

    def value(self, topic: str) -> bytes | None:
        """Return the payload that the hub has."""
        found = self.do(lambda: self.hub.get(topic))
        return found.payload if found is not None else None


def dial(folder: Path) -> Callable[[], socket.socket]:
    return partial(unix.connect, folder, NAME, socket.SOCK_STREAM, 0.0)


def space(folder: Path, clock: Callable[[], Any], path: Path | None = None, **limits: Any) -> TopicSpace:
    return TopicSpace(path, ValueLimits(**limits), clock, dial(folder), lambda username: False)


class Mqtt:
    """A foreign MQTT client that remembers what it is told."""

    def __init__(self, port: int, username: str = "ada", *filters: str, password: str = "right") -> None:  # noqa: S107
        self.messages: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(username, password)
        self._client.on_message = self._heard
        subscribed: list[Any] = []
        self._client.on_subscribe = lambda *what: subscribed.append(what)
        self._client.connect(HOST, port)
        self._client.loop_start()
        if filters:
            self._client.subscribe([(one, 1) for one in filters])
            wait_until(lambda: subscribed)

    def _heard(self, client: Any, data: Any, message: Any) -> None:
        self.messages.put((message.topic, message.payload, message.retain))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        self._client.publish(topic, payload, qos, retain).wait_for_publish(5)

    def next(self) -> tuple[str, bytes, bool]:
        return self.messages.get(timeout=20)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Seen:
    """What monitored items told, oldest first."""

    def __init__(self) -> None:
        self.values: list[ua.DataValue] = []

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.values.append(data.monitored_item.Value)

    @property
    def told(self) -> list[Any]:
        """Return values; of a bad one the name of its status."""
        return [one.Value.Value if one.StatusCode.is_good() else one.StatusCode.name for one in self.values]

    def wait_for(self, *wanted: Any) -> None:
        """Wait until the last that was told is this."""
        wait_until(lambda: self.told[-len(wanted) :] == list(wanted), what=f"{wanted} to come last; came: {self.told}")


class OpcUa:
    """A foreign OPC UA client."""

    def __init__(self, url: str, threads: ThreadLoop, username: str = "ada") -> None:
        self.client = Client(url, tloop=threads)
        self.client.set_user(username)
        self.client.set_password("right")
        self.client.connect()

    def node(self, topic: str | ua.NodeId) -> Any:
        return self.client.get_node(ua.NodeId(topic, 3) if isinstance(topic, str) else topic)

    def own(self, identifier: str) -> Any:
        return self.client.get_node(ua.NodeId(identifier, 2))

    def value(self, node: Any) -> Any:
        """Return a node's value, or of a bad one the name of its status."""
        found = node.read_data_value(raise_on_bad_status=False)
        return found.Value.Value if found.StatusCode.is_good() else found.StatusCode.name

    def watch(self, *nodes: Any, queue: int = 10) -> Seen:
        seen = Seen()
        subscription = self.client.create_subscription(20, seen)
        subscription.subscribe_data_change(list(nodes), queuesize=queue)
        return seen

    def close(self) -> None:
        self.client.disconnect()


def grant(number: int, username: str, publish: str = "", subscribe: str = "") -> Grant:
    return Grant(number, username, tuple(publish.split()), tuple(subscribe.split()))
