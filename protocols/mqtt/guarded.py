"""What the PUBLISH packets of who is in a domain of VRPC do: held to more than others, so that others stay as quick."""

from __future__ import annotations

from protocols.mqtt.broker import Broker
from protocols.mqtt.line import Line
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import LEVEL_3_1_1, Message
from protocols.mqtt.publishing import Publisher
from protocols.mqtt.routes import Route
from protocols.mqtt.session import Session
from protocols.vrpc.access import Client
from protocols.vrpc.requests import Replies

RETAIN = 1  # the flag in a first byte
FUNCTION = 4  # slashes in `domain/agent/class/instance/function`; no other topic that a client may use has so many


class GuardedPublisher(Publisher):
    """Routes what may go, and counts what may not.

    That is a topic that is not permitted, a request whose reply or events are to go to somebody else, and anything
    retained in the domain that is not told of oneself.
    """

    __slots__ = ("_replies",)

    def __init__(self, broker: Broker, session: Session, line: Line, *, explains: bool) -> None:
        super().__init__(broker, session, line, explains=explains)
        access = session.access
        self._replies = Replies(access.place, access.may_hear) if isinstance(access, Client) else None

    def publish(self, data: bytes, start: int, body: int, end: int, count: int) -> Outbox | None:
        """Route a PUBLISH, or those of `count` alike that may go; or return the outbox that they wait for."""
        head = data[start]
        name_end = body + 2 + (data[body] << 8 | data[body + 1]) if end - body > 1 else end + 1
        at = name_end + 2 if head & 6 else name_end
        if at > end or (self._level != LEVEL_3_1_1 and (at == end or data[at])):
            return super().publish(data, start, body, end, count)  # a fault, or examined below
        at += self._level != LEVEL_3_1_1
        name, size = data[body + 2 : name_end], (end - start) // count
        route = self._route_to(name)
        if route.forbidden or (head & RETAIN and not self._session.access.may_retain(route.topic)):
            good: list[int] = []
        elif self._is_request(name):
            good = [one for one in range(start, end, size) if self._is_own(data[one + at - start : one + size])]
        else:
            return super().publish(data, start, body, end, count)
        if len(good) == count:
            return super().publish(data, start, body, end, count)
        slow = None
        if good:
            rest = b"".join(data[one : one + size] for one in good)
            slow = super().publish(rest, 0, body - start, len(rest), len(good))
        elif head & 6:  # which is acknowledged all the same
            self._acknowledge_only(name, data, start, body, end)
        if slow is None:
            self._session.denied += count - len(good)
        return slow

    def _route_to(self, name: bytes) -> Route:
        route = self._routes.get(name)
        return self._find_route(name) if route is None or route.stale else route

    def _is_request(self, name: bytes) -> bool:
        """Say whether a topic that the session may publish to is that of a function."""
        return self._replies is not None and name.count(b"/") == FUNCTION

    def _is_own(self, payload: bytes) -> bool:
        return self._replies is None or self._replies.are_own(payload)

    def _acknowledge_only(self, name: bytes, data: bytes, start: int, body: int, end: int) -> None:
        kept = self._routes.get(name)
        self._routes[name] = self._broker.forbidden
        super().publish(data, start, body, end, 1)
        if kept is not None:
            self._routes[name] = kept
        else:
            del self._routes[name]

    def _examine(self, message: Message, route: Route) -> Route:
        """Hold a message of 5.0 with properties to the same."""
        may_go = not route.forbidden and (not message.retain or self._session.access.may_retain(route.topic))
        if may_go and (not self._is_request(route.topic.encode()) or self._is_own(message.payload)):
            return route
        self._session.denied += 1
        return self._broker.forbidden
