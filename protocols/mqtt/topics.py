"""Topic names and topic filters: what is legal, what matches, what a filter covers (4.7)."""

from __future__ import annotations

from protocols.mqtt.errors import InvalidTopic, MalformedPacket

_SHOWN = 60  # characters of an untrusted topic that an error repeats


def decode_utf8(data: bytes) -> str:
    """Decode an MQTT string, which has fewer characters than UTF-8."""
    try:
        text = str(data, "utf-8")  # [MQTT-1.5.3-1] refuses surrogates; [MQTT-1.5.3-3] keeps a BOM
    except UnicodeDecodeError:
        raise MalformedPacket("a string is not UTF-8") from None
    if "\0" in text:  # [MQTT-1.5.3-2]
        raise MalformedPacket("a string contains U+0000")
    return text


def check_name(name: str) -> str:
    """Return a legal topic name; raise InvalidTopic for any other."""
    if not name:  # [MQTT-4.7.3-1]
        raise InvalidTopic("a topic name is empty")
    if "+" in name or "#" in name:  # [MQTT-3.3.2-2] [MQTT-4.7.1-1]
        raise InvalidTopic(f"topic name {name[:_SHOWN]!r} contains a wildcard")
    return name


def check_filter(topic_filter: str) -> str:
    """Return a legal topic filter; raise InvalidTopic for any other."""
    if not topic_filter:  # [MQTT-4.7.3-1]
        raise InvalidTopic("a topic filter is empty")
    if "#" in topic_filter:  # [MQTT-4.7.1-2]
        before, _, after = topic_filter.partition("#")
        if after or (before and not before.endswith("/")):
            raise InvalidTopic(f"topic filter {topic_filter[:_SHOWN]!r} has a misplaced #")
    if "+" in topic_filter:  # [MQTT-4.7.1-3]
        if any("+" in level and level != "+" for level in topic_filter.split("/")):
            raise InvalidTopic(f"topic filter {topic_filter[:_SHOWN]!r} has a misplaced +")
    return topic_filter


def matches(topic_filter: str, name: str) -> bool:
    """Say whether a topic name is matched by a topic filter."""
    if name[0] == "$" and topic_filter[0] in "+#":  # [MQTT-4.7.2-1]
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
    if wanted[0] == "$" and allowed[0] in "+#":  # [MQTT-4.7.2-1]
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
