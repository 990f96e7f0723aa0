"""The one connection: MQTT 5.0 by paho, over TCP, TLS or WebSocket, made again and again, and never listened for.

The session outlives the connection, so that QoS 2 holds over a cut; it begins anew with each process.  Requests are
subscribed to with QoS 0: the server keeps none for later, since nobody waits for an answer that long.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import select
import threading
import time
from collections.abc import Callable
from socket import socketpair
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_connector import tls
from edge_connector.client import Client
from edge_connector.config import Server
from edge_connector.following import REQUESTS, VIA, Following, Hear, numbered, properties
from edge_connector.leaving import Leaving
from edge_connector.outbox import Message
from edge_connector.pauses import Pauses
from edge_connector.sender import Unsendable

log = logging.getLogger(__name__)

KEEP_ALIVE = 30
CONNECT_TIMEOUT = 10.0
SESSION_SECONDS = 86_400
LASTED = 10.0  # seconds after which a connection counts as good
PACKET_OVERHEAD = 256  # bytes of a PUBLISH beside topic and payload

_SESSION_TAKEN_OVER = 0x8E


class Link:
    """Connects, stays connected, and tells of it: `on_up(window)`, `on_down()`, `on_message`, `on_acknowledged`."""

    def __init__(
        self, server: Server, place: str, largest: int, will: tuple[str, bytes] | None = None, name: str = ""
    ) -> None:
        """Prepare to connect as who is at a place, and take packets up to a size; `name` is said where it logs."""
        self.on_up: Callable[[int], None] = lambda window: None
        self.on_down: Callable[[], None] = lambda: None
        self.on_message: Callable[[str, bytes], None] = lambda topic, payload: None
        self.on_acknowledged: Callable[[int, int], None] = lambda packet, reason: None
        self.password: Callable[[], str] = lambda: server.password
        self._server = server
        self._wanted = largest
        self._name = f"{name}: " if name else ""
        self._following = Following()
        self._asked: dict[int, str] = {}  # filters by the packets that asked for them
        self._stopping = threading.Event()
        self._pauses = Pauses(random.random)
        self._up_since: float | None = None
        self._largest = 2**28
        self._leaving = Leaving()
        self._trouble = ""
        self._told = False  # what became of this attempt
        self._accepted: Properties | None = None  # what a server says that has just accepted the connection
        self._order = threading.Lock()  # held while a value is handed to paho, which is never before it is up again
        self.connections = 0
        self._near, self._far = socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._client = self._made(place, will)
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, goodbye: Callable[[], None]) -> None:
        """Say goodbye, disconnect, and end."""
        with self._order:
            self._stopping.set()
        if self._up_since is not None:
            goodbye()
            about = properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0)
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Normal disconnection"), about)
        self._thread.join(CONNECT_TIMEOUT)

    def status(self) -> dict[str, Any]:
        """Return how the connection is."""
        server = self._server
        return {
            "server": f"{server.host}:{server.port}",
            "transport": server.transport,
            "connections": self.connections,
            "trouble": self._trouble,
        }

    # --- what is heard and sent

    def follow(self, topics: str, hear: Hear) -> None:
        """Hear all that comes on a filter; said before the connection is made for the first time."""
        self._following.add(topics, hear)

    def deliver(self, topic: str, payload: bytes, retain: bool) -> paho.MQTTMessageInfo | None:
        """Send something whose sender waits until it has arrived; None without a connection.  Raises `Unsendable`."""
        self._check_size(topic, payload)
        with self._order:
            return None if self._up_since is None else self._client.publish(topic, payload, qos=1, retain=retain)

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Send something that is of use now or never."""
        if len(topic) + len(payload) + PACKET_OVERHEAD > self._largest:
            log.error("a message of %d bytes for %s is larger than the server takes", len(payload), topic)
        elif self._up_since is not None and self._leaving.has_room(len(payload)):
            about = self._client.publish(topic, payload, qos=1 if retain else 0, retain=retain)
            self._leaving.add(about, len(payload))

    def subscribe(self, topic: str) -> None:
        if self._up_since is not None:
            self._client.subscribe(topic, options=SubscribeOptions(0), properties=numbered(REQUESTS))

    def send(self, message: Message, number: int | None) -> int | None:
        """Send a value so that it arrives once; return the packet's id, or None without a connection.

        Raises `Unsendable`.
        """
        self._check_size(message.topic, message.payload)
        marks = [("time", message.read_at), *((VIA, one) for one in message.via)]
        marks += [("number", str(number))] if number is not None else []
        about = properties(PacketTypes.PUBLISH, UserProperty=marks)
        with self._order:
            if self._up_since is None:
                return None
            try:
                return self._client.publish(
                    message.topic, message.payload, qos=2, retain=message.retain, properties=about
                ).mid
            except ValueError as error:
                raise Unsendable(str(error)) from None

    def _check_size(self, topic: str, payload: bytes) -> None:
        if len(topic) + len(payload) + PACKET_OVERHEAD > self._largest:
            raise Unsendable(f"{len(payload)} bytes are more than the server takes")

    # --- the connection

    def _made(self, place: str, will: tuple[str, bytes] | None) -> paho.Client:
        server = self._server
        digest = hashlib.sha256(place.encode()).hexdigest()[:20]
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"ve3{digest}",
            protocol=paho.MQTTv5,
            transport="websockets" if server.transport in ("ws", "wss") else "tcp",
            reconnect_on_failure=False,
        )
        client.max_inflight_messages_set(65_000)  # the sender has a window of its own
        client.connect_timeout = CONNECT_TIMEOUT
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        client.ws_set_options(path=server.path)
        if server.is_encrypted:
            client.tls_set_context(tls.context(server))
            if server.fingerprint:
                client.tls_insecure_set(True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        client.on_publish = lambda client, data, packet, reason, about: self.on_acknowledged(packet, reason.value)
        client.on_subscribe = self._subscribed
        client.on_socket_register_write = self._wake  # other threads queue, and only this one writes
        return client

    # --- its thread, which is paho's as well

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._attempt()
            if not self._stopping.is_set():
                self._stopping.wait(self._pauses.next())
        self.discard()

    def discard(self) -> None:
        """Let go of what a link has that never starts, or has ended."""
        self._near.close()
        self._far.close()

    def _attempt(self) -> None:
        """Connect, and stay for as long as the connection lasts."""
        self._told, self._accepted = False, None
        if self._server.username:
            self._client.username_pw_set(self._server.username, self.password())
        try:
            self._open()
        except (OSError, ValueError) as error:
            self._troubled(f"cannot connect: {error}")
            return
        given_up = time.monotonic() + CONNECT_TIMEOUT
        while self._turn():
            if self._up_since is None and self._stopping.is_set():
                break
            if self._up_since is None and time.monotonic() > given_up:
                self._troubled("the server does not answer")
                break
        left = self._client.socket()
        if left is not None:
            left.close()
        if not self._told and not self._stopping.is_set():
            self._troubled("the server ended the connection, or talks something else than MQTT 5.0")
        self._ended()

    def _open(self) -> None:
        """Open a connection, with a new session until a server accepts one: to paho one that refuses was the first."""
        if self.connections:
            self._client.reconnect()
            return
        about = properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_SECONDS, MaximumPacketSize=self._wanted)
        where, first = (self._server.host, self._server.port), paho.MQTT_CLEAN_START_FIRST_ONLY
        self._client.connect(*where, KEEP_ALIVE, clean_start=first, properties=about)

    def _turn(self) -> bool:
        """Read and write what can be; tell whether there is a connection still."""
        client, socket = self._client, self._client.socket()
        if socket is None:
            return False
        pending = getattr(socket, "pending", None)  # of TLS, also below a WebSocket: what select cannot see
        unread = pending() if pending else 0
        writers = [socket] if client.want_write() else []
        readable, writable, _ = select.select([socket, self._near], writers, [], 0 if unread else 0.5)
        if self._near in readable:
            self._near.recv(4096)
        if (unread or socket in readable) and client.loop_read():
            return False
        if self._accepted is not None:
            self._up(self._accepted)
        if socket in writable and client.loop_write():
            return False
        return client.loop_misc() == paho.MQTT_ERR_SUCCESS

    def _up(self, about: Properties | None) -> None:
        """Begin with a connection that the server has accepted."""
        self._accepted = None
        self._largest = getattr(about, "MaximumPacketSize", 2**28)
        with self._order:
            if self._stopping.is_set():
                return
            self._up_since = time.monotonic()
        self.connections += 1
        self._trouble = ""
        self._told = True
        log.info("%sconnected to %s:%d", self._name, self._server.host, self._server.port)
        self._asked = self._following.subscribe(self._client)
        self.on_up(getattr(about, "ReceiveMaximum", 65_535))

    def _wake(self, *_: Any) -> None:
        """Have the thread see that there is something to write; a full pipe wakes it as well."""
        with contextlib.suppress(BlockingIOError, OSError):
            self._far.send(b"\0")

    def _ended(self) -> None:
        with self._order:
            since, self._up_since = self._up_since, None
        if since is not None:
            self.on_down()
            if time.monotonic() - since > LASTED:
                self._pauses.reset()

    def _connected(self, client: Any, data: Any, flags: Any, reason: ReasonCode, about: Properties | None) -> None:
        if reason.is_failure:
            said = getattr(about, "ReasonString", "")
            self._troubled(f"the server refuses the connection: {reason}{said and f' ({said})'}")
            return
        # Only after this callback paho sends again what is under way, which has to be before anything new.
        self._accepted = about

    def _disconnected(self, client: Any, data: Any, flags: Any, reason: ReasonCode, about: Any) -> None:
        if self._up_since is not None and not self._stopping.is_set():
            why = "another agent of this name has connected" if reason.value == _SESSION_TAKEN_OVER else str(reason)
            self._troubled(f"the connection ended: {why}")

    def _message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        is_request = self._following.heard(message)
        if is_request and not message.retain:  # no request is meant for whoever comes later
            self.on_message(message.topic, bytes(message.payload))

    def _subscribed(self, client: Any, data: Any, packet: int, reasons: list[ReasonCode], about: Any) -> None:
        topics = self._asked.pop(packet, "the agent's domain")
        for reason in reasons:
            if reason.is_failure:
                self._troubled(f"the server refuses a subscription: {reason}; may {topics} be subscribed to?")

    def _troubled(self, why: str) -> None:
        self._told = True
        self._trouble = why
        log.warning("%s%s", self._name, why)
