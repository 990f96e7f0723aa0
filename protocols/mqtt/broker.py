"""The broker: sessions, subscriptions, retained messages and routing.

It is synchronous and deterministic, and knows neither sockets nor the clock.  A session belongs to
an integration *and* a client identifier: a client of one integration can never take over, resume or
see a session of another, whatever client identifier it states.
"""

from __future__ import annotations

from collections.abc import Iterable

from protocols.contract import Authenticate, Presence
from protocols.mqtt import encode
from protocols.mqtt.limits import Limits
from protocols.mqtt.outbox import Flow
from protocols.mqtt.packets import SUBSCRIBE_FAILURE, Message
from protocols.mqtt.retained import Retained
from protocols.mqtt.session import Session
from protocols.mqtt.subscriptions import Route, Subscriptions

TAKEN_OVER = "taken over by a newer connection"


class Broker:
    """What all connections share."""

    def __init__(self, authenticate: Authenticate, presence: Presence, limits: Limits) -> None:
        self.authenticate = authenticate
        self.presence = presence
        self.limits = limits
        self.flow = Flow()
        self.retained = Retained(
            messages=limits.retained_messages,
            size=limits.retained_bytes,
            levels=limits.topic_levels,
        )
        self.subscriptions: Subscriptions[Session] = Subscriptions()
        self._sessions: dict[int, dict[str, Session]] = {}  # by integration and client identifier
        self._anonymous = 0
        self.unfinished = 0  # bytes of CONNECTs that have arrived in part

    # --- sessions

    def take_over(self, integration_id: int, client_id: str) -> None:
        """Close the connection that uses this session now; its Will is published [MQTT-3.1.4-2]."""
        session = self._sessions.get(integration_id, {}).get(client_id)
        if session is not None and session.link is not None:
            session.link.close(TAKEN_OVER)

    def resume(self, integration_id: int, client_id: str, *, clean: bool) -> tuple[Session, bool]:
        """Return the session to use, and whether it was there already (session present)."""
        if not client_id:  # [MQTT-3.1.3-6] an identifier that no client can state
            self._anonymous += 1
            client_id = f"\0{self._anonymous}"
        session = self._sessions.get(integration_id, {}).get(client_id)
        if session is not None and not clean:  # [MQTT-3.1.2-4]
            return session, True
        if session is not None:  # [MQTT-3.1.2-6]
            self._drop(session)
        session = Session(integration_id, client_id, self.limits, clean=clean)
        self._sessions.setdefault(integration_id, {})[client_id] = session
        return session, False

    def leave(self, session: Session, will: Message | None) -> None:
        """End a session's connection, and the session with it if it is a clean one."""
        session.detach()
        if session.clean:  # [MQTT-3.1.2-6]
            self._drop(session)
        else:
            self._store(session)
        if will is not None:  # [MQTT-3.1.2-8]
            self.publish(will)

    def disconnect(self, integration_ids: Iterable[int], reason: str, *, forget: bool) -> None:
        """Close the connections of these integrations; `forget` also drops their sessions."""
        for integration_id in integration_ids:
            for session in list(self._sessions.get(integration_id, {}).values()):
                if session.link is not None:
                    session.link.close(reason)
                if forget and not session.clean:
                    self._drop(session)

    def _store(self, session: Session) -> None:
        """Keep a session without a connection, and drop the oldest one if there are too many."""
        sessions = self._sessions[session.integration_id]
        sessions[session.client_id] = sessions.pop(session.client_id)  # the newest is the last
        if len(sessions) > self.limits.stored_sessions:
            stored = [other for other in sessions.values() if other.link is None]
            if len(stored) > self.limits.stored_sessions:
                self._drop(stored[0])

    def _drop(self, session: Session) -> None:
        for topic_filter in session.subscriptions:
            self.subscriptions.remove(topic_filter, session)
        session.subscriptions.clear()
        sessions = self._sessions[session.integration_id]
        del sessions[session.client_id]
        if not sessions:
            del self._sessions[session.integration_id]

    # --- subscriptions

    def subscribe(self, session: Session, filters: Iterable[tuple[str, int, bool]]) -> bytes:
        """Subscribe to each (filter, QoS, permitted); return the codes for SUBACK."""
        return bytes(
            self._subscribe(session, topic_filter, qos) if permitted else SUBSCRIBE_FAILURE
            for topic_filter, qos, permitted in filters
        )

    def _subscribe(self, session: Session, topic_filter: str, qos: int) -> int:
        limits = self.limits
        if topic_filter.count("/") >= limits.topic_levels or (
            len(session.subscriptions) >= limits.subscriptions and topic_filter not in session.subscriptions
        ):
            return SUBSCRIBE_FAILURE
        session.subscriptions[topic_filter] = qos  # [MQTT-3.8.4-3]
        self.subscriptions.add(topic_filter, session, qos)
        return qos

    def unsubscribe(self, session: Session, filters: Iterable[str]) -> None:
        """End subscriptions; a filter compares character by character [MQTT-3.10.4-1]."""
        for topic_filter in filters:
            if session.subscriptions.pop(topic_filter, None) is not None:
                self.subscriptions.remove(topic_filter, session)

    # --- messages

    def publish(self, message: Message) -> None:
        """Keep a retained message, and send it to everybody who subscribes to its topic."""
        if message.retain:  # [MQTT-3.3.1-5]
            self.retained.keep(message)
            message = Message(message.topic, message.payload, message.qos)  # [MQTT-3.3.1-9]
        self.route(message, self.subscriptions.route(message.topic))

    def route(self, message: Message, route: Route[Session]) -> None:
        """Send a message to the subscribers of its topic, each with its own QoS [MQTT-3.8.4-6]."""
        unacknowledged = b""
        lower = message
        for session, granted in route.subscribers:
            qos = min(message.qos, granted)
            if qos == 0:
                outbox = session.outbox
                if outbox is not None:
                    unacknowledged = unacknowledged or encode.publish(Message(message.topic, message.payload))
                    outbox.offer(unacknowledged, 1)
                continue
            if qos != lower.qos:
                lower = Message(message.topic, message.payload, qos)
            session.deliver(lower)
