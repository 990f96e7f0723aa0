"""Who subscribes to what: a trie of topic filters with a cache of finished matches."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)

_CACHED_ROUTES = 4_096
_CACHED_NAME = 256  # longer topic names are matched anew each time


class Route(Generic[S]):
    """The subscribers of one topic name, each with the highest QoS of its matching filters.

    A route may be kept, and be used for as long as it is not stale.
    """

    __slots__ = ("stale", "subscribers")

    def __init__(self, subscribers: tuple[tuple[S, int], ...]) -> None:
        self.stale = False
        self.subscribers = subscribers


class _Node(Generic[S]):
    __slots__ = ("children", "subscribers")

    def __init__(self) -> None:
        self.children: dict[str, _Node[S]] = {}
        self.subscribers: dict[S, int] = {}


class Subscriptions(Generic[S]):
    """Every subscription of every subscriber; no step recurses over the levels of a topic."""

    def __init__(self) -> None:
        self._root: _Node[S] = _Node()
        self._routes: dict[str, Route[S]] = {}

    def add(self, topic_filter: str, subscriber: S, qos: int) -> None:
        """Subscribe, or change the QoS of an existing subscription [MQTT-3.8.4-3]."""
        node = self._root
        for level in topic_filter.split("/"):
            node = node.children.setdefault(level, _Node())
        node.subscribers[subscriber] = qos
        self._forget_routes()

    def remove(self, topic_filter: str, subscriber: S) -> None:
        """End a subscription that exists, and let go of the nodes that only it needed."""
        levels = topic_filter.split("/")
        path = [self._root]
        for level in levels:
            path.append(path[-1].children[level])
        del path[-1].subscribers[subscriber]
        for level in reversed(levels):
            node = path.pop()
            if node.children or node.subscribers:
                break
            del path[-1].children[level]
        self._forget_routes()

    def route(self, name: str) -> Route[S]:
        """Return where a message on this topic name goes."""
        route = self._routes.get(name)
        if route is None:
            route = Route(tuple(self._match(name).items()))
            if len(name) > _CACHED_NAME:
                route.stale = True
                return route
            if len(self._routes) >= _CACHED_ROUTES:
                self._forget_routes()
            self._routes[name] = route
        return route

    def _forget_routes(self) -> None:
        for route in self._routes.values():
            route.stale = True
            route.subscribers = ()  # whoever still has the route keeps no session alive by it
        self._routes.clear()

    def _match(self, name: str) -> dict[S, int]:
        found: dict[S, int] = {}
        nodes = [self._root]
        wildcards = not name.startswith("$")  # [MQTT-4.7.2-1]
        for level in name.split("/"):
            following = []
            for node in nodes:
                if wildcards:
                    _collect(node.children.get("#"), found)
                    if (child := node.children.get("+")) is not None:
                        following.append(child)
                if (child := node.children.get(level)) is not None:
                    following.append(child)
            nodes, wildcards = following, True
            if not nodes:
                break
        for node in nodes:
            _collect(node, found)
            _collect(node.children.get("#"), found)  # "sport/#" also matches "sport"
        return found


def _collect(node: _Node[S] | None, found: dict[S, int]) -> None:
    """Note a node's subscribers, each with the maximum QoS of its filters [MQTT-3.3.5-1]."""
    if node is not None:
        for subscriber, qos in node.subscribers.items():
            if qos >= found.get(subscriber, 0):
                found[subscriber] = qos
