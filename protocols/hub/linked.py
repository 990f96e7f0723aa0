"""The hub for other parts of the protocols worker, over their links.

They ask no permission for themselves, and say with each question what their client may see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from protocols.access import is_closed
from protocols.contract import Link, Refused
from protocols.hub.ear import Ear, Row, row
from protocols.hub.hub import Hub
from protocols.hub.listening import is_exact
from protocols.hub.messages import MayRead, Message
from protocols.topics import matches, name_fault

Readable = tuple[str, list[str], list[str], list[str]]  # how its own topics begin; then as `Access.readable`

_MOST = 1_000  # places of one answer
_BYTES = 4 * 1024 * 1024  # of payloads in one answer


class LinkedHub:
    """Publishes for links, tells them what they listen to, and answers them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._ears: dict[Link, Ear] = {}

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what links may ask; see `protocols.contract.Server.link_actions`."""
        return {
            "hub_publish": self._publish,
            "hub_listen": self._listen,
            "hub_unlisten": self._unlisten,
            "hub_took": self._took,
            "hub_look": self._look,
            "hub_values": self._values,
            "hub_children": self._children,
            "hub_history": self._history,
        }

    def _ear(self, link: Link) -> Ear:
        ear = self._ears.get(link)
        if ear is None:
            ear = self._ears[link] = Ear(link)
            link.on_close(lambda: self._hub.unlisten(self._ears.pop(link)))
        return ear

    def _publish(self, link: Link, messages: list[tuple[str, bytes, int, int]]) -> list[int]:
        """Publish (topic, payload, integration, mark) in their order; return their numbers.

        That is 0 of what is no topic, nobody's any more, or cannot be stored; what follows is published all the same.
        """
        ear = self._ear(link)
        numbers = []
        for topic, payload, integration_id, mark in messages:
            number = 0
            with suppress(Refused):
                number = self._published(topic, payload, integration_id)
                ear.said(number, mark)
            numbers.append(number)
        return numbers

    def _published(self, topic: str, payload: bytes, integration_id: int) -> int:
        if not is_publishable(topic):
            raise Refused("this is no topic")
        if self._hub.is_deleted(integration_id):  # the other part has not heard of it yet
            raise Refused("this integration is deleted")
        return self._hub.publish(topic, payload, qos=1, integration_id=integration_id).number

    def _listen(self, link: Link, filters: list[str]) -> None:
        ear = self._ear(link)
        ear.single.update(filter(is_exact, filters))
        self._hub.listen(filters, ear, _anything)

    def _unlisten(self, link: Link, filters: list[str]) -> None:
        ear = self._ear(link)
        ear.single.difference_update(filters)
        self._hub.unlisten(ear, filters)

    def _took(self, link: Link, cost: int) -> None:
        self._ear(link).took(cost)

    def _look(self, link: Link, topics: list[str], readable: Readable) -> list[tuple[Row | None, bool]]:
        """Return the value of each place in the tree of topics, or whether there is anything below it.

        Of very large values there are fewer than were asked for: the first ones.
        """
        may_read = _within(readable)
        found: list[tuple[Row | None, bool]] = []
        size = 0
        for topic in topics:
            message = self._hub.get(topic) if may_read(topic) else None
            if message is not None:
                found.append((row(message), False))
                size += len(message.payload)
            else:
                found.append((None, self._has_any(topic, may_read)))
            if size > _BYTES:
                break
        return found

    def _has_any(self, topic: str, may_read: MayRead) -> bool:
        """Say whether there is a value below a place; among very many that may not be read, that there may be."""
        below = self._hub.children(topic.split("/"), None, 1, may_read)
        return bool(below.places or below.cursor)

    def _values(self, link: Link, prefix: str, after: str | None) -> tuple[list[Row], str | None]:
        """Return values of topics that begin so, and where to go on."""
        page = self._hub.values(prefix, after, _MOST, _anything)
        rows = _fitting(page.messages)
        return rows, page.messages[len(rows) - 1].topic if len(rows) < len(page.messages) else page.cursor

    def _children(
        self, link: Link, levels: list[str], after: str | None, most: int, readable: Readable
    ) -> tuple[list[tuple[str, bool, bool]], str | None]:
        """Return what is one level below a place: its name, whether it has a value, and anything below it."""
        found = self._hub.children(levels, after, min(most, _MOST), _within(readable))
        return [(one.name, one.message is not None, one.has_more) for one in found.places], found.cursor

    def _history(self, link: Link, topic: str) -> list[Row]:
        """Return the last messages of a topic, the newest last."""
        return _fitting(self._hub.history(topic, _MOST)[::-1])[::-1]


def is_publishable(topic: str) -> bool:
    """Say whether a text is a topic of the hub."""
    if topic.startswith("$") or "\0" in topic or name_fault(topic):
        return False
    try:
        return len(topic.encode()) < 65_536
    except UnicodeEncodeError:  # half a surrogate pair
        return False


def _fitting(messages: list[Message]) -> list[Row]:
    """Return the first messages, as many as fit into an answer, and at least one."""
    rows: list[Row] = []
    size = 0
    for message in messages:
        rows.append(row(message))
        size += len(message.payload)
        if size > _BYTES:
            break
    return rows


def _within(readable: Readable) -> MayRead:
    """Say of a topic whether it begins so, or a filter matches it that may."""
    own, filters, naming, closed = readable
    domains = frozenset(closed)

    def may_read(topic: str) -> bool:
        opening = naming if is_closed(domains, topic) else filters
        return topic.startswith(own) or any(matches(one, topic) for one in opening)

    return may_read


def _anything(topic: str) -> bool:
    return True
