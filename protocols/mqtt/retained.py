"""The last retained message of each topic, found again by topic filter."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from sys import intern
from typing import Protocol

from protocols.hits import Hits
from protocols.mqtt.documents import Document, Documents
from protocols.mqtt.keeping import Keeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import Message
from protocols.vrpc.names import is_class_info

_log = logging.getLogger("protocols.mqtt")

_OVERHEAD = 400  # bytes that a level costs besides its text, roughly


class Follower(Protocol):
    """Who is told of the retained messages on some topics."""

    @property
    def ending(self) -> str:
        """Return what all these topics end in, and perhaps others, which are told as well."""
        ...

    def lasts(self, topic: str) -> float | None:
        """Return for how many seconds a message on this topic is retained; None for as long as it says itself."""
        ...

    def kept(self, topic: str, payload: bytes) -> None:
        """Note what a topic has now, b"" for nothing any more; called in the middle of what brought it."""
        ...


class _Node:
    __slots__ = ("children", "message")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = _NONE
        self.message: Message | Document | None = None

    def child(self, level: str) -> _Node:
        """Return what is below this, made if there is nothing: most nodes are the last of their topic."""
        if self.children is _NONE:
            self.children = {}
        child = self.children.get(level)
        if child is None:
            child = self.children[intern(level)] = _Node()  # many topics have levels in common
        return child


_NONE: dict[str, _Node] = {}


class Retained:
    """Retained messages, bounded in number and bytes."""

    def __init__(self, limits: Limits, keeper: Keeper, hits: Hits) -> None:
        self.count = 0
        self.size = 0
        self.refused = 0
        self._limits = limits
        self._keeper = keeper
        self._hits = hits
        self._expiring: dict[str, float] = {}  # when, by topic
        self._owners: dict[str, int] = {}  # integrations of VRPC and Edge Connectors, by topic
        self._root = _Node()
        self._documents = Documents()
        self._follower: Follower | None = None
        self._now: Callable[[], float] = float

    def follow(self, follower: Follower, now: Callable[[], float]) -> None:
        """Have somebody told of what is retained from now on; `now` returns the time of what is being handled."""
        self._follower, self._now = follower, now

    def tell(self, topic: str, payload: bytes) -> None:
        """Tell who follows this topic what it has."""
        if self._follower is not None and topic.endswith(self._follower.ending):
            self._follower.kept(topic, payload)

    def owner(self, topic: str) -> int:
        """Return which integration of VRPC, or Edge Connector, has retained what a topic has; 0 for none."""
        return self._owners.get(topic, 0)

    def give(self, topic: str, owner: int) -> None:
        """Have what a topic has be another integration's."""
        message = self.get(topic)
        if message is not None:
            self._owners[topic] = owner
            self._keeper.retained(message, owner)

    def owned_by(self, integration_ids: Collection[int]) -> list[str]:
        """Return the topics of what these have retained."""
        return [topic for topic, owner in self._owners.items() if owner in integration_ids]

    def keep(self, message: Message, owner: int = 0) -> None:
        """Replace the topic's retained message, or delete it by an empty one.

        One that does not fit leaves the topic without any, since the old value would be a lie.
        """
        path = self._path(message.topic)
        had = self._clear(path, message.topic)  # [MQTT-3.3.1-7] [MQTT-3.3.1-10]
        # An empty one deletes [MQTT-3.3.1-11] [MQTT5-3.3.1-7]
        fits = bool(message.payload) and self.restore(message, owner)
        if had and not fits:
            _prune(path, message.topic)
        self.tell(message.topic, message.payload if fits else b"")
        if _is_own(message.topic):  # a start makes them anew
            return
        if fits:
            self._keeper.retained(message, owner)
        elif had:
            self._keeper.drop_retained(message.topic)

    def accepts(self, message: Message) -> bool:
        """Say whether a message can be kept in the place of its topic's old one, and count it if not."""
        return self.beyond((message,)) is None

    def beyond(self, messages: Iterable[Message]) -> tuple[int, str] | None:
        """Return which of these cannot be kept, if they come one after the other, and by what limit; count that one."""
        count = size = 0
        sizes: dict[str, int] = {}  # of the message that each topic has by then
        for place, message in enumerate(messages):
            topic = message.topic
            if topic not in sizes:
                old = self._held(topic)
                sizes[topic] = _size(old) if old is not None else 0
            had, needs = sizes[topic], _size(message) if message.payload else 0
            count += bool(needs) - bool(had)
            size += needs - had
            if needs and (limit := self._exceeded(topic, topic.count("/") + 1, size, count=count)):
                self._refuse(message, limit)
                return place, limit
            sizes[topic] = needs
        return None

    def restore(self, message: Message, owner: int = 0) -> bool:
        """Take a message of a topic that has none; False when there is no room for it."""
        levels = message.topic.split("/")
        size = _size(message)
        if limit := self._exceeded(message.topic, len(levels), size):
            self._refuse(message, limit)
            return False
        follower = self._follower
        if follower is not None and message.expires_at is None and message.topic.endswith(follower.ending):
            seconds = follower.lasts(message.topic)
            message.expires_at = None if seconds is None else self._now() + seconds
        node = self._root
        for level in levels:
            node = node.child(level)
        node.message = self._documents.hold(message) if is_class_info(message.topic) else message
        if owner:
            self._owners[message.topic] = owner
        if not _is_own(message.topic):
            self.count += 1
            self.size += size
        if message.expires_at is not None:
            self._expiring[message.topic] = message.expires_at
        return True

    def sweep(self, now: float) -> None:
        """Let go of the messages that have expired [MQTT5-3.3.2-5]."""
        for topic in [topic for topic, expires_at in self._expiring.items() if expires_at <= now]:
            self._delete(topic)
            self.tell(topic, b"")
            self._keeper.drop_retained(topic)

    def _exceeded(self, topic: str, levels: int, size: int, *, count: int = 1) -> str:
        """Return the name of the limit that forbids so many more messages of this size."""
        limits = self._limits
        if _is_own(topic):
            return ""
        if levels > limits.topic_levels:
            return "topic_levels"
        if self.count + count > limits.retained_messages:
            return "retained_messages"
        return "retained_bytes" if self.size + size > limits.retained_bytes else ""

    def get(self, name: str) -> Message | None:
        """Return the retained message of a topic."""
        return _message(self._held(name))

    def names(self, topic_filter: str) -> list[str]:
        """Return the topics with a retained message that a filter matches."""
        return [message.topic for message in self.find(topic_filter) if message is not None]

    def find(self, topic_filter: str) -> Iterator[Message | None]:
        """Return the messages that a filter matches, and None at each step that finds none.

        Messages may come and go meanwhile.
        """
        levels = topic_filter.split("/")
        waiting: list[tuple[Iterator[_Node], int]] = [(iter((self._root,)), 0)]
        while waiting:
            nodes, depth = waiting[-1]
            node = next(nodes, None)
            if node is None:
                waiting.pop()
                continue
            level = levels[depth] if depth < len(levels) else None
            if level in ("+", "#"):
                waiting.append((_children(node, leading=node is self._root), depth + (level == "+")))
            elif level is not None and (child := node.children.get(level)) is not None:
                waiting.append((iter((child,)), depth + 1))
            # "sport/#" also matches "sport"
            yield _message(node.message) if level is None or level == "#" else None

    def _held(self, name: str) -> Message | Document | None:
        """Return what is held of a topic."""
        node = self._root
        for level in name.split("/"):
            child = node.children.get(level)
            if child is None:
                return None
            node = child
        return node.message

    def _refuse(self, message: Message, limit: str) -> None:
        self.refused += 1
        self._hits.add(limit)
        if str(self.refused).strip("0") == "1":  # the 1st, 10th, 100th: the log stays bounded
            _log.warning(
                "no room for the retained message on %.60r, as for %d before",
                message.topic,
                self.refused - 1,
            )

    def _delete(self, name: str) -> None:
        path = self._path(name)
        if self._clear(path, name):
            _prune(path, name)

    def _path(self, name: str) -> list[_Node]:
        """Return the nodes from the root to a topic's, or nothing if there is none."""
        path = [self._root]
        for level in name.split("/"):
            child = path[-1].children.get(level)
            if child is None:
                return []
            path.append(child)
        return path

    def _clear(self, path: list[_Node], name: str) -> bool:
        """Take the message from the last node; False when there is none."""
        message = path[-1].message if path else None
        if message is None:
            return False
        self._expiring.pop(name, None)
        self._owners.pop(name, None)
        path[-1].message = None
        if isinstance(message, Document):
            self._documents.release(message)
        if not _is_own(name):
            self.count -= 1
            self.size -= _size(message)
        return True


def _is_own(topic: str) -> bool:
    """Say whether a topic is one of the server's own, which no client publishes and no limit counts."""
    return topic.startswith("$")


def _message(held: Message | Document | None) -> Message | None:
    return held.message() if isinstance(held, Document) else held


def _size(held: Message | Document) -> int:
    """Return how many bytes a message counts for, compressed or not."""
    levels = held.topic.count("/") + 1
    payload = held.size if isinstance(held, Document) else len(held.payload)
    return len(held.topic) + payload + len(held.properties) + _OVERHEAD * levels


def _prune(path: list[_Node], name: str) -> None:
    """Let go of the nodes that only this topic needed."""
    for level in reversed(name.split("/")):
        node = path.pop()
        if node.children or node.message is not None:
            break
        del path[-1].children[level]


def _children(node: _Node, *, leading: bool) -> Iterator[_Node]:
    if leading:  # [MQTT-4.7.2-1]
        return iter([child for level, child in node.children.items() if not level.startswith("$")])
    return iter(list(node.children.values()))
