"""A client that has been let in: what it is, and what its packets do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.contract import Grant
from protocols.mqtt import encode
from protocols.mqtt.broker import Broker
from protocols.mqtt.decode import decode_publish
from protocols.mqtt.errors import MalformedPacket, ProtocolViolation
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import (
    PUBLISH_QOS_0,
    SUBSCRIBE_FAILURE,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    UnknownConnect,
    Unsubscribe,
)
from protocols.mqtt.permissions import may_publish, may_subscribe
from protocols.mqtt.session import Link, Session
from protocols.mqtt.subscriptions import Route
from protocols.mqtt.topics import check_name, decode_utf8

CLIENT_DISCONNECTED = "client disconnected"

_CACHED_ROUTES = 256


class Client:
    """One accepted CONNECT, as long as its connection lasts."""

    __slots__ = (
        "_broker",
        "_grant",
        "_link",
        "_routes",
        "keep_alive",
        "presence_id",
        "session",
        "will",
    )

    def __init__(self, broker: Broker, connect: Connect, grant: Grant, session: Session, link: Link) -> None:
        self.keep_alive = connect.keep_alive  # the rest, above all the password, is not kept
        self.session = session
        self.will = connect.will
        self.presence_id = ""
        self._broker = broker
        self._grant = grant
        self._link = link
        self._routes: dict[bytes, Route[Session]] = {}

    # --- PUBLISH

    def publish(self, data: bytes, start: int, body: int, end: int, count: int) -> Outbox | None:
        """Route a PUBLISH, or `count` alike of QoS 0; or return the outbox that they wait for."""
        route = self._route(data, body, end)
        if self._broker.flow.congested and (slow := self._slow_subscriber(route)) is not None:
            return slow
        if data[start] != PUBLISH_QOS_0:
            self._acknowledged(decode_publish(data[start], data[body:end]), route)
        elif route.subscribers:
            packet = data[start:end]
            for session, _ in route.subscribers:
                if session.outbox is not None:
                    session.outbox.offer(packet, count)
        return None

    def _acknowledged(self, packet: Publish, route: Route[Session]) -> None:
        """Route a message once, and acknowledge it as its QoS asks for (4.3)."""
        message = packet.message
        if message.qos < 2 or self.session.receive_once(packet.packet_id):
            if route is _FORBIDDEN:
                pass  # [MQTT-3.3.5-2] acknowledged all the same
            elif message.retain:
                self._broker.publish(message)
            else:
                self._broker.route(message, route)
        if message.qos == 1:  # [MQTT-4.3.2-2]
            self._link.outbox.send(encode.puback(packet.packet_id))
        elif message.qos == 2:  # [MQTT-4.3.3-2]
            self._link.outbox.send(encode.pubrec(packet.packet_id))

    def _route(self, data: bytes, body: int, end: int) -> Route[Session]:
        """Return where a PUBLISH goes, checked once for each topic and change of subscriptions."""
        name_end = body + 2 + (data[body] << 8 | data[body + 1]) if end - body > 1 else end + 1
        if name_end > end:
            raise MalformedPacket("a PUBLISH that ends in its topic name")
        name = data[body + 2 : name_end]
        route = self._routes.get(name)
        if route is None or route.stale:
            route = self._find_route(name)
        return route

    def _find_route(self, name: bytes) -> Route[Session]:
        topic = check_name(decode_utf8(name))
        allowed = may_publish(self._grant, topic)
        route = self._broker.subscriptions.route(topic) if allowed else _FORBIDDEN
        if not route.stale:
            if len(self._routes) >= _CACHED_ROUTES:
                self._routes.clear()
            self._routes[name] = route
        return route

    def _slow_subscriber(self, route: Route[Session]) -> Outbox | None:
        """Return a subscriber's outbox that this client should wait for."""
        for session, _ in route.subscribers:
            outbox = session.outbox
            if outbox is not None and outbox in self._broker.flow.congested:
                # For its own acknowledgements a client cannot wait: they come behind this PUBLISH.
                if session is not self.session or not outbox.has_room:
                    return outbox
        return None

    # --- the other packets

    def handle(self, packet: Packet) -> None:
        """Act on a packet that is not a PUBLISH."""
        _HANDLERS[type(packet)](self, packet)

    def _subscribe(self, packet: Subscribe) -> None:
        grant = self._grant
        codes = self._broker.subscribe(
            self.session,
            [(wanted, qos, may_subscribe(grant, wanted)) for wanted, qos in packet.filters],
        )
        self._link.outbox.send(encode.suback(packet.packet_id, codes))  # [MQTT-3.8.4-1]
        granted = [
            (wanted, code) for (wanted, _), code in zip(packet.filters, codes, strict=True) if code != SUBSCRIBE_FAILURE
        ]
        self.session.replay(self._broker.retained, granted)  # [MQTT-3.3.1-6] [MQTT-3.8.4-3]

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        self._broker.unsubscribe(self.session, packet.filters)
        self._link.outbox.send(encode.unsuback(packet.packet_id))  # [MQTT-3.10.4-5]

    def _acknowledge(self, packet: Puback | Pubrec | Pubrel | Pubcomp) -> None:
        _ACKNOWLEDGE[type(packet)](self.session, packet.packet_id)

    def _ping(self, packet: Pingreq) -> None:
        self._link.outbox.send(encode.PINGRESP_PACKET)  # [MQTT-3.12.4-1]

    def _disconnect(self, packet: Disconnect) -> None:
        self.will = None  # [MQTT-3.14.4-3]
        self._link.close(CLIENT_DISCONNECTED, gently=True)

    def _second_connect(self, packet: Connect | UnknownConnect) -> None:
        raise ProtocolViolation("a second CONNECT")  # [MQTT-3.1.0-2]


_FORBIDDEN: Route[Session] = Route(())

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
}

_ACKNOWLEDGE: dict[type[Packet], Callable[[Session, int], None]] = {
    Puback: Session.puback,
    Pubrec: Session.pubrec,
    Pubrel: Session.pubrel,
    Pubcomp: Session.pubcomp,
}
