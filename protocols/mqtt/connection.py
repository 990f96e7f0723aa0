"""One connection without its socket: bytes in, bytes out through its outbox."""

from __future__ import annotations

from collections.abc import Callable

from protocols.hub.runs import LONG
from protocols.mqtt import encode
from protocols.mqtt.broker import Broker
from protocols.mqtt.client import ACKNOWLEDGEMENTS, Client
from protocols.mqtt.connect import Admission, begin
from protocols.mqtt.decode import decode
from protocols.mqtt.errors import MqttError, PacketTooLarge, ProtocolViolation
from protocols.mqtt.gate import Gate
from protocols.mqtt.inbox import Inbox
from protocols.mqtt.meters import Meter
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import CONNECT, KEEP_ALIVE_TIMEOUT, LEVEL_3_1_1, PUBLISH, frames
from protocols.mqtt.unfinished import LARGE_PART, Unfinished

NO_CONNECT = "no CONNECT in time"
_SIGN_OF_LIFE = 1_000  # bytes of an unfinished packet that show a client at work


class Connection:
    """A connection from its first byte to its last.

    `wake` is called when the outbox has something to write or a hold has ended; `on_close` once, at
    the end, with True when the socket should stay open until what waits has been written.  When `due_in`
    is set, `go_on` wants to be called after so many seconds.
    """

    __slots__ = (
        "_admission",
        "_broker",
        "_inbox",
        "_on_close",
        "_seen",
        "_slow",
        "_unfinished",
        "_wake",
        "address",
        "bytes_in",
        "can_go_on",
        "client",
        "closed",
        "due_in",
        "gate",
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
        self.gate = Gate(self.outbox, broker.keeper, wake)
        self.client: Client | None = None  # until a CONNECT is accepted
        self.held = False  # nothing should be read until `release` has been called
        self.closed = False
        self.can_go_on = False  # a hold has ended: feed what had arrived, even if nothing more has
        self.due_in: float | None = None
        self.bytes_in = 0
        self._admission: Admission | None = None  # a CONNECT that waits for its answer
        self._broker = broker
        self._wake = wake
        self._on_close = on_close
        self._seen = now
        self._slow: Outbox | None = None  # of somebody else, that the next packet has waited for
        self._inbox = Inbox()
        self._unfinished = Unfinished(broker)

    def feed(self, data: bytes, now: float) -> bool:
        """Take in what arrived, and say whether nothing is left to do; raise MqttError when it has to be closed."""
        client = self.client
        if (
            client is None
            or self.held
            or self.closed
            or self._inbox.size
            or client.meter is not None
            or not client.publisher.express(data, now)
        ):
            self._go_through(data, now)
            return False
        self.bytes_in += len(data)
        self._seen = now
        client.messages_in += 1
        return True

    def _go_through(self, data: bytes, now: float) -> None:
        """Take in packets of all kinds, whole and in part."""
        self._broker.common.now = now
        self.can_go_on = False
        self.bytes_in += len(data)
        if len(data) >= _SIGN_OF_LIFE and self.client is not None:
            self._seen = now
        if self._slow is not None and not self.held and self._waits_on(self._slow) and not data:
            return
        hub = self._broker.hub
        if hub.waiting > hub.most_waiting:
            hub.settle_early()
        used, noted = 0, len(hub.heard)
        behind = data
        while not self.closed:
            data, behind = self._inbox.add(behind)
            if data:
                used += len(data)  # also what had arrived before a hold
                hub.waiting += len(data)
                self._take_in(data, now)
            if not behind:
                break
        if len(hub.heard) == noted:
            hub.waiting -= used
        elif used > LONG:
            hub.trim(noted)
        if self.client is None or self._unfinished.size or self._inbox.size > LARGE_PART:
            self._count_unfinished()

    def _take_in(self, data: bytes, now: float) -> None:
        """Use what is complete, and keep the rest."""
        position = 0 if self.held or self._admission is not None else self._use(data)
        if position:
            self._seen = now
        if not self.closed:
            if position < len(data):
                self._inbox.keep(data[position:], self._max_packet)
            if self._admission is not None and self._inbox.size > self._broker.limits.max_connect_packet:
                self.held = True

    def go_on(self, now: float) -> None:
        """Ask again whether the client may come in, or read on; the time for it has come."""
        self.due_in = None
        if self.closed:
            return
        if self._admission is None:
            self.release()
            return
        self._broker.common.now = now
        self._ask(self._admission)
        if self._admission is None:
            self._seen = now
            self.release()

    def release(self) -> None:
        """End a hold; feeding, even nothing, goes on with what had arrived."""
        self.held = False
        self.can_go_on = True
        self._wake()

    def settle(self) -> None:
        """End a turn of the loop: answers that depend on what was recorded in it wait for its commit."""
        self.gate.settle()

    def drained(self) -> bool:
        """Go on sending, now that the outbox is taken; say whether to come again for retained messages."""
        return self.client is not None and self.client.session.go_on()

    @property
    def is_asking(self) -> bool:
        """Say whether a CONNECT waits for its answer."""
        return self._admission is not None

    def overdue(self, now: float) -> str | None:
        """Say why the connection has been silent for too long, if it has."""
        silent = now - self._seen
        if self.client is None:
            late = silent > self._broker.limits.connect_timeout and self._admission is None
            return NO_CONNECT if late else None
        # One that is held was not listened to.
        return self.client.overdue(silent, is_heard=not self.held or self.outbox.is_full)

    def expel(self, reason: str) -> None:
        """Close a connection that is overdue."""
        if reason == NO_CONNECT:
            self._broker.hits.add("connect_timeout")
        self.close(reason, code=KEEP_ALIVE_TIMEOUT)

    def fail(self, error: MqttError) -> None:
        """Close the connection because of what the client sent."""
        if isinstance(error, PacketTooLarge):
            self._broker.hits.add("max_packet" if self._is_known else "max_connect_packet")
        self.close(f"protocol error: {error}", gently=True, code=error.code, text=str(error))

    def close(self, reason: str, *, gently: bool = False, code: int | None = None, text: str = "") -> None:
        """End the connection: its Will is published, its presence ends.  Later calls do nothing.

        A client of 5.0 is told the code, and the text if it wants to be told.
        """
        if self.closed:
            return
        self.closed = True
        self._admission = None
        self._count_unfinished()
        if self.client is not None:
            client = self.client
            if code is not None and client.line.level != LEVEL_3_1_1:  # [MQTT5-4.13.1-1] [MQTT5-3.14.0-1]
                text = text if client.publisher.explains else ""
                self.outbox.send(encode.disconnect(code, text, limit=client.line.max_packet))
            client.report(self.bytes_in)
            known = client.session.identity
            self._broker.sessions.leave(client.session)
            if known is not None:
                self._broker.live.leave(known, client.presence_id)
            self._broker.presence.disconnected(client.presence_id, reason)
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
        self._slow = None
        self.outbox = Outbox(0, self._broker.flow, _nothing)
        self.gate = Gate(self.outbox, self._broker.keeper, _nothing)
        self._wake = _nothing
        self._on_close = _ignore

    @property
    def is_mid_packet(self) -> bool:
        """Say whether a packet has arrived in part."""
        return not self._inbox.is_empty

    def _count_unfinished(self) -> None:
        size = 0 if self.closed else self._inbox.size
        if self.client is not None:
            self._unfinished.count_client(size)
        else:
            self._unfinished.count_stranger(size + (self._admission.size if self._admission is not None else 0))

    @property
    def _max_packet(self) -> int:
        limits = self._broker.limits
        return limits.max_packet if self._is_known else limits.max_connect_packet

    @property
    def _is_known(self) -> bool:
        """Say whether its CONNECT has arrived."""
        return self.client is not None or self._admission is not None

    def _use(self, data: bytes) -> int:
        """Act on the complete packets; return where the first one that was not used starts."""
        position = 0
        if self.client is None:
            position = self._connect(data)
        if self.client is not None and position < len(data):
            session = self.client.session
            position = self._act(self.client, data, position)
            session.use_room()
        return position

    # --- CONNECT

    def _connect(self, data: bytes) -> int:
        """Let the client in once its CONNECT is complete; return where that ends."""
        if data[0] != CONNECT << 4:  # [MQTT-3.1.0-1] [MQTT5-3.1.0-1]
            raise ProtocolViolation(f"0x{data[0]:02x} instead of CONNECT")
        for _, _, body, end, _ in frames(data, 0, self._max_packet):
            self._ask(begin(self._broker, data[body:end], self.address, self.transport, self))
            return end
        return 0

    def _ask(self, admission: Admission) -> None:
        """Answer a CONNECT, or keep it until it is time to ask again."""
        self._admission = None
        answer = admission.ask()
        if isinstance(answer, Client):
            self._unfinished.let_in()
            self.client = answer
        else:
            self._admission, self.due_in = admission, answer

    # --- the other packets

    def _act(self, client: Client, data: bytes, position: int) -> int:
        outbox, gate, meter, level = self.outbox, self.gate, client.meter, client.line.level
        limits = self._broker.limits
        publish, full = client.publisher.publish, limits.outbound_bytes
        for head, start, body, end, count in frames(data, position, limits.max_packet, level):
            if head >> 4 == PUBLISH:
                if meter is not None and self._is_too_fast(meter):
                    return start
                slow = publish(data, start, body, end, count)
                if slow is not None:
                    self._hold(slow)
                    return start
                client.messages_in += count
                if meter is not None:
                    meter.take(count)
            elif end - body == 2 and (packet_id := data[body] << 8 | data[body + 1]) and head in ACKNOWLEDGEMENTS:
                ACKNOWLEDGEMENTS[head](client.session, packet_id)
            else:
                client.handle(decode(head, data[body:end], level))
            if self.closed:
                return end
            if outbox.size > full:  # a client that does not read its answers is not read either
                self._hold(outbox)
                return end
            if gate.waiting > limits.uncommitted_answers:
                self.held, gate.held = True, self
                return end
            position = end
        return position

    def _is_too_fast(self, meter: Meter) -> bool:
        """Hold a client whose integration publishes more than it may; nothing is lost."""
        if not (seconds := meter.wait(self._broker.common.now)):
            return False
        self._broker.hits.add("publish_rate")
        self.held, self.due_in = True, seconds
        return True

    def _hold(self, outbox: Outbox) -> None:
        self.held = True
        self._slow = outbox if outbox is not self.outbox else None
        outbox.hold(self)

    def _waits_on(self, slow: Outbox) -> bool:
        """Hold the connection again, without a look at what has arrived, where others have been quicker."""
        if slow in self._broker.flow.congested:
            self._hold(slow)
            return True
        self._slow = None
        return False


def _nothing() -> None:
    """Wake nobody."""


def _ignore(gently: bool) -> None:
    """Close nothing: it is closed."""
