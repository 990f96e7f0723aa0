"""Topic names and topic filters, as MQTT has them: what is legal, what matches, what a filter covers (4.7)."""

from __future__ import annotations

import re

_SHOWN = 60  # characters of an untrusted topic that is repeated

# Controls and non-characters: who gets one in a string may close the connection for it (5.0, 1.5.4), and some do.
_PLANES = "".join(map(chr, (end for plane in range(17) for end in (plane << 16 | 0xFFFE, plane << 16 | 0xFFFF))))
_UNCARRIED = re.compile(f"[\x01-\x1f\x7f-\x9f\ufdd0-\ufdef{_PLANES}]")


def name_fault(name: str) -> str:
    """Return what is wrong with a topic name; "" for a legal one."""
    if not name:  # [MQTT-4.7.3-1] [MQTT5-4.7.3-1]
        return "a topic name is empty"
    if "+" in name or "#" in name:  # [MQTT-3.3.2-2] [MQTT-4.7.1-1] [MQTT5-3.3.2-2] [MQTT5-4.7.0-1]
        return f"topic name {name[:_SHOWN]!r} contains a wildcard"
    if not is_carried(name):
        return f"topic name {name[:_SHOWN]!r} contains a control character or a non-character"
    return ""


def is_carried(name: str) -> bool:
    """Say whether no client closes its connection because of the characters of a topic name."""
    return name.isprintable() or not _UNCARRIED.search(name)  # most are, and the first is quicker


def filter_fault(topic_filter: str) -> str:
    """Return what is wrong with a topic filter; "" for a legal one."""
    if not topic_filter:  # [MQTT-4.7.3-1] [MQTT5-4.7.3-1]
        return "a topic filter is empty"
    if "#" in topic_filter:  # [MQTT-4.7.1-2] [MQTT5-4.7.1-1]
        before, _, after = topic_filter.partition("#")
        if after or (before and not before.endswith("/")):
            return f"topic filter {topic_filter[:_SHOWN]!r} has a misplaced #"
    if "+" in topic_filter:  # [MQTT-4.7.1-3] [MQTT5-4.7.1-2]
        if any("+" in level and level != "+" for level in topic_filter.split("/")):
            return f"topic filter {topic_filter[:_SHOWN]!r} has a misplaced +"
    return ""


def matches(topic_filter: str, name: str) -> bool:
    """Say whether a topic name is matched by a topic filter."""
    if _is_kept_from(topic_filter, name):
        return False
    wanted, levels = topic_filter.split("/"), name.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position == len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def matches_below(topic_filter: str, name: str) -> bool:
    """Say whether a topic filter matches anything below a topic name."""
    if _is_kept_from(topic_filter, name):
        return False
    wanted, levels = topic_filter.split("/"), name.split("/")
    for position, level in enumerate(wanted):
        if level == "#" or position == len(levels):
            return True
        if level not in ("+", levels[position]):
            return False
    return False


def covers(allowed: str, wanted: str) -> bool:
    """Say whether every topic name that `wanted` matches is matched by `allowed` too."""
    if _is_kept_from(allowed, wanted):
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


def _is_kept_from(topic_filter: str, name: str) -> bool:
    """Say whether a filter begins with a wildcard, and a name with a `$`, which no wildcard stands for."""
    return name[:1] == "$" and topic_filter[:1] in ("+", "#")  # [MQTT-4.7.2-1] [MQTT5-4.7.2-1]
