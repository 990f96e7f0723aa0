"""One client's session: what it subscribes to, and its QoS 1 and 2 messages in both directions.

A session outlives its connection if the client asked for that (4.1).  While there is no
connection, `outbox` is None and messages wait in the queue.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from protocols.mqtt import encode
from protocols.mqtt.backlog import Backlog
from protocols.mqtt.errors import ProtocolViolation
from protocols.mqtt.limits import Limits
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import Message
from protocols.mqtt.retained import Replay, Retained

_LAST_PACKET_ID = 65_535


class Link(Protocol):
    """The connection that a session is on."""

    outbox: Outbox

    def close(self, reason: str, *, gently: bool = False) -> None:
        """Close the connection now; its Will is published."""
        ...


class Session:
    """The state that the standard calls Session State (3.1.2.4), for one client identifier."""

    __slots__ = (
        "_inflight",
        "_last_packet_id",
        "_limits",
        "_backlog",
        "_received",
        "_replay",
        "_unsent",
        "clean",
        "client_id",
        "dropped",
        "integration_id",
        "link",
        "outbox",
        "subscriptions",
    )

    def __init__(self, integration_id: int, client_id: str, limits: Limits, *, clean: bool) -> None:
        self.integration_id = integration_id
        self.client_id = client_id
        self.clean = clean
        self.subscriptions: dict[str, int] = {}
        self.link: Link | None = None
        self.outbox: Outbox | None = None
        self.dropped = 0
        self._limits = limits
        self._backlog: Backlog | None = None  # few sessions ever need one
        # QoS 1 and 2 messages that are sent and not acknowledged, oldest first; None once a PUBREC
        # came and PUBREL is what has to be sent again.
        self._inflight: dict[int, Message | None] = {}
        self._unsent: list[int] = []  # of these, what a new connection was not sent yet, last first
        self._received: set[int] = set()  # QoS 2 packet identifiers that await a PUBREL
        self._last_packet_id = 0
        self._replay: Replay | None = None

    def attach(self, link: Link) -> None:
        """Go on over a new connection: resend in order, then send what waited [MQTT-4.4.0-1]."""
        self.link = link
        self.outbox = link.outbox
        self._unsent = list(reversed(self._inflight))  # [MQTT-4.6.0-1]
        self.pump()

    def detach(self) -> None:
        """Go on without a connection."""
        self.link = None
        self.outbox = None

    def deliver(self, message: Message) -> None:
        """Send a QoS 1 or 2 message as soon as the window and the connection allow."""
        outbox = self.outbox
        if (
            outbox is not None
            and self._backlog is None
            and len(self._inflight) < self._limits.inflight
            and not self._unsent
            and outbox.has_room
        ):
            self._send(outbox, message)
        else:
            self._enqueue(message)

    def pump(self) -> None:
        """Send what waits: unacknowledged first, then queued, then retained messages."""
        outbox = self.outbox
        while outbox is not None and outbox.has_room and self._send_next(outbox):
            pass
        if outbox is not None and outbox.has_room and (self._backlog is None or self._backlog.fill < 0.25):
            outbox.relax()

    def replay(self, retained: Retained, filters: Iterable[tuple[str, int]]) -> None:
        """Send the retained messages of new subscriptions, at the connection's pace."""
        if self._replay is None:
            self._replay = Replay(retained)
        self._replay.add(filters)
        self.pump()

    def puback(self, packet_id: int) -> None:
        """Forget a QoS 1 message that has arrived (4.3.2)."""
        message = self._inflight.get(packet_id)
        if message is not None:
            if message.qos != 1:
                raise ProtocolViolation("PUBACK for a QoS 2 message")
            del self._inflight[packet_id]
        self.pump()

    def pubrec(self, packet_id: int) -> None:
        """Forget a QoS 2 message that has arrived, and release its identifier (4.3.3)."""
        message = self._inflight.get(packet_id)
        if message is not None:
            if message.qos != 2:
                raise ProtocolViolation("PUBREC for a QoS 1 message")
            del self._inflight[packet_id]
            self._inflight[packet_id] = None  # [MQTT-4.6.0-4] PUBRELs in the order of the PUBRECs
        self._answer(encode.pubrel(packet_id))  # also when unknown: the client's handshake ends

    def pubcomp(self, packet_id: int) -> None:
        """End a QoS 2 handshake (4.3.3)."""
        if packet_id in self._inflight:
            if self._inflight[packet_id] is not None:
                raise ProtocolViolation("PUBCOMP before PUBREC")
            del self._inflight[packet_id]
        self.pump()

    def receive_once(self, packet_id: int) -> bool:
        """Say whether an incoming QoS 2 PUBLISH is a new message [MQTT-4.3.3-2]."""
        if packet_id in self._received:
            return False
        self._received.add(packet_id)
        return True

    def pubrel(self, packet_id: int) -> None:
        """Accept that the identifier's next PUBLISH is a new message, and say so."""
        self._received.discard(packet_id)
        self._answer(encode.pubcomp(packet_id))

    def _answer(self, data: bytes) -> None:
        if self.outbox is not None:
            self.outbox.send(data)

    def _send_next(self, outbox: Outbox) -> bool:
        """Send one waiting message; False when none can be sent now."""
        if self._unsent:
            self._resend(outbox, self._unsent.pop())
            return True
        if len(self._inflight) >= self._limits.inflight:
            return False
        message = self._backlog.take() if self._backlog is not None else None
        if message is None and self._replay is not None:
            message = self._replay.next()
        if message is None:
            self._backlog = self._replay = None
            return False
        self._send(outbox, message)
        return True

    def _send(self, outbox: Outbox, message: Message) -> None:
        if message.qos == 0:
            outbox.send(encode.publish(message))
            return
        packet_id = self._last_packet_id
        while True:  # [MQTT-2.3.1-4] an identifier that is not in use
            packet_id = packet_id + 1 if packet_id < _LAST_PACKET_ID else 1
            if packet_id not in self._inflight:
                break
        self._last_packet_id = packet_id
        self._inflight[packet_id] = message
        outbox.send(encode.publish(message, packet_id))

    def _resend(self, outbox: Outbox, packet_id: int) -> None:
        """Send an unacknowledged message again, or its PUBREL, if it still is (4.4)."""
        if packet_id not in self._inflight:
            return
        message = self._inflight[packet_id]
        if message is None:
            outbox.send(encode.pubrel(packet_id))
        else:  # [MQTT-3.3.1-1] [MQTT-4.3.2-1]
            outbox.send(encode.publish(message, packet_id, dup=True))

    def _enqueue(self, message: Message) -> None:
        if self._backlog is None:
            self._backlog = Backlog(self._limits.queue_messages, self._limits.queue_bytes)
        if not self._backlog.add(message):
            self.dropped += 1
        if self.outbox is not None and self._backlog.fill > 0.5:
            self.outbox.congest()
