"""What the PUBLISH packets of who is in a domain of VRPC do: held to more than others, so that others stay as quick."""

from __future__ import annotations

from protocols.mqtt.broker import Broker
from protocols.mqtt.line import Line
from protocols.mqtt.packets import Message
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
        self._replies: Replies | None = None
        if isinstance(access, Client):
            self._replies = Replies(access.place, access.may_hear)
            self._check = self._replies.are_plainly_own

    def _pass_on(
        self, route: Route, head: int, data: bytes, start: int, body: int, name_end: int, at: int, end: int, count: int
    ) -> None:
        """Send on those of the packets that may go; what is dropped is acknowledged all the same."""
        good = count
        if route.forbidden or (head & RETAIN and not self._session.access.may_retain(route.topic)):
            good = 0
        elif (replies := self._replies) is not None and _is_function(route.topic):
            if count == 1:
                good = int(replies.are_own(data[at:end]))
            else:
                payload, size = at - start, (end - start) // count
                own = [one for one in range(start, end, size) if replies.are_own(data[one + payload : one + size])]
                data = b"".join(data[one : one + size] for one in own)
                name_end, body, at, good = name_end - start, body - start, payload, len(own)
                start, end = 0, len(data)
        self._session.denied += count - good
        if good:
            super()._pass_on(route, head, data, start, body, name_end, at, end, good)
        elif head & 6:
            super()._pass_on(self._broker.forbidden, head, data, start, body, name_end, at, end, count)

    def _examine(self, message: Message, route: Route) -> Route:
        """Hold a message of 5.0 with properties to the same."""
        may_go = not route.forbidden and (not message.retain or self._session.access.may_retain(route.topic))
        checked = self._replies if _is_function(route.topic) else None
        if may_go and (checked is None or checked.are_own(message.payload)):
            return route
        self._session.denied += 1
        return self._broker.forbidden


def _is_function(topic: str) -> bool:
    """Say whether a topic that a client may publish to is that of a function: a request."""
    return topic.count("/") == FUNCTION
