"""Topic names and topic filters: what matches, what a filter covers (MQTT 4.7)."""

from __future__ import annotations


def matches(topic_filter: str, name: str) -> bool:
    """Say whether a topic name is matched by a topic filter."""
    if name[0] == "$" and topic_filter[0] in "+#":  # [MQTT-4.7.2-1] [MQTT5-4.7.2-1]
        return False
    wanted, levels = topic_filter.split("/"), name.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position == len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def covers(allowed: str, wanted: str) -> bool:
    """Say whether every topic name that `wanted` matches is matched by `allowed` too."""
    if wanted[0] == "$" and allowed[0] in "+#":  # [MQTT-4.7.2-1] [MQTT5-4.7.2-1]
        return False
    permitted, levels = allowed.split("/"), wanted.split("/")
    for position, level in enumerate(permitted):
        if level == "#":
            return True
        if position == len(levels) or levels[position] == "#":
            return False
        if level not in ("+", levels[position]):
            return False
    return len(permitted) == len(levels)
