"""The QoS 1 and 2 messages that go to one client: what is sent, and what waits for its turn (4.3, 4.4, 4.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from protocols.mqtt import encode
from protocols.mqtt.backlog import QUEUED, RELEASED, SENT, Backlog, Entry, size_of
from protocols.mqtt.common import Common
from protocols.mqtt.inflight import LARGE, Inflight
from protocols.mqtt.line import Line
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import Message
from protocols.mqtt.replay import Replay
from protocols.mqtt.routes import Subscription

_LAST_PACKET_ID = 65_535


class Outgoing(Inflight):
    """The half of a session that goes to the client; while there is no connection, messages wait in the queue."""

    __slots__ = (
        "_backlog",
        "_last_packet_id",
        "_replay",
        "_unsent",
        "_window",
        "dropped",
        "outbox",
    )

    def __init__(self, common: Common, level: int, expiry: int) -> None:
        super().__init__(common, level, expiry)
        self.outbox: Outbox | None = None
        self.dropped = 0
        self._backlog: Backlog | None = None  # few sessions ever need one
        # Of what is under way, what a new connection was not sent yet, last first.
        self._unsent: list[Entry] | None = None
        self._window = 0
        self._last_packet_id = 0
        self._replay: Replay | None = None

    @property
    def is_ready(self) -> bool:
        """Say whether messages go out at once."""
        outbox = self.outbox
        return outbox is not None and self._backlog is None and outbox.has_room and len(self._inflight) < self._window

    @property
    def queued(self) -> int:
        """Return how many messages wait."""
        return len(self._backlog) if self._backlog is not None else 0

    @property
    def kept(self) -> tuple[int, int]:
        """Return how many messages there are for the client, sent and not acknowledged or not sent, and their bytes."""
        size = sum(map(size_of, self._inflight.values())) + (self._backlog.size if self._backlog is not None else 0)
        return len(self._inflight) + self.queued, size

    def attach(self, line: Line) -> None:
        """Go on over a new connection: resend in order, then send what waited [MQTT-4.4.0-1] [MQTT5-4.4.0-1]."""
        self.line = line
        self.outbox = line.outbox
        self._window = line.window
        # [MQTT-4.6.0-1] [MQTT5-4.6.0-1]
        self._unsent = [*reversed(self._inflight.values())] if self._inflight else None
        self.pump()

    def detach(self) -> None:
        """Go on without a connection."""
        self.line = None
        self.outbox = None

    def deliver(self, message: Message, identifiers: tuple[int, ...] = (), share: str = "") -> None:
        """Send a QoS 1 or 2 message as soon as the window and the connection allow."""
        entry = Entry(message, identifiers, share)
        line = self.line
        if (
            line is not None
            and self._backlog is None
            and len(self._inflight) < self._window
            and not self._unsent
            and (not self._large or self._may_send_more)
            and line.outbox.has_room
        ):
            self._send(line, entry)
        else:
            self._enqueue(entry)

    def pump(self) -> None:
        """Send what waits: unacknowledged first, then queued, then retained messages."""
        line = self.line
        if line is None:
            return
        outbox = line.outbox
        if self._backlog is not None or self._unsent or self._replay is not None:
            while outbox.has_room and self._send_next(line):
                pass
        if outbox.has_room and (self._backlog is None or self._backlog.is_draining):
            outbox.relax()

    def go_on(self) -> bool:
        """Begin a new turn of the loop, the outbox is taken; say whether the next has to look for retained messages."""
        if self._replay is not None:
            self._replay.rest()
        self.pump()
        return self._replay is not None and self._replay.is_tired

    def end_replay(self, topic_filter: str) -> None:
        """Send no more retained messages for a subscription that has ended [MQTT-3.10.4-2] [MQTT5-3.10.4-2]."""
        if self._replay is not None:
            self._replay.drop(topic_filter)

    def replay(self, subscriptions: Iterable[Subscription]) -> None:
        """Send the retained messages of new subscriptions, at the connection's pace."""
        if self._replay is None:
            self._replay = Replay(self._common.retained)
        self._replay.add(subscriptions)
        self.pump()

    def use_room(self) -> None:
        """Send on, now that fewer messages are under way: once for all acknowledgements that came together."""
        if self._has_freed:
            self._has_freed = False
            self.pump()

    def _send_next(self, line: Line) -> bool:
        """Send one waiting message; False when none can be sent now."""
        if len(self._inflight) - len(self._unsent or ()) >= self._window:
            return False
        if self._unsent:
            self._resend(line, self._unsent.pop())
            return True
        if self._large and not self._may_send_more:
            return False
        entry = self._backlog.take() if self._backlog is not None else None
        if entry is None:
            self._backlog = None
            return self._send_retained(line)
        self._send(line, entry)
        return True

    def _send_retained(self, line: Line) -> bool:
        replay = self._replay
        found = replay.next() if replay is not None else None
        if found is None:
            if replay is not None and not replay.is_over:
                line.outbox.wake()  # and goes on in the next turn
            else:
                self._replay = None
            return False
        message, subscription = found
        if not self.may_receive(message.topic):
            return True
        identifiers = (subscription.identifier,) if subscription.identifier else ()
        if message.qos:
            self._send(line, Entry(message, identifiers))
        elif (data := line.encode(message, identifiers=identifiers)) is not None:
            line.outbox.send(data)
            line.outbox.messages += 1
        return True

    def _send(self, line: Line, entry: Entry) -> None:
        packet_id = self._last_packet_id
        while True:  # [MQTT-2.3.1-4] [MQTT5-2.2.1-4] an identifier that is not in use
            packet_id = packet_id + 1 if packet_id < _LAST_PACKET_ID else 1
            if packet_id not in self._inflight:
                break
        self._last_packet_id = packet_id
        message = entry.message
        gated = message.qos == 2 and self.expiry > 0
        data = line.encode(message, packet_id, identifiers=entry.identifiers, in_order=not gated)
        if data is None:
            self.forget_entry(entry)
            self.dropped += 1
            return
        entry.packet_id = packet_id
        entry.state = SENT
        self._inflight[packet_id] = entry
        if len(message.payload) > LARGE:
            self._count(entry, 1)
        line.outbox.messages += 1
        if self.expiry:
            self.record_entry(entry)
        if gated:
            line.gate.send(data, wait=self._common.keeper.pending)
        else:
            line.outbox.send(data)

    def _resend(self, line: Line, entry: Entry) -> None:
        """Send an unacknowledged message again, or its PUBREL, if it still is (4.4)."""
        if self._inflight.get(entry.packet_id) is not entry:
            return
        if entry.state == RELEASED:
            line.outbox.send(encode.pubrel(entry.packet_id, level=self.level))
            return
        # [MQTT-3.3.1-1] [MQTT-4.3.2-1] [MQTT5-3.3.1-1]
        data = line.encode(entry.message, entry.packet_id, dup=True, identifiers=entry.identifiers)
        if data is None:
            del self._inflight[entry.packet_id]
            self._count(entry, -1)
            self.forget_entry(entry)
            self.dropped += 1
            return
        line.outbox.send(data)
        line.outbox.messages += 1

    def _enqueue(self, entry: Entry) -> None:
        limits = self._common.limits
        backlog = self._backlog
        if backlog is None:
            backlog = self._backlog = Backlog(limits.queue_messages, limits.queue_bytes, self._common.pool)
            if self.line is not None and len(self._inflight) >= limits.inflight:
                self._common.hits.add("inflight")  # once for all that wait until the queue is empty again
        exceeded = backlog.add(entry)
        if exceeded and backlog.expiring:
            self.expire()
            exceeded = backlog.add(entry)
        if exceeded:
            self.dropped += 1
            self._common.hits.add(exceeded)
        elif self.expiry:
            self.record_entry(entry)
        if self.outbox is not None and backlog.is_filling:
            self.outbox.congest()

    # --- what does not wait any more

    def expire(self) -> None:
        """Throw away what waits and has expired [MQTT5-3.3.2-5]."""
        now = self._common.now
        if self._backlog is not None and self._backlog.expiring:
            gone = self._backlog.remove(
                lambda entry: entry.message.expires_at is not None and entry.message.expires_at <= now
            )
            for entry in gone:
                self.forget_entry(entry)

    def withhold(self, may_receive: Callable[[str], bool]) -> list[Entry]:
        """Remove and return what may not be read any more, of what waits and what would be sent again."""
        gone = self._backlog.remove(lambda entry: not may_receive(entry.message.topic)) if self._backlog else []
        if self.line is None:
            for entry in list(self._inflight.values()):
                if entry.state == SENT and not may_receive(entry.message.topic):
                    del self._inflight[entry.packet_id]
                    self._count(entry, -1)
                    gone.append(entry)
        for entry in gone:
            self.forget_entry(entry)
        return gone

    def empty(self) -> list[Entry]:
        """End the session; return the messages that nobody has acknowledged, oldest first."""
        rest = [entry for entry in self._inflight.values() if entry.state == SENT]
        for entry in rest:
            self._count(entry, -1)
        if self._backlog is not None:
            rest += self._backlog.remove(lambda entry: True)
        self._inflight.clear()
        self._backlog = self._replay = None
        self._unsent = None
        return rest

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back the messages that were recorded, oldest first."""
        limits = self._common.limits
        for entry in entries:
            if entry.state != QUEUED:
                self._inflight[entry.packet_id] = entry
                self._count(entry, 1)
                self._last_packet_id = entry.packet_id
                continue
            if self._backlog is None:
                self._backlog = Backlog(limits.queue_messages, limits.queue_bytes, self._common.pool)
            self._backlog.restore(entry)
