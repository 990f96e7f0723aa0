"""Which topics a grant opens."""

from __future__ import annotations

from protocols.contract import Grant
from protocols.mqtt.topics import covers, matches


def may_publish(grant: Grant, name: str) -> bool:
    """Say whether messages on this topic name are routed; `$`-topics are the server's own."""
    return not name.startswith("$") and any(matches(allowed, name) for allowed in grant.publish)


def may_subscribe(grant: Grant, topic_filter: str) -> bool:
    """Say whether everything that this filter matches may be read."""
    return any(covers(allowed, topic_filter) for allowed in grant.subscribe)
