"""SUBSCRIBE and UNSUBSCRIBE: which filters a session gets, and why not the others (3.8, 3.10)."""

from __future__ import annotations

from protocols.mqtt.broker import Broker
from protocols.mqtt.errors import ProtocolViolation
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import (
    LEVEL_3_1_1,
    NO_SUBSCRIPTION_EXISTED,
    NOT_AUTHORIZED,
    QUOTA_EXCEEDED,
    SUBSCRIBE_FAILURE,
    SUCCESS,
    Filter,
    Subscribe,
    Unsubscribe,
)
from protocols.mqtt.routes import Subscription
from protocols.mqtt.session import Session
from protocols.mqtt.topics import parse_shared

_LONG = 256  # characters of a topic filter
_SEND_ALWAYS, _SEND_IF_NEW, _ = range(3)  # retain handling (5.0, 3.8.3.1)


def subscribe(broker: Broker, session: Session, packet: Subscribe, level: int) -> tuple[bytes, list[Subscription]]:
    """Subscribe; return a code for each filter in order, and the subscriptions that retained messages are due for."""
    codes, due = bytearray(), []
    for wanted in packet.filters:
        refusal = _refusal(broker, session, wanted)
        if refusal:
            codes.append(refusal if level != LEVEL_3_1_1 else SUBSCRIBE_FAILURE)
            continue
        is_new = wanted.topic_filter not in session.subscriptions
        subscription = _add(broker, session, wanted, packet.identifier)
        codes.append(wanted.qos)
        # [MQTT5-3.3.1-9] [MQTT5-3.3.1-10] [MQTT5-3.3.1-11], and never for a shared subscription (4.8.2)
        if wanted.retain_handling == _SEND_ALWAYS or (wanted.retain_handling == _SEND_IF_NEW and is_new):
            if not _is_shared(wanted.topic_filter):
                due.append(subscription)
    return bytes(codes), due


def unsubscribe(broker: Broker, session: Session, packet: Unsubscribe) -> bytes:
    """End subscriptions; a filter compares character by character [MQTT-3.10.4-1] [MQTT5-3.10.4-1]."""
    codes = bytearray()
    for topic_filter in packet.filters:
        subscription = session.subscriptions.get(topic_filter)
        codes.append(NO_SUBSCRIPTION_EXISTED if subscription is None else SUCCESS)
        if subscription is None:
            continue
        if session.expiry:
            broker.keeper.drop_subscription(session, topic_filter)
        del session.subscriptions[topic_filter]
        session.end_replay(topic_filter)
        if not subscription.muted:
            broker.subscriptions.remove(session, topic_filter)
    return bytes(codes)


def _refusal(broker: Broker, session: Session, wanted: Filter) -> int:
    """Return why a filter is refused, or 0."""
    _, inner = parse_shared(wanted.topic_filter)
    if wanted.no_local and inner is not wanted.topic_filter:  # [MQTT5-3.8.3-4]
        raise ProtocolViolation("a shared subscription with No Local")
    if not session.may_subscribe(wanted.topic_filter):
        return NOT_AUTHORIZED
    if exceeded := _exceeded(session, wanted.topic_filter, inner, broker.limits):
        broker.hits.add(exceeded)
        return QUOTA_EXCEEDED
    return 0 if broker.keeper.accepting or not session.expiry else QUOTA_EXCEEDED


def _exceeded(session: Session, topic_filter: str, inner: str, limits: Limits) -> str:
    """Return the name of the limit that keeps a session from subscribing to this, or ""."""
    held = session.subscriptions
    if inner.count("/") >= limits.topic_levels:
        return "topic_levels"
    if topic_filter in held:
        return ""
    if len(held) >= limits.subscriptions:
        return "subscriptions"
    if len(topic_filter) > _LONG and sum(map(len, held)) + len(topic_filter) > limits.subscription_characters:
        return "subscription_characters"
    return ""


def _add(broker: Broker, session: Session, wanted: Filter, identifier: int) -> Subscription:
    """Add a subscription, or replace the one with the same filter [MQTT-3.8.4-3] [MQTT5-3.8.4-3]."""
    subscription = Subscription(wanted, identifier)
    session.subscriptions[wanted.topic_filter] = subscription
    broker.subscriptions.add(session, subscription)
    if session.expiry:
        broker.keeper.subscription(session, wanted.topic_filter)
    return subscription


def _is_shared(topic_filter: str) -> bool:
    return parse_shared(topic_filter)[1] is not topic_filter
