"""Topics in packets: strings, and what is refused of names, filters and shared subscriptions (4.7, 4.8.2)."""

from __future__ import annotations

from protocols.mqtt.errors import InvalidFilter, InvalidTopic, MalformedPacket
from protocols.topics import filter_fault, name_fault

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
    if fault := name_fault(name):
        raise InvalidTopic(fault)
    return name


def check_filter(topic_filter: str) -> str:
    """Return a legal topic filter; raise InvalidFilter for any other."""
    if fault := filter_fault(topic_filter):
        raise InvalidFilter(fault)
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
