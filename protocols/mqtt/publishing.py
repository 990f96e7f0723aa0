"""What the PUBLISH packets of one client do (3.3)."""

from __future__ import annotations

from protocols.hub.runs import Source
from protocols.mqtt import encode
from protocols.mqtt.broker import Broker
from protocols.mqtt.decode import decode_publish
from protocols.mqtt.errors import MalformedPacket, ReceiveMaximumExceeded, TopicAliasInvalid
from protocols.mqtt.express import Express
from protocols.mqtt.line import Line
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import (
    LEVEL_3_1_1,
    NO_MATCHING_SUBSCRIBERS,
    NOT_AUTHORIZED,
    PUBLISH_QOS_0,
    QUOTA_EXCEEDED,
    SUCCESS,
    Message,
)
from protocols.mqtt.routes import Route
from protocols.mqtt.session import Session
from protocols.mqtt.topics import check_name, decode_utf8
from protocols.mqtt.translate import to_level_3_1_1, to_level_5
from protocols.vrpc.names import ENDING

_CACHED_ROUTES = 256


class Publisher(Express):
    """Routes what one client publishes, and acknowledges it."""

    __slots__ = (
        "_aliases",
        "_broker",
        "_keeper",
        "_line",
        "_session",
        "explains",
        "unanswered",
    )

    def __init__(self, broker: Broker, session: Session, line: Line, *, explains: bool) -> None:
        super().__init__(broker, session, line.level)
        self.explains = explains  # reason strings are wanted (5.0)
        self.unanswered = False  # a message could not be stored, and 3.1.1 has no answer for that
        self._broker = broker
        self._keeper = broker.keeper
        self._session = session
        self._line = line
        self._aliases: dict[int, bytes] = {}

    def publish(self, data: bytes, start: int, body: int, end: int, count: int) -> Outbox | None:
        """Route a PUBLISH, or `count` alike of QoS 0; or return the outbox that they wait for."""
        head = data[start]
        name_end = body + 2 + (data[body] << 8 | data[body + 1]) if end - body > 1 else end + 1
        at = name_end + 2 if head & 6 else name_end  # where properties begin, or the payload
        if at > end:
            raise MalformedPacket("a PUBLISH that ends in the middle of a field")
        name = data[body + 2 : name_end]
        if self._level != LEVEL_3_1_1:
            if at == end or data[at]:
                return self._publish_with_properties(head, data[body:end], name)
            at += 1
        route = self._routes.get(name)
        if route is None or route.stale:
            route = self._find_route(name)
        if self._broker.flow.congested and (slow := self._slow_subscriber(route)) is not None:
            return slow
        self._pass_on(route, head, data, start, body, name_end, at, end, count)
        return None

    def _pass_on(
        self, route: Route, head: int, data: bytes, start: int, body: int, name_end: int, at: int, end: int, count: int
    ) -> None:
        """Send packets of one topic to everybody, the hub among them; `at` is where the payload of the first begins."""
        if head == PUBLISH_QOS_0:
            self._spread(route, data, start, body, end, count)
        elif not self._publish_one(head, data, name_end, at, end, route):
            return
        hub = self._hub
        if route.entry is hub.nowhere:
            return
        if not (heard := hub.heard):
            hub.wake()
        heard += (route.entry, data, start, at, end, count, self._integration_id)  # see `protocols.hub.runs`

    def _publish_one(self, head: int, data: bytes, name_end: int, at: int, end: int, route: Route) -> bool:
        """Route a message with a QoS or a RETAIN flag; say whether it is still to be noted for the hub."""
        qos = head >> 1 & 3
        packet_id = data[name_end] << 8 | data[name_end + 1] if qos else 0
        if qos and not packet_id:  # [MQTT-2.3.1-1] [MQTT5-2.2.1-3]
            raise MalformedPacket("a packet identifier of 0")
        message = Message(route.topic, data[at:end], qos, bool(head & 1))
        is_routed = self._take(message, packet_id, route)
        if is_routed and message.retain:
            self._hear(message, route)
            return False
        return is_routed

    def _publish_with_properties(self, head: int, body: bytes, name: bytes) -> Outbox | None:
        """Route a message; or return the outbox that it waits for."""
        packet = decode_publish(head, body, self._level)
        message = packet.message
        if packet.alias:
            name = self._alias(packet.alias, name)
        route = self._routes.get(name)
        if route is None or route.stale:
            route = self._find_route(name)
        if self._broker.flow.congested and (slow := self._slow_subscriber(route)) is not None:
            return slow
        route = self._examine(message, route)
        message.topic = route.topic
        if packet.expiry is not None:
            message.expires_at = self._broker.common.now + packet.expiry
        if self._take(message, packet.packet_id, route):
            self._hear(message, route, packet.expiry)
        return None

    def _examine(self, message: Message, route: Route) -> Route:
        """Return where a message goes that may be held to more than its topic."""
        return route

    def _hear(self, message: Message, route: Route, expires_in: float | None = None) -> None:
        """Tell the hub of a message whose payload it shares."""
        source: int | Source = self._integration_id
        if expires_in is None and message.expires_at is not None:
            expires_in = message.expires_at - self._broker.common.now
        if message.retain or expires_in is not None:
            source = Source(self._integration_id, message.retain, expires_in)
        self._hub.hear(route.entry, message.payload, source)

    # --- QoS 0, without properties

    def _spread(self, route: Route, data: bytes, start: int, body: int, end: int, count: int) -> None:
        """Send packets on as they are, or as the other protocol level has them."""
        if route.plain_3_1_1:
            same = self._level == LEVEL_3_1_1
            packets = data[start:end] if same else to_level_3_1_1(data, start, body, end, count)
            for session in route.plain_3_1_1:
                if session.outbox is not None:
                    session.outbox.offer(packets, count)
        if route.plain_5:
            same = self._level != LEVEL_3_1_1
            packets = data[start:end] if same else to_level_5(data, start, body, end, count)
            for session in route.plain_5:
                if session.outbox is not None:
                    session.outbox.offer(packets, count)
        if route.special or route.shares:
            size = (end - start) // count
            for at in range(start, end, size):
                packet = decode_publish(data[at], data[at + body - start : at + size], self._level)
                self._broker.route_special(packet.message, route, self._session)

    # --- everything else, one by one

    def _take(self, message: Message, packet_id: int, route: Route) -> bool:
        """Route a message, and acknowledge it as its QoS asks for; say whether it was routed."""
        # What follows an unanswered message is not taken either: that one is sent again, and comes first.
        if (self.unanswered or not self._keeper.accepting) and self._must_keep(message, packet_id, route):
            self._refuse(message.qos, packet_id)
            return False
        if message.qos:
            return self._acknowledged(message, packet_id, route)
        if not route.forbidden:
            self._route(message, route)
        return not route.forbidden

    def _refusal(self, message: Message, route: Route) -> int:
        """Return why a message of 5.0 is not taken, or SUCCESS; 3.1.1 has no answer for that."""
        if route.forbidden:
            return NOT_AUTHORIZED
        if message.retain and not self._broker.retained.accepts(message):
            return QUOTA_EXCEEDED
        return SUCCESS

    def _acknowledged(self, message: Message, packet_id: int, route: Route) -> bool:
        """Route a message once, and acknowledge it (4.3); say whether it was routed."""
        qos, level = message.qos, self._level
        keeper, session = self._keeper, self._session
        if qos == 2 and level != LEVEL_3_1_1:
            self._check_window(packet_id)
        before = keeper.changes
        # Of a duplicate, the first one may not be committed yet.
        wait = qos == 2 and session.expiry > 0 and keeper.pending
        reason, is_routed = SUCCESS, False
        if level != LEVEL_3_1_1 and packet_id not in session.received:
            reason = self._refusal(message, route)
        if reason == SUCCESS and (qos == 1 or session.receive_once(packet_id)):
            if route.is_empty:
                reason = NO_MATCHING_SUBSCRIBERS
            is_routed = not route.forbidden  # for 3.1.1 dropped, but acknowledged all the same [MQTT-3.3.5-2]
            if is_routed:
                self._route(message, route)
        # Once what depends on it is committed [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT5-4.3.2-4] [MQTT5-4.3.3-8]
        answer = encode.puback if qos == 1 else encode.pubrec
        self._line.gate.send(answer(packet_id, reason, level=level), wait=wait or keeper.changes != before)
        return is_routed

    def _route(self, message: Message, route: Route) -> None:
        if message.retain:  # [MQTT-3.3.1-5] [MQTT5-3.3.1-5]
            self._broker.retained.keep(message, self._session.integration_id if self._session.is_narrow else 0)
        self._broker.route(message, route, self._session)

    def _check_window(self, packet_id: int) -> None:
        """Refuse more messages at once than CONNACK has told the client [MQTT5-3.3.4-7].

        Of QoS 1 there are never many: who waits for more commits than that is not read.
        """
        received = self._session.received
        if len(received) >= self._broker.limits.receive_maximum and packet_id not in received:
            self._broker.hits.add("receive_maximum")
            raise ReceiveMaximumExceeded("more QoS 2 messages under way than the receive maximum")

    def _must_keep(self, message: Message, packet_id: int, route: Route) -> bool:
        if route.forbidden or not message.qos or packet_id in self._session.received:
            return False
        return (message.qos == 2 and self._session.expiry > 0) or self._broker.must_keep(message, route)

    def _refuse(self, qos: int, packet_id: int) -> None:
        """Leave a message unacknowledged that cannot be stored, or say so where the protocol has words for it."""
        if self._level == LEVEL_3_1_1:
            self.unanswered = True
            return
        answer = encode.puback if qos == 1 else encode.pubrec
        text = "messages cannot be stored now" if self.explains else ""
        limit = self._line.max_packet
        data = answer(packet_id, QUOTA_EXCEEDED, level=self._level, reason_string=text, limit=limit)
        self._line.gate.send(data, wait=False)

    # --- where to

    def _alias(self, alias: int, name: bytes) -> bytes:
        """Return the topic name that an alias stands for, from now on if it has one (3.3.2.3.4)."""
        most = self._broker.limits.topic_aliases
        if alias > most:  # [MQTT5-3.3.2-9]
            self._broker.hits.add("topic_aliases")
            raise TopicAliasInvalid(f"topic alias {alias}; {most} are allowed")
        if name:
            self._aliases[alias] = name
            return name
        if alias not in self._aliases:
            raise TopicAliasInvalid(f"topic alias {alias} is not known")
        return self._aliases[alias]

    def _find_route(self, name: bytes) -> Route:
        """Return where a topic name goes, checked once for each name and change of subscriptions."""
        topic = check_name(decode_utf8(name))
        broker = self._broker
        route = broker.subscriptions.route(topic) if self._session.access.may_publish(topic) else broker.forbidden
        # Looked at each time: it depends on who is connected.
        if topic.endswith(ENDING) and not self._session.access.is_ruled(topic):
            return broker.forbidden if broker.live.tells(topic) else route
        if not route.stale:
            if len(self._routes) >= _CACHED_ROUTES:
                self._routes.clear()
            self._routes[name] = route
        return route

    def _slow_subscriber(self, route: Route) -> Outbox | None:
        """Return a subscriber's outbox that this client should wait for."""
        congested = self._broker.flow.congested
        for session in route.everyone():
            outbox = session.outbox
            if outbox is not None and outbox in congested:
                # For its own acknowledgements a client cannot wait: they come behind this PUBLISH.
                if session is not self._session or not outbox.has_room:
                    return outbox
        return None
