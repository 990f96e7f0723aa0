"""The last retained message of each topic, found again by topic filter."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

from protocols.mqtt.packets import Message

_log = logging.getLogger("protocols.mqtt")

_OVERHEAD = 400  # bytes that a level costs besides its text, roughly


class _Node:
    __slots__ = ("children", "message")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.message: Message | None = None


class Retained:
    """Retained messages, bounded in number and bytes."""

    def __init__(self, *, messages: int, size: int, levels: int) -> None:
        self.count = 0
        self.size = 0
        self.refused = 0
        self._max_count = messages
        self._max_size = size
        self._max_levels = levels
        self._root = _Node()

    def keep(self, message: Message) -> None:
        """Replace the topic's retained message, or delete it by an empty one.

        One that does not fit leaves the topic without any, since the old value would be a lie.
        """
        self._delete(message.topic)  # [MQTT-3.3.1-7] [MQTT-3.3.1-10]
        if not message.payload:  # [MQTT-3.3.1-11]
            return
        levels = message.topic.split("/")
        size = _size(message)
        if len(levels) > self._max_levels or self.count >= self._max_count or self.size + size > self._max_size:
            self._refuse(message)
            return
        node = self._root
        for level in levels:
            node = node.children.setdefault(level, _Node())
        node.message = message
        self.count += 1
        self.size += size

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

    def _refuse(self, message: Message) -> None:
        self.refused += 1
        if str(self.refused).strip("0") == "1":  # the 1st, 10th, 100th: the log stays bounded
            _log.warning(
                "no room for the retained message on %.60r, as for %d before",
                message.topic,
                self.refused - 1,
            )

    def _delete(self, name: str) -> None:
        path = [self._root]
        levels = name.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        if (message := path[-1].message) is None:
            return
        path[-1].message = None
        self.count -= 1
        self.size -= _size(message)
        for level in reversed(levels):
            node = path.pop()
            if node.children or node.message is not None:
                break
            del path[-1].children[level]


class Replay:
    """Retained messages that one session has still to be sent.

    Topics are listed when their filter's turn comes, and a message is looked up when it is sent, so
    that waiting costs little and nothing outdated is sent.
    """

    __slots__ = ("_filters", "_names", "_qos", "_retained")

    def __init__(self, retained: Retained) -> None:
        self._retained = retained
        self._filters: deque[tuple[str, int]] = deque()
        self._names: list[str] = []
        self._qos = 0

    def add(self, filters: Iterable[tuple[str, int]]) -> None:
        """Add new subscriptions, each with the QoS that was granted."""
        self._filters.extend(filters)

    def next(self) -> Message | None:
        """Return the next message with its RETAIN flag set [MQTT-3.3.1-8], or None at the end."""
        while self._names or self._filters:
            if not self._names:
                topic_filter, self._qos = self._filters.popleft()
                self._names = self._retained.names(topic_filter)
            elif (message := self._retained.get(self._names.pop())) is not None:
                qos = min(message.qos, self._qos)
                return Message(message.topic, message.payload, qos, retain=True)
        return None


def _size(message: Message) -> int:
    levels = message.topic.count("/") + 1
    return len(message.topic) + len(message.payload) + _OVERHEAD * levels


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
