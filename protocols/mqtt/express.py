"""One small message to one subscriber, the most usual thing of all, passed on at once.

A message that comes alone finds the processor's caches cold, so that every function on its way costs it time.  What
arrives is looked at here first: where it is one whole PUBLISH of QoS 0 without properties, on a topic whose route is
known and leads to a single subscriber of the same protocol level who takes bytes now, it is written to that one's
socket as it is.  All else goes the long way, and so does what is not plain in any other respect.
"""

from __future__ import annotations

from collections.abc import Callable

from protocols.hub.runs import LONG
from protocols.mqtt.broker import Broker
from protocols.mqtt.packets import LEVEL_3_1_1, PUBLISH_QOS_0
from protocols.mqtt.routes import Route
from protocols.mqtt.session import Session

_LEAST = 5  # bytes: a fixed header, and a topic of one character


class Express:
    """Passes on the messages of one client that are alone."""

    __slots__ = ("_check", "_flow", "_hub", "_integration_id", "_level", "_most", "_routes")

    def __init__(self, broker: Broker, session: Session, level: int) -> None:
        # Says whether the payload from a place on is sure to be allowed
        self._check: Callable[[bytes, int], bool] | None = None
        self._flow = broker.flow
        self._hub = broker.hub
        self._integration_id = session.integration_id
        self._level = level
        self._most = min(LONG, broker.limits.max_packet)
        self._routes: dict[bytes, Route] = {}  # those that were found, by topic name

    def express(self, data: bytes, now: float) -> bool:
        """Pass on what has arrived; or say that it has to go the long way, and have done nothing."""
        size = len(data)
        if not _LEAST <= size <= self._most or data[0] != PUBLISH_QOS_0:
            return False
        body, rest = 2, data[1]
        if rest > 127:
            body, rest = 3, rest & 127 | data[2] << 7
            if rest < 128:  # could be said in one byte
                return False
        at = body + 2 + (data[body] << 8 | data[body + 1])  # where properties begin, or the payload
        if body + rest != size or at > size:
            return False
        route = self._routes.get(data[body + 2 : at])
        if route is None or (session := route.only) is None or session.level != self._level:
            return False
        if self._level != LEVEL_3_1_1:
            if at == size or data[at]:
                return False
            at += 1
        outbox = session.outbox
        if outbox is None or outbox.size or (write := outbox.write) is None or self._flow.congested:
            return False
        hub, check = self._hub, self._check
        if hub.waiting > hub.most_waiting or (check is not None and not check(data, at)):
            return False
        write(data)
        outbox.messages += 1
        outbox.taken += size
        if (entry := route.entry) is not hub.nowhere:
            hub.hear_alone(entry, data, at, self._integration_id, now)
            hub.waiting += size
        return True
