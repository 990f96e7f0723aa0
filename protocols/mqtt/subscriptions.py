"""Who subscribes to what: a trie of topic filters with a cache of finished matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocols.access import is_closed
from protocols.hub.entries import Entry
from protocols.mqtt.routes import Matched, Route, Subscription
from protocols.mqtt.shares import Share
from protocols.mqtt.topics import parse_shared

if TYPE_CHECKING:
    from protocols.mqtt.session import Session

_CACHED_ROUTES = 4_096
_CACHED_NAME = 256  # longer topic names are matched anew each time


class _Node:
    __slots__ = ("children", "shares", "subscribers")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.subscribers: dict[Session, Subscription] = {}
        self.shares: dict[str, Share] | None = None  # by their whole filter; few nodes have any


class Subscriptions:
    """Every subscription of every subscriber; no step recurses over the levels of a topic."""

    def __init__(self, entry: Callable[[str], Entry]) -> None:
        self._entry = entry  # of a topic in the hub
        self._root = _Node()
        self._routes: dict[str, Route] = {}
        self._shares: dict[str, Share] = {}  # by "$share/name/filter"
        self.closed: frozenset[str] = frozenset()  # domains of VRPC
        self.count = 0
        self.shared = 0  # of them

    def add(self, subscriber: Session, subscription: Subscription) -> None:
        """Subscribe, or replace the subscription with the same filter [MQTT-3.8.4-3] [MQTT5-3.8.4-3]."""
        whole = subscription.topic_filter
        _, inner = parse_shared(whole)
        node = self._root
        for level in inner.split("/"):
            node = node.children.setdefault(level, _Node())
        if inner is whole:
            self.count += subscriber not in node.subscribers
            node.subscribers[subscriber] = subscription
        else:
            self._join(node, subscriber, subscription)
        self.forget_routes()

    def remove(self, subscriber: Session, whole: str) -> None:
        """End a subscription that exists, and let go of the nodes that only it needed."""
        _, inner = parse_shared(whole)
        levels = inner.split("/")
        path = [self._root]
        for level in levels:
            path.append(path[-1].children[level])
        if inner is whole:
            del path[-1].subscribers[subscriber]
        else:
            self._leave(path[-1], subscriber, whole)
        self.count -= 1
        for level in reversed(levels):
            node = path.pop()
            if node.children or node.subscribers or node.shares:
                break
            del path[-1].children[level]
        self.forget_routes()

    def share(self, whole: str) -> Share | None:
        """Return the group of a shared subscription, if it has members."""
        return self._shares.get(whole)

    def _join(self, node: _Node, subscriber: Session, subscription: Subscription) -> None:
        whole = subscription.topic_filter
        share = self._shares.get(whole)
        if share is None:
            share = self._shares[whole] = Share(whole)
            if node.shares is None:
                node.shares = {}
            node.shares[whole] = share
        self.count += subscriber not in share.members
        self.shared += subscriber not in share.members
        share.add(subscriber, subscription)

    def _leave(self, node: _Node, subscriber: Session, whole: str) -> None:
        share = self._shares[whole]
        share.remove(subscriber)
        self.shared -= 1
        if not share.members and node.shares is not None:
            del self._shares[whole], node.shares[whole]

    def route(self, name: str) -> Route:
        """Return where a message on this topic name goes."""
        route = self._routes.get(name)
        if route is None:
            found = self._match(name)
            route = found.route(name, self._entry(name if found.has_values(name) else ""))
            if len(name) > _CACHED_NAME:
                route.stale = True
                return route
            if len(self._routes) >= _CACHED_ROUTES:
                self.forget_routes()
            self._routes[name] = route
        return route

    def forget_routes(self) -> None:
        """Have every route found anew, also those that somebody keeps."""
        for route in self._routes.values():
            route.end()
        self._routes.clear()

    def _match(self, name: str) -> Matched:
        found = Matched(closed=is_closed(self.closed, name))
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


def _collect(node: _Node | None, found: Matched) -> None:
    if node is None:
        return
    for subscriber, subscription in node.subscribers.items():
        found.add(subscriber, subscription)
    if node.shares is not None:
        found.shares += node.shares.values()
