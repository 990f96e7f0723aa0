"""Messages as they go to the web workers: [number, topic, payload, retain, username of the integration or "", time]."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from protocols.contract import Refused
from protocols.http.events import Names
from protocols.hub.messages import Message
from protocols.topics import filter_fault, name_fault

Row = list[Any]

LONGEST = 65_535  # bytes of a topic
COST = 64  # bytes of a row besides its payload and its topic


class Rows:
    """Makes rows of messages, and of as many as fit into an answer."""

    def __init__(self, names: Names, most: int) -> None:
        self._names = names
        self._most = most

    def of(self, message: Message) -> Row:
        """Return a message as a row."""
        number, topic, payload, retain, integration_id, time = message
        return [number, topic, payload, retain, self._names(integration_id), time]

    def excerpt(self, message: Message, most: int) -> Row:
        """Return a message as a row with so many bytes of its payload at most, and behind it the size of the whole."""
        return [*self.of(message._replace(payload=message.payload[:most])), len(message.payload)]

    def fitting(self, messages: Iterable[Message]) -> list[Row]:
        """Return the first messages, as many as fit into an answer; one at least."""
        rows: list[Row] = []
        room = self._most
        for message in messages:
            room -= size(message)
            if room < 0 and rows:
                break
            rows.append(self.of(message))
        return rows


def size(message: Message) -> int:
    """Return how many bytes a message takes in an answer, roughly."""
    return COST + len(message.payload) + 2 * len(message.topic)


def page(rows: Rows, messages: list[Message], cursor: str | None) -> dict[str, Any]:
    """Return a page of values; where not all fit, it ends earlier."""
    fitting = rows.fitting(messages)
    if len(fitting) < len(messages):
        cursor = messages[len(fitting) - 1].topic
    return {"values": fitting, "cursor": cursor}


def newest(rows: Rows, messages: list[Message]) -> list[Row]:
    """Return the newest of these messages, the newest last, as many as fit."""
    return rows.fitting(reversed(messages))[::-1]


def checked(topic: str, field: str = "topic") -> str:
    """Return a legal topic name.  Raises `Refused`."""
    if fault := name_fault(topic) or string_fault(topic):
        raise Refused(fault, field)
    return topic


def checked_filter(topic_filter: str) -> str:
    """Return a legal topic filter.  Raises `Refused`."""
    if fault := filter_fault(topic_filter) or string_fault(topic_filter):
        raise Refused(fault, "filters")
    return topic_filter


def string_fault(text: str) -> str:
    """Return what keeps a text from being an MQTT string (1.5.3); "" if nothing does."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "a topic contains half a surrogate pair"
    if "\0" in text:
        return "a topic contains U+0000"
    return f"a topic has {size} bytes, and {LONGEST} are allowed" if size > LONGEST else ""


def bounded(limit: int, most: int) -> int:
    """Return how many are wanted, as far as that is allowed."""
    return max(1, min(limit, most))


def outgoing(messages: Iterable[Row], most: int) -> list[tuple[str, bytes, int, bool]]:
    """Return what is to be published, if all of it can be; the field of a fault in the first is "messages/0/topic".

    Raises `Refused`.
    """
    wanted = list(islice(messages, most + 1))
    if len(wanted) > most:
        raise Refused(f"at most {most} messages can be published at once", "messages")
    for number, (topic, _, qos, _) in enumerate(wanted):
        checked(topic, f"messages/{number}/topic")
        if qos not in (0, 1, 2):
            raise Refused("QoS is 0, 1 or 2", f"messages/{number}/qos")
    return [(topic, bytes(payload), qos, bool(retain)) for topic, payload, qos, retain in wanted]
