"""A client that has been let in: what it is, and what its packets do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.mqtt import encode
from protocols.mqtt.broker import Broker
from protocols.mqtt.errors import PacketTooLarge, ProtocolViolation
from protocols.mqtt.guarded import GuardedPublisher
from protocols.mqtt.line import Line
from protocols.mqtt.meters import Meter
from protocols.mqtt.packets import (
    SUCCESS,
    Auth,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Pubrec,
    Pubrel,
    Subscribe,
    UnknownConnect,
    Unsubscribe,
)
from protocols.mqtt.properties import SESSION_EXPIRY_INTERVAL
from protocols.mqtt.publishing import Publisher
from protocols.mqtt.session import Session
from protocols.mqtt.subscribing import subscribe, unsubscribe
from protocols.tally import Counts

CLIENT_DISCONNECTED = "client disconnected"
KEEP_ALIVE_TIMED_OUT = "keep alive timed out"
NOT_STORED = "its messages could not be stored, and it has to send them again"


class Client:
    """One accepted CONNECT, as long as its connection lasts."""

    __slots__ = (
        "_broker",
        "_reported",
        "keep_alive",
        "line",
        "messages_in",
        "meter",
        "presence_id",
        "publisher",
        "session",
    )

    def __init__(self, broker: Broker, session: Session, line: Line, *, keep_alive: int, explains: bool) -> None:
        self.session = session
        self.line = line
        self.keep_alive = keep_alive
        make = Publisher if not session.is_narrow else GuardedPublisher
        self.publisher = make(broker, session, line, explains=explains)
        self.meter: Meter | None = broker.meters.of(session.integration_id, broker.common.now)
        self.presence_id = ""
        self.messages_in = 0
        self._broker = broker
        self._reported: Counts | None = None

    def overdue(self, silent: float, *, is_heard: bool) -> str | None:
        """Say why a client that sent nothing for so many seconds has to go, if it has."""
        if self.publisher.unanswered and self._broker.keeper.accepting:
            return NOT_STORED
        if is_heard and self.keep_alive and silent > self.keep_alive * 1.5:
            return KEEP_ALIVE_TIMED_OUT  # [MQTT-3.1.2-24] [MQTT5-3.1.2-22]
        return None

    def handle(self, packet: Packet) -> None:
        """Act on a packet that is not a PUBLISH."""
        _HANDLERS[type(packet)](self, packet)

    def counts(self, bytes_in: int) -> Counts:
        """Return what was sent and received."""
        outbox = self.line.outbox
        return Counts(self.messages_in, outbox.messages, bytes_in, outbox.taken)

    def report(self, bytes_in: int) -> None:
        """Add what was sent and received since the last report to the integration's traffic."""
        counts = self.counts(bytes_in)
        if counts != self._reported:
            self._broker.tally.add(self.session.integration_id, counts.since(self._reported or Counts()))
            self._reported = counts

    def _subscribe(self, packet: Subscribe) -> None:
        self._check_answer(len(packet.filters))
        before = self._broker.keeper.changes
        codes, added = subscribe(self._broker, self.session, packet, self.line.level)
        data = encode.suback(packet.packet_id, codes, level=self.line.level)
        # [MQTT-3.8.4-1] [MQTT5-3.8.4-1]
        self.line.gate.send(data, wait=self._broker.keeper.changes != before)
        self.session.replay(added)  # [MQTT-3.3.1-6] [MQTT5-3.3.1-9]

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        self._check_answer(len(packet.filters))
        before = self._broker.keeper.changes
        codes = unsubscribe(self._broker, self.session, packet)
        data = encode.unsuback(packet.packet_id, codes, level=self.line.level)
        # [MQTT-3.10.4-5] [MQTT5-3.10.4-4]
        self.line.gate.send(data, wait=self._broker.keeper.changes != before)

    def _check_answer(self, codes: int) -> None:
        """Refuse what can only be answered by more than the client takes [MQTT5-3.1.2-24]."""
        limit = self.line.max_packet
        if limit and len(encode.suback(0, bytes(codes), level=self.line.level)) > limit:
            raise PacketTooLarge(f"{codes} topic filters, whose answer is above the client's maximum packet size")

    def _acknowledge(self, packet: Puback | Pubrec | Pubrel | Pubcomp) -> None:
        _ACKNOWLEDGE[type(packet)](self.session, packet.packet_id, packet.reason)

    def _ping(self, packet: Pingreq) -> None:
        self.line.outbox.send(encode.PINGRESP_PACKET)  # [MQTT-3.12.4-1] [MQTT5-3.12.4-1]

    def _disconnect(self, packet: Disconnect) -> None:
        session = self.session
        expiry = packet.properties.get(SESSION_EXPIRY_INTERVAL)
        if expiry is not None and session.access.lasts:  # whose end CONNACK has told it already
            if expiry and not session.expiry:  # [MQTT5-3.1.2-23]
                raise ProtocolViolation("DISCONNECT asks to keep a session that CONNECT did not")
            self._broker.sessions.change_expiry(session, expiry)
        if packet.reason == SUCCESS:  # [MQTT-3.14.4-3] [MQTT5-3.14.4-3]
            session.will = None
        self.line.link.close(CLIENT_DISCONNECTED, gently=True)

    def _second_connect(self, packet: Connect | UnknownConnect) -> None:
        raise ProtocolViolation("a second CONNECT")  # [MQTT-3.1.0-2] [MQTT5-3.1.0-2]

    def _auth(self, packet: Auth) -> None:
        raise ProtocolViolation("AUTH, without an authentication method in CONNECT")  # [MQTT5-4.12.0-6]


_HANDLERS: dict[type[Packet], Callable[[Client, Any], None]] = {
    Connect: Client._second_connect,
    UnknownConnect: Client._second_connect,
    Puback: Client._acknowledge,
    Pubrec: Client._acknowledge,
    Pubrel: Client._acknowledge,
    Pubcomp: Client._acknowledge,
    Subscribe: Client._subscribe,
    Unsubscribe: Client._unsubscribe,
    Pingreq: Client._ping,
    Disconnect: Client._disconnect,
    Auth: Client._auth,
}

_ACKNOWLEDGE: dict[type[Packet], Callable[[Session, int, int], None]] = {
    Puback: Session.puback,
    Pubrec: Session.pubrec,
    Pubrel: Session.pubrel,
    Pubcomp: Session.pubcomp,
}

# By first byte, for packets of a packet identifier alone: they come as often as PUBLISH does.
ACKNOWLEDGEMENTS: dict[int, Callable[[Session, int], None]] = {
    0x40: Session.puback,
    0x50: Session.pubrec,
    0x62: Session.pubrel,
    0x70: Session.pubcomp,
}
