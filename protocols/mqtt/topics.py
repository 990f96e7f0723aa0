"""Topic names and topic filters: what is legal (4.7)."""

from __future__ import annotations

from protocols.mqtt.errors import InvalidFilter, InvalidTopic, MalformedPacket

_SHARE = "$share/"
_SHOWN = 60  # characters of an untrusted topic that an error repeats


def decode_utf8(data: bytes) -> str:
    """Decode an MQTT string, which has fewer characters than UTF-8."""
    try:
        text = str(
            data, "utf-8"
        )  # refuses surrogates [MQTT-1.5.3-1] [MQTT5-1.5.4-1], keeps a BOM [MQTT-1.5.3-3] [MQTT5-1.5.4-3]
    except UnicodeDecodeError:
        raise MalformedPacket("a string is not UTF-8") from None
    if "\0" in text:  # [MQTT-1.5.3-2] [MQTT5-1.5.4-2]
        raise MalformedPacket("a string contains U+0000")
    return text


def check_name(name: str) -> str:
    """Return a legal topic name; raise InvalidTopic for any other."""
    if not name:  # [MQTT-4.7.3-1] [MQTT5-4.7.3-1]
        raise InvalidTopic("a topic name is empty")
    if "+" in name or "#" in name:  # [MQTT-3.3.2-2] [MQTT-4.7.1-1] [MQTT5-3.3.2-2] [MQTT5-4.7.0-1]
        raise InvalidTopic(f"topic name {name[:_SHOWN]!r} contains a wildcard")
    return name


def check_filter(topic_filter: str) -> str:
    """Return a legal topic filter; raise InvalidFilter for any other."""
    if not topic_filter:  # [MQTT-4.7.3-1] [MQTT5-4.7.3-1]
        raise InvalidFilter("a topic filter is empty")
    if "#" in topic_filter:  # [MQTT-4.7.1-2] [MQTT5-4.7.1-1]
        before, _, after = topic_filter.partition("#")
        if after or (before and not before.endswith("/")):
            raise InvalidFilter(f"topic filter {topic_filter[:_SHOWN]!r} has a misplaced #")
    if "+" in topic_filter:  # [MQTT-4.7.1-3] [MQTT5-4.7.1-2]
        if any("+" in level and level != "+" for level in topic_filter.split("/")):
            raise InvalidFilter(f"topic filter {topic_filter[:_SHOWN]!r} has a misplaced +")
    return topic_filter


def parse_shared(whole: str) -> tuple[str, str]:
    """Return share name and topic filter of "$share/name/filter"; of any other filter "" and itself (4.8.2)."""
    if whole.startswith(_SHARE):
        name, _, inner = whole[len(_SHARE) :].partition("/")
        if name and inner and "+" not in name and "#" not in name:
            return name, inner
    return "", whole


def check_shared(topic_filter: str) -> str:
    """Return a legal topic filter of 5.0, where "$share/" is reserved; raise InvalidFilter for any other.

    In 3.1.1 "$share/a" is a filter as any other.
    """
    check_filter(topic_filter)
    if topic_filter.startswith(_SHARE) and not parse_shared(topic_filter)[0]:  # [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]
        raise InvalidFilter(f"topic filter {topic_filter[:_SHOWN]!r} is no shared subscription")
    return topic_filter
