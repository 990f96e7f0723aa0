"""What the portal's own pages ask of the topics, on behalf of an operator, who may read and write all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from protocols.contract import Refused
from protocols.http.limits import Limits
from protocols.http.messages import Row, Rows, bounded, checked, newest, page
from protocols.hub.hub import Hub


class Topics:
    """The actions whose names begin with topics_."""

    def __init__(self, hub: Hub, rows: Rows, limits: Limits) -> None:
        self._hub = hub
        self._rows = rows
        self._limits = limits

    def actions(self) -> dict[str, Callable[..., object]]:
        """Return the actions by name."""
        acts: list[Callable[..., object]] = [
            self.values,
            self.children,
            self.history,
            self.publish,
            self.delete,
            self.changes,
        ]
        return {f"topics_{act.__name__}": act for act in acts}

    def values(self, prefix: str, limit: int, cursor: str | None) -> dict[str, Any]:
        """Return a page of values."""
        found = self._hub.values(prefix, cursor, bounded(limit, self._limits.page), _anything)
        return page(self._rows, found.messages, found.cursor)

    def children(self, prefix: str, cursor: str | None, limit: int) -> dict[str, Any]:
        """Return the places right below a prefix, which ends with a slash unless it is the root."""
        levels = prefix.split("/")[:-1]
        found = self._hub.children(levels, cursor, bounded(limit, self._limits.page), _anything)
        children: list[list[Any]] = []
        for place in found.places:
            row = self._rows.of(place.message) if place.message is not None else None
            children.append([place.name, place.has_more, row])
        return {"children": children, "cursor": found.cursor}

    def history(self, topic: str, limit: int) -> list[Row]:
        """Return the last values of a topic, the newest last."""
        return newest(self._rows, self._hub.history(checked(topic), max(1, limit)))

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """Publish a message; return its number."""
        return self._hub.publish(_own(checked(topic)), payload, qos=qos, retain=retain).number

    def delete(self, topic: str) -> bool:
        """Delete the value of a topic; return whether there was one."""
        return self._hub.delete(_own(checked(topic)))

    def changes(self, number: int, topics: list[str]) -> dict[str, Any]:
        """Return the last messages of these topics that are newer than a number, and the number to ask with next."""
        newest = (message for topic in topics[: self._limits.page] for message in self._hub.history(topic, 1))
        newer = sorted(message for message in newest if message.number > number)
        rows = self._rows.fitting(newer)
        is_all = len(rows) == len(newer)
        return {"number": self._hub.number if is_all else rows[-1][0], "values": rows}


def _anything(topic: str) -> bool:
    return True


def _own(topic: str) -> str:
    if topic.startswith("$"):
        raise Refused("topics that begin with $ are the server's own", "topic")
    return topic
