"""What the portal's own pages ask of the topics, on behalf of an operator, who may read and write all of them.

Pages show the beginnings of payloads: they say how many bytes of each they want, and get its size as a seventh field.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from protocols.contract import Refused
from protocols.http.limits import Limits
from protocols.http.messages import COST, Row, Rows, bounded, checked
from protocols.hub.hub import Hub
from protocols.hub.messages import Child


class Topics:
    """The actions whose names begin with topics_."""

    def __init__(self, hub: Hub, rows: Rows, limits: Limits) -> None:
        self._hub = hub
        self._rows = rows
        self._limits = limits

    def actions(self) -> dict[str, Callable[..., object]]:
        """Return the actions by name."""
        acts: list[Callable[..., object]] = [
            self.get,
            self.children,
            self.find,
            self.spelled,
            self.history,
            self.publish,
            self.delete,
        ]
        return {f"topics_{act.__name__}": act for act in acts}

    def get(self, topic: str, most: int) -> Row | None:
        """Return the value of a topic."""
        found = self._hub.get(checked(topic))
        return None if found is None else self._rows.excerpt(found, most)

    def children(self, prefix: str, cursor: str | None, limit: int, most: int) -> dict[str, Any]:
        """Return the places right below a prefix, which ends with a slash unless it is the root."""
        levels = prefix.split("/")[:-1]
        found = self._hub.children(levels, cursor, bounded(limit, self._limits.page), _anything)
        rows: list[list[Any]] = []
        room = self._limits.answer_bytes
        for place in found.places:
            row = self._child(place, most)
            room -= COST + len(place.name) + (len(row[2][1]) + len(row[2][2]) if row[2] else 0)
            if room < 0 and rows:
                return {"children": rows, "cursor": place.name}
            rows.append(row)
        return {"children": rows, "cursor": found.cursor}

    def find(self, text: str, cursor: str | None, limit: int, most: int) -> dict[str, Any]:
        """Return a page of values whose topics contain a text; it may be short, or empty, and not be the last."""
        found = self._hub.find(text, cursor, bounded(limit, self._limits.page))
        rows: list[Row] = []
        room = self._limits.answer_bytes
        for message in found.messages:
            row = self._rows.excerpt(message, most)
            room -= COST + len(message.topic) + len(row[2])
            if room < 0 and rows:
                return {"values": rows, "cursor": rows[-1][1]}
            rows.append(row)
        return {"values": rows, "cursor": found.cursor}

    def spelled(self, beginning: str, digest: bytes, cursor: str | None) -> dict[str, Any]:
        """Return the topic of a digest, for topics that are too long for an address: it, or where to go on, or None."""

        def is_meant(topic: str) -> bool:
            return blake2b(topic.encode(), digest_size=len(digest)).digest() == digest

        found = self._hub.values(beginning, cursor, 1, is_meant)
        if found.messages:
            return {"topic": found.messages[0].topic, "cursor": None}
        return {"topic": None, "cursor": found.cursor}

    def history(self, topic: str, limit: int, most: int) -> list[Row]:
        """Return the last values of a topic, the newest last."""
        return [self._rows.excerpt(message, most) for message in self._hub.history(checked(topic), max(1, limit))]

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """Publish a message; return its number."""
        return self._hub.publish(_own(checked(topic)), payload, qos=qos, retain=retain).number

    def delete(self, topic: str) -> bool:
        """Delete the value of a topic; return whether there was one."""
        return self._hub.delete(_own(checked(topic)))

    def _child(self, place: Child, most: int) -> list[Any]:
        row = self._rows.excerpt(place.message, most) if place.message is not None else None
        return [place.name, place.has_more, row]


def _anything(topic: str) -> bool:
    return True


def _own(topic: str) -> str:
    if topic.startswith("$"):
        raise Refused("topics that begin with $ are the server's own", "topic")
    return topic
