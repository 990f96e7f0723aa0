"""What is told about connections and limits."""

from __future__ import annotations

from itertools import islice

from protocols.contract import ConnectionInfo, Usage
from protocols.mqtt.broker import Broker
from protocols.mqtt.client import Client
from protocols.mqtt.connection import Connection

_LISTED = 100  # subscriptions
_SHOWN = 500  # characters of a topic filter


def describe(client: Client, connection: Connection) -> ConnectionInfo:
    """Return what is known of an open connection."""
    session, counts = client.session, client.counts(connection.bytes_in)
    listed = list(islice(session.subscriptions.values(), _LISTED))
    return ConnectionInfo(
        client.presence_id,
        session.client_id.lstrip("\0")[:_SHOWN],
        counts.messages_in,
        counts.messages_out,
        counts.bytes_in,
        counts.bytes_out,
        queued=session.queued,
        dropped=session.dropped + connection.outbox.dropped,
        subscription_count=len(session.subscriptions),
        subscriptions=tuple((one.topic_filter[:_SHOWN], one.qos) for one in listed),
        muted=tuple(number for number, one in enumerate(listed) if one.muted),
        denied=session.denied,
    )


def usage(broker: Broker) -> list[Usage]:
    """Return the limits that are settings, in the order of `Limits`."""
    used = {
        "max_connections": broker.crowd.connections,
        "max_handshakes": len(broker.handshakes),
        "queue_total_bytes": broker.common.pool.size,
        "retained_messages": broker.retained.count,
        "retained_bytes": broker.retained.size,
        "waiting_logins": len(broker.waiting),
        "unfinished_connects": broker.unfinished,
        "unfinished_packets": broker.unfinished_packets,
        "outbound_total_bytes": broker.flow.held,
    }
    exceeded = dict(broker.hits.counts)
    exceeded["outbound_bytes"] = broker.flow.dropped
    exceeded["patience"] = broker.flow.given_up
    return [
        Usage(f"MQTT_{name.upper()}", used.get(name), getattr(broker.limits, name), exceeded.get(name, 0))
        for name in SETTINGS
    ]


# The limits that are settings, named MQTT_ and this in capitals.
SETTINGS = (
    "connect_timeout",
    "max_packet",
    "max_connections",
    "max_connections_per_address",
    "max_connections_per_integration",
    "max_handshakes",
    "inflight",
    "queue_messages",
    "queue_bytes",
    "queue_total_bytes",
    "outbound_bytes",
    "retained_messages",
    "retained_bytes",
    "subscriptions",
    "publish_rate",
    "stored_sessions",
    "max_keep_alive",
    "receive_maximum",
    "topic_aliases",
    "max_connect_packet",
    "waiting_logins",
    "unfinished_connects",
    "unfinished_packets",
    "outbound_total_bytes",
    "patience",
    "subscription_characters",
    "topic_levels",
)
