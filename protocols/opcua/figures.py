"""What is told about connections and limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, islice

from protocols.contract import ConnectionInfo, Usage
from protocols.opcua.common import Common
from protocols.opcua.processor import Processor
from protocols.opcua.session import Session

_LISTED = 100  # monitored items
# A shorter interval is made longer, and the oldest value gives way: nothing is refused or missed.
_NEVER_REFUSES = {"OPCUA_PUBLISHING_INTERVAL", "OPCUA_HISTORY_VALUES"}
_SHOWN = 500  # characters of a node id


def describe(session: Session, processor: Processor) -> ConnectionInfo:
    """Return what is known of an open connection."""
    subscriptions, counts, channel = session.subscriptions(), processor.counts, processor.channel
    monitored = chain.from_iterable(one.monitored_item_srv.node_ids() for one in subscriptions)
    return ConnectionInfo(
        session.presence_id,
        session.client_id,
        counts.messages_in,
        counts.messages_out,
        counts.bytes_in,
        counts.bytes_out,
        queued=sum(one.waiting for one in subscriptions),
        dropped=sum(one.queues.dropped for one in subscriptions),
        subscription_count=len(subscriptions),
        subscriptions=tuple((node.to_string()[:_SHOWN], 0) for _, node in islice(monitored, _LISTED)),
        application_name=session.application_name,
        application_uri=session.application_uri,
        security_mode=str(channel.mode.name).rstrip("_"),
        security_policy=channel.policy,
        monitored_items=sum(one.item_count for one in subscriptions),
        values_read=session.caller.values_read,
        values_written=session.caller.values_written,
    )


def usage(common: Common, connections: int, of_values: Iterable[Usage]) -> list[Usage]:
    """Return the limits that are settings, in the order of `Limits`, and those of the values."""
    used = {
        "max_connections": connections,
        "subscription_bytes": common.rooms.largest.bytes,
        "subscription_total_bytes": common.rooms.bytes,
    }
    found = [
        Usage(
            f"OPCUA_{one.upper()}",
            used.get(one),
            getattr(common.limits, one),
            common.hits.counts[one],
        )
        for one in SETTINGS
    ]
    return [replace(one, exceeded=None) if one.name in _NEVER_REFUSES else one for one in (*found, *of_values)]


# The limits that are settings, named OPCUA_ and this in capitals.
SETTINGS = (
    "connect_timeout",
    "session_timeout",
    "max_message",
    "max_connections",
    "max_connections_per_address",
    "max_connections_per_integration",
    "subscriptions",
    "monitored_items",
    "publishing_interval",
    "subscription_bytes",
    "subscription_total_bytes",
)
