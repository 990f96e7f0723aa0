"""Topics and their filters, by the rules of MQTT (5.0, 4.7).  No sockets."""

from __future__ import annotations

LONGEST = 1000  # characters of a topic, and of a filter


def fault(topic: str) -> str:
    """Return why a topic cannot be published to, or nothing."""
    wrong = any(one in topic for one in "+#") or not topic.isprintable()
    if not topic or len(topic) > LONGEST or wrong or topic.startswith("$"):
        return "has to be one that can be published to: no + and #, and no $ at its beginning"
    if any(level.startswith("__") and level.endswith("__") for level in topic.split("/")):
        return "cannot be one on which agents tell of themselves"
    return ""


def filter_fault(topics: str) -> str:
    """Return why a filter cannot be subscribed to, or nothing."""
    levels = topics.split("/")
    if not topics or len(topics) > LONGEST or not topics.isprintable():
        return f"has to have 1 to {LONGEST} printable characters"
    if any(("+" in one or "#" in one) and len(one) > 1 for one in levels) or "#" in levels[:-1]:
        return "has to have + and # as whole levels, and # at its end only"
    return "cannot be a shared one" if topics.startswith("$share/") else ""


def matches(topics: str, topic: str) -> bool:
    """Tell whether a filter matches a topic."""
    return covers(topics, topic)


def covers(wide: str, narrow: str) -> bool:
    """Tell whether a filter matches all that another one, or a topic, stands for."""
    own, other = wide.split("/"), narrow.split("/")
    if narrow.startswith("$") and own[0] in ("+", "#"):
        return False
    for index, level in enumerate(own):
        if level == "#":
            return True
        if index >= len(other) or other[index] == "#" or level not in ("+", other[index]):
            return False
    return len(own) == len(other)
