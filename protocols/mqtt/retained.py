"""The last retained message of each topic, found again by topic filter."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from protocols.mqtt.keeping import Keeper
from protocols.mqtt.limits import Hits, Limits
from protocols.mqtt.packets import Message
from protocols.mqtt.routes import Subscription

_log = logging.getLogger("protocols.mqtt")

_OVERHEAD = 400  # bytes that a level costs besides its text, roughly


class _Node:
    __slots__ = ("children", "message")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.message: Message | None = None


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
        self._root = _Node()

    def keep(self, message: Message) -> None:
        """Replace the topic's retained message, or delete it by an empty one.

        One that does not fit leaves the topic without any, since the old value would be a lie.
        """
        had = self._delete(message.topic)  # [MQTT-3.3.1-7] [MQTT-3.3.1-10]
        # An empty one deletes [MQTT-3.3.1-11] [MQTT5-3.3.1-7]
        fits = bool(message.payload) and self.restore(message)
        if _is_own(message.topic):  # a start makes them anew
            return
        if fits:
            self._keeper.retained(message)
        elif had:
            self._keeper.drop_retained(message.topic)

    def restore(self, message: Message) -> bool:
        """Take a message of a topic that has none; False when there is no room for it."""
        levels = message.topic.split("/")
        size = _size(message)
        if limit := self._exceeded(message.topic, len(levels), size):
            self._refuse(message, limit)
            return False
        node = self._root
        for level in levels:
            node = node.children.setdefault(level, _Node())
        node.message = message
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
            self._keeper.drop_retained(topic)

    def _exceeded(self, topic: str, levels: int, size: int) -> str:
        """Return the name of the limit that forbids a message of this size."""
        limits = self._limits
        if _is_own(topic):
            return ""
        if levels > limits.topic_levels:
            return "topic_levels"
        if self.count >= limits.retained_messages:
            return "retained_messages"
        return "retained_bytes" if self.size + size > limits.retained_bytes else ""

    def get(self, name: str) -> Message | None:
        """Return the retained message of a topic."""
        node = self._root
        for level in name.split("/"):
            child = node.children.get(level)
            if child is None:
                return None
            node = child
        return node.message

    def names(self, topic_filter: str) -> list[str]:
        """Return the topics with a retained message that a filter matches."""
        nodes = [self._root]
        levels = topic_filter.split("/")
        for depth, level in enumerate(levels):
            if level == "#":
                # "sport/#" also matches "sport"; nothing is above a leading "#"
                return _names(_below(nodes, leading=depth == 0))
            if level == "+":
                nodes = [child for node in nodes for child in _children(node, leading=depth == 0)]
            else:
                nodes = [node.children[level] for node in nodes if level in node.children]
        return _names(nodes)

    def _refuse(self, message: Message, limit: str) -> None:
        self.refused += 1
        self._hits.add(limit)
        if str(self.refused).strip("0") == "1":  # the 1st, 10th, 100th: the log stays bounded
            _log.warning(
                "no room for the retained message on %.60r, as for %d before",
                message.topic,
                self.refused - 1,
            )

    def _delete(self, name: str) -> bool:
        path = [self._root]
        levels = name.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return False
            path.append(child)
        if (message := path[-1].message) is None:
            return False
        self._expiring.pop(name, None)
        path[-1].message = None
        if not _is_own(name):
            self.count -= 1
            self.size -= _size(message)
        for level in reversed(levels):
            node = path.pop()
            if node.children or node.message is not None:
                break
            del path[-1].children[level]
        return True


class Replay:
    """Retained messages that one session has still to be sent.

    Topics are listed when their filter's turn comes, and a message is looked up when it is sent, so
    that waiting costs little and nothing outdated is sent.
    """

    __slots__ = ("_names", "_retained", "_subscription", "_subscriptions")

    def __init__(self, retained: Retained) -> None:
        self._retained = retained
        self._subscriptions: deque[Subscription] = deque()
        self._names: list[str] = []
        self._subscription: Subscription

    def add(self, subscriptions: Iterable[Subscription]) -> None:
        """Add new subscriptions."""
        self._subscriptions.extend(subscriptions)

    def next(self) -> tuple[Message, Subscription] | None:
        """Return the next message with its RETAIN flag set [MQTT-3.3.1-8] [MQTT5-3.3.1-8], or None at the end."""
        while self._names or self._subscriptions:
            if not self._names:
                self._subscription = self._subscriptions.popleft()
                self._names = self._retained.names(self._subscription.topic_filter)
            elif (message := self._retained.get(self._names.pop())) is not None and not self._subscription.muted:
                qos = min(message.qos, self._subscription.qos)
                if qos != message.qos:
                    message = replace(message, qos=qos)
                return message, self._subscription
        return None


def _is_own(topic: str) -> bool:
    """Say whether a topic is one of the server's own, which no client publishes and no limit counts."""
    return topic.startswith("$")


def _size(message: Message) -> int:
    levels = message.topic.count("/") + 1
    return len(message.topic) + len(message.payload) + len(message.properties) + _OVERHEAD * levels


def _children(node: _Node, *, leading: bool) -> list[_Node]:
    if leading:  # [MQTT-4.7.2-1]
        return [child for level, child in node.children.items() if not level.startswith("$")]
    return list(node.children.values())


def _below(nodes: list[_Node], *, leading: bool) -> list[_Node]:
    """Return these nodes and everything below them."""
    found = []
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += _children(node, leading=leading and node is nodes[0])
    return found


def _names(nodes: list[_Node]) -> list[str]:
    return [node.message.topic for node in nodes if node.message is not None]
