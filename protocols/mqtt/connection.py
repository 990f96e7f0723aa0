"""One connection without its socket: bytes in, bytes out through its outbox."""

from __future__ import annotations

from collections.abc import Callable

from protocols.mqtt import encode
from protocols.mqtt.broker import Broker
from protocols.mqtt.client import Client
from protocols.mqtt.connect import admit
from protocols.mqtt.decode import decode, decode_connect
from protocols.mqtt.errors import ConnectRefused, ProtocolViolation
from protocols.mqtt.inbox import Inbox
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import CONNECT, PUBLISH, frames

KEEP_ALIVE_TIMED_OUT = "keep alive timed out"
NO_CONNECT = "no CONNECT in time"

_SIGN_OF_LIFE = 1_000  # bytes of an unfinished packet that show a client at work


class Connection:
    """A connection from its first byte to its last.

    `wake` is called when the outbox has something to write or a hold has ended; `on_close` once, at
    the end, with True when the socket should stay open until what waits has been written.
    """

    __slots__ = (
        "_broker",
        "_inbox",
        "_on_close",
        "_seen",
        "_unfinished",
        "_wake",
        "address",
        "client",
        "closed",
        "held",
        "outbox",
        "transport",
    )

    def __init__(
        self,
        broker: Broker,
        address: str,
        now: float,
        wake: Callable[[], None],
        on_close: Callable[[bool], None],
        transport: str = "tcp",
    ) -> None:
        self.address = address
        self.transport = transport  # see `protocols.contract.Login`
        self.outbox = Outbox(broker.limits.outbound_bytes, broker.flow, wake)
        self.client: Client | None = None  # until a CONNECT is accepted
        self.held = False  # nothing should be read until `release` has been called
        self.closed = False
        self._broker = broker
        self._wake = wake
        self._on_close = on_close
        self._seen = now
        self._inbox = Inbox()
        self._unfinished = 0

    def feed(self, data: bytes, now: float) -> None:
        """Take in what arrived; raise MqttError when the connection has to be closed for it."""
        if len(data) >= _SIGN_OF_LIFE and self.client is not None:
            self._seen = now
        if not self.closed and (data := self._inbox.add(data)):
            position = 0 if self.held else self._use(data)
            if position:
                self._seen = now
            if not self.closed:
                self._inbox.keep(data[position:], self._max_packet)
        if self.client is None or self._unfinished:
            self._count_unfinished()

    def release(self) -> None:
        """End a hold; feeding, even nothing, goes on with what had arrived."""
        self.held = False
        self._wake()

    def drained(self) -> None:
        """Go on sending: the outbox has been taken."""
        if self.client is not None:
            self.client.session.pump()

    def overdue(self, now: float) -> str | None:
        """Say why the connection has been silent for too long, if it has."""
        silent = now - self._seen
        if self.client is None:
            return NO_CONNECT if silent > self._broker.limits.connect_timeout else None
        keep_alive = self.client.keep_alive
        if not keep_alive or silent <= keep_alive * 1.5:
            return None
        if self.held and not self.outbox.is_full:  # it was not listened to
            return None
        return KEEP_ALIVE_TIMED_OUT  # [MQTT-3.1.2-24]

    def close(self, reason: str, *, gently: bool = False) -> None:
        """End the connection: its Will is published, its presence ends.  Later calls do nothing."""
        if self.closed:
            return
        self.closed = True
        self._count_unfinished()
        if self.client is not None:
            self._broker.leave(self.client.session, self.client.will)
            self._broker.presence.disconnected(self.client.presence_id, reason)
        self.outbox.relax()
        self._on_close(gently)

    def take_dropped(self) -> int:
        """Return how many messages for the client were dropped since this was last asked."""
        dropped, self.outbox.dropped = self.outbox.dropped, 0
        if self.client is not None:
            dropped += self.client.session.dropped
            self.client.session.dropped = 0
        return dropped

    def discard(self) -> None:
        """Let go of everything once the socket is closed: what refers to itself would wait for a full collection."""
        self.client = None
        self._inbox = Inbox()
        self.outbox = Outbox(0, self._broker.flow, _nothing)
        self._wake = _nothing
        self._on_close = _ignore

    @property
    def is_mid_packet(self) -> bool:
        """Say whether a packet has arrived in part."""
        return not self._inbox.is_empty

    def _count_unfinished(self) -> None:
        """Bound what all the clients that are not let in make the broker hold."""
        size = self._inbox.size if self.client is None and not self.closed else 0
        self._broker.unfinished += size - self._unfinished
        self._unfinished = size
        if size and self._broker.unfinished > self._broker.limits.unfinished_connects:
            raise ProtocolViolation("a CONNECT in parts, while too many others are unfinished")

    @property
    def _max_packet(self) -> int:
        limits = self._broker.limits
        return limits.max_connect_packet if self.client is None else limits.max_packet

    def _use(self, data: bytes) -> int:
        """Act on the complete packets; return where the first one that was not used starts."""
        position = 0
        if self.client is None:
            position = self._connect(data)
        if self.client is not None:
            position = self._act(self.client, data, position)
        return position

    def _connect(self, data: bytes) -> int:
        """Let the client in once its CONNECT is complete; return where that ends."""
        if data[0] != CONNECT << 4:  # [MQTT-3.1.0-1]
            raise ProtocolViolation(f"0x{data[0]:02x} instead of CONNECT")
        for _, _, body, end, _ in frames(data, 0, self._max_packet):
            packet = decode_connect(data[body:end])
            try:
                self.client = admit(self._broker, packet, self.address, self, self.transport)
            except ConnectRefused as refusal:  # [MQTT-3.1.4-5] the rest is not looked at
                self.outbox.send(encode.connack(refusal.code))
                raise
            return end
        return 0

    def _act(self, client: Client, data: bytes, position: int) -> int:
        outbox = self.outbox
        for head, start, body, end, count in frames(data, position, self._max_packet):
            if head >> 4 == PUBLISH:
                slow = client.publish(data, start, body, end, count)
                if slow is not None:
                    self._hold(slow)
                    return start
            else:
                client.handle(decode(head, data[body:end]))
            if self.closed:
                return end
            if outbox.is_full:  # a client that does not read its answers is not read either
                self._hold(outbox)
                return end
            position = end
        return position

    def _hold(self, outbox: Outbox) -> None:
        self.held = True
        outbox.hold(self)


def _nothing() -> None:
    """Wake nobody."""


def _ignore(gently: bool) -> None:
    """Close nothing: it is closed."""
