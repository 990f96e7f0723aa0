"""Who follows what clients tell of themselves in retained messages, and speaks on the broker without a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from protocols.contract import Grant
from protocols.hub.runs import Source
from protocols.mqtt.broker import Broker
from protocols.mqtt.common import Common
from protocols.mqtt.gate import Gate
from protocols.mqtt.line import Line
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import LEVEL_3_1_1, Filter, Message
from protocols.mqtt.retained import Follower
from protocols.mqtt.routes import Subscription
from protocols.mqtt.session import Session
from protocols.vrpc.live import Follower as Following

Now = Callable[[], float]
Soon = Callable[[Callable[[], object]], object]


class Listening(Follower, Following, Protocol):
    """Follows what is retained and who comes and goes, and is given an `Insider`."""

    def connect(self, insider: Insider) -> None:
        """Take what the broker offers; called before anything is told."""
        ...

    def restored(self) -> None:
        """Learn that everything that was retained has been told, and no client is in yet."""
        ...

    def heard(self, topic: str, payload: bytes) -> None:
        """Take in a message; called in the middle of what brought it, and must only note it."""
        ...


def follow(broker: Broker, follower: Listening, now: Now, soon: Soon) -> None:
    """Have somebody follow what is retained and who is connected, before anything of that is taken back."""
    follower.connect(Insider(broker, follower, now, soon))
    broker.retained.follow(follower, lambda: broker.common.now)
    broker.live.follower = follower


class Insider:
    """A client without a connection: what it publishes and hears is nobody's traffic and stays out of the hub."""

    def __init__(self, broker: Broker, follower: Listening, now: Now, soon: Soon) -> None:
        """`now` returns the time and lets the broker know it; `soon` calls in the next turn of the loop."""
        self.now = now
        self.soon = soon
        self._broker = broker
        self._session = _Inside(broker.common, follower.heard)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send a message to those who subscribe to its topic; say whether anybody does."""
        self.now()
        route = self._broker.subscriptions.route(topic)
        if route.is_empty:
            return False
        self._broker.route(Message(topic, payload, 1), route)
        return True

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message as everybody does; an empty one deletes."""
        self.now()
        self._broker.publish(
            Message(topic, payload, 0, retain=True), Source(0, True), self._broker.retained.owner(topic)
        )

    def retained(self, topic_filter: str) -> list[str]:
        """Return the topics with a retained message that a filter matches."""
        return self._broker.retained.names(topic_filter)

    def read(self, topic: str) -> bytes:
        """Return what a topic has retained, b"" for nothing."""
        message = self._broker.retained.get(topic)
        return message.payload if message is not None else b""

    def owner(self, topic: str) -> int:
        """Return which integration of VRPC, or Edge Connector, has retained what a topic has; 0 for none."""
        return self._broker.retained.owner(topic)

    def give(self, topic: str, integration_id: int) -> None:
        """Have what a topic has retained be another integration's."""
        self._broker.retained.give(topic, integration_id)

    def listen(self, topic_filter: str) -> None:
        """Hear what comes on these topics, and keep it out of the hub."""
        subscription = self._session.subscriptions[topic_filter] = Subscription(Filter(topic_filter, 0))
        self._broker.subscriptions.add(self._session, subscription)

    def unlisten(self, topic_filter: str) -> None:
        """Hear no more of what comes on these topics."""
        if self._session.subscriptions.pop(topic_filter, None) is not None:
            self._broker.subscriptions.remove(self._session, topic_filter)


class _Inside(Session):
    """A session that no client can have, whose line ends here."""

    __slots__ = ()

    is_private = True

    def __init__(self, common: Common, hear: Callable[[str, bytes], None]) -> None:
        super().__init__(common, Grant(0, "", (), ("#",)), "", LEVEL_3_1_1, 0)
        self.is_simple = False  # it is told messages, not bytes
        self.line = _Ear(common, hear)


class _Ear(Line):
    """The end of a line, which takes messages as they are."""

    __slots__ = ("_hear",)

    def __init__(self, common: Common, hear: Callable[[str, bytes], None]) -> None:
        super().__init__(common, _NoLink(common))
        self._hear = hear

    def offer(self, message: Message, identifiers: tuple[int, ...] = ()) -> None:
        """Take in a message."""
        self._hear(message.topic, message.payload)


class _NoLink:
    """The connection that an insider does not have."""

    def __init__(self, common: Common) -> None:
        self.outbox = Outbox(0, common.flow, _nothing)
        self.gate = Gate(self.outbox, common.keeper, _nothing)

    def close(self, reason: str, *, gently: bool = False, code: int | None = None) -> None:
        """There is nothing to close."""


def _nothing() -> None:
    """Wake nobody."""
