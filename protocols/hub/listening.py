"""Who listens to what: a tree of topic filters."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from protocols.hub.messages import Listener, MayRead


def is_exact(topic_filter: str) -> bool:
    """Say whether a filter matches one topic only."""
    return "+" not in topic_filter and "#" not in topic_filter


class _Node:
    __slots__ = ("children", "listeners")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.listeners: dict[Listener, MayRead] = {}


@dataclass(slots=True)
class _Kept:
    may_read: MayRead
    filters: dict[str, None] = field(default_factory=dict)


class Listening:
    """Every listener with its filters; no step recurses over the levels of a topic."""

    def __init__(self) -> None:
        self._root = _Node()
        self._kept: dict[Listener, _Kept] = {}
        self.version = 0  # counts changes of filters with wildcards

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __contains__(self, listener: Listener) -> bool:
        return listener in self._kept

    def add(self, filters: Collection[str], listener: Listener, may_read: MayRead) -> None:
        """Have a listener told of what these filters match, besides those that it has."""
        kept = self._kept.setdefault(listener, _Kept(may_read))
        for topic_filter in filters:
            node = self._root
            for level in topic_filter.split("/"):
                node = node.children.setdefault(level, _Node())
            node.listeners[listener] = may_read
            kept.filters[topic_filter] = None
            self.version += not is_exact(topic_filter)

    def remove(self, listener: Listener, filters: Collection[str] | None = None) -> list[str]:
        """End these filters of a listener, or all; return those it had."""
        kept = self._kept.get(listener)
        if kept is None:
            return []
        wanted = kept.filters if filters is None else dict.fromkeys(filters)
        ended = [one for one in wanted if one in kept.filters]
        for topic_filter in ended:
            del kept.filters[topic_filter]
            self._remove(topic_filter, listener)
            self.version += not is_exact(topic_filter)
        if not kept.filters:
            del self._kept[listener]
        return ended

    def _remove(self, topic_filter: str, listener: Listener) -> None:
        levels = topic_filter.split("/")
        path = [self._root]
        for level in levels:
            path.append(path[-1].children[level])
        del path[-1].listeners[listener]
        for level in reversed(levels):
            node = path.pop()
            if node.children or node.listeners:
                break
            del path[-1].children[level]

    def of(self, topic: str) -> tuple[Listener, ...]:
        """Return who listens to a topic and may read it."""
        found: dict[Listener, MayRead] = {}
        nodes = [self._root]
        for level in topic.split("/"):
            following = []
            for node in nodes:
                children = node.children
                if (child := children.get("#")) is not None:
                    found.update(child.listeners)
                if (child := children.get("+")) is not None:
                    following.append(child)
                if (child := children.get(level)) is not None:
                    following.append(child)
            nodes = following
        for node in nodes:
            found.update(node.listeners)
            if (child := node.children.get("#")) is not None:  # "sport/#" also matches "sport"
                found.update(child.listeners)
        return tuple(listener for listener, may_read in found.items() if may_read(topic))
