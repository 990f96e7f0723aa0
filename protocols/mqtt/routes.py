"""Where the messages of one topic go: subscriptions that match it, put together by subscriber."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from protocols.hub.entries import Entry
from protocols.mqtt.packets import LEVEL_3_1_1, Filter
from protocols.vrpc.names import is_class_info

if TYPE_CHECKING:
    from protocols.mqtt.session import Session
    from protocols.mqtt.shares import Share


class Subscription:
    """One subscription of one session."""

    __slots__ = ("identifier", "muted", "no_local", "qos", "retain_as_published", "topic_filter")

    def __init__(self, wanted: Filter, identifier: int = 0) -> None:
        self.topic_filter = wanted.topic_filter
        self.qos = wanted.qos
        self.no_local = wanted.no_local
        self.retain_as_published = wanted.retain_as_published
        self.identifier = identifier
        self.muted = False  # not permitted any more, and in no route


class Target:
    """A subscriber whose messages are not like everybody's: what its matching subscriptions come to."""

    __slots__ = ("identifiers", "own", "qos", "retain_as_published", "subscriber")

    def __init__(self, subscriber: Session, subscriptions: Sequence[Subscription]) -> None:
        self.subscriber = subscriber
        self.qos = max(one.qos for one in subscriptions)  # [MQTT5-3.3.4-2]
        self.retain_as_published = any(one.retain_as_published for one in subscriptions)
        self.identifiers = tuple(one.identifier for one in subscriptions if one.identifier)  # [MQTT5-3.3.4-4]
        local = [one for one in subscriptions if not one.no_local]
        # What becomes of the messages that it publishes itself [MQTT5-3.8.3-3]
        self.own: Target | None = self
        if len(local) < len(subscriptions):
            self.own = Target(subscriber, local) if local else None


class Route:
    """The subscribers of one topic name.  It may be kept, and be used for as long as it is not stale.

    Most subscribers are plain: whoever is one of them with the same protocol level is sent the same bytes.
    """

    __slots__ = (
        "entry",
        "forbidden",
        "is_empty",
        "only",
        "plain",
        "plain_3_1_1",
        "plain_5",
        "shares",
        "special",
        "stale",
        "topic",
    )

    def __init__(
        self,
        entry: Entry,
        topic: str = "",
        plain: Sequence[tuple[Session, int]] = (),
        special: Sequence[Target] = (),
        shares: Sequence[Share] = (),
        *,
        forbidden: bool = False,
    ) -> None:
        self.stale = False
        self.entry = entry  # the hub's
        self.topic = topic
        self.forbidden = forbidden  # to the client that asked for it
        self.plain = tuple(plain)  # with the highest QoS of its filters [MQTT-3.3.5-1]
        self.plain_3_1_1 = tuple(one for one, _ in plain if one.level == LEVEL_3_1_1)
        self.plain_5 = tuple(one for one, _ in plain if one.level != LEVEL_3_1_1)
        self.special = tuple(special)
        self.shares = tuple(shares)
        self.is_empty = not (self.plain or self.special or self.shares)
        # Who gets what comes, if it is one
        self.only = plain[0][0] if len(plain) == 1 and not special and not shares else None

    def everyone(self) -> Iterator[Session]:
        """Return who has to be waited for when it falls behind: of a group only if nobody in it is ready."""
        for session, _ in self.plain:
            yield session
        for target in self.special:
            yield target.subscriber
        for share in self.shares:
            if not any(member.is_ready for member in share.members):
                yield from share.members

    def end(self) -> None:
        """Make the route stale; whoever still has it keeps no session alive by it."""
        self.stale = True
        self.plain = self.plain_3_1_1 = self.plain_5 = self.special = self.shares = ()
        self.only = None
        self.is_empty = True


class Matched:
    """Collects the subscriptions that match a topic name; `closed` says that not every one of these may receive it."""

    def __init__(self, *, closed: bool) -> None:
        self._closed = closed
        self._found: dict[Session, list[Subscription]] = {}
        self.shares: list[Share] = []

    def add(self, subscriber: Session, subscription: Subscription) -> None:
        """Note a subscription that matches."""
        self._found.setdefault(subscriber, []).append(subscription)

    def has_values(self, topic: str) -> bool:
        """Say whether what comes on the topic is a value that others work with: no document or call."""
        return not is_class_info(topic) and not any(
            subscriber.is_private or (subscriber.is_narrow and subscriber.access.is_call(topic))
            for subscriber in self._found
        )

    def route(self, topic: str, entry: Entry) -> Route:
        """Return everybody that a message goes to, once each."""
        plain: list[tuple[Session, int]] = []
        special: list[Target] = []
        for subscriber, subscriptions in self._found.items():
            if (self._closed or subscriber.is_narrow) and not subscriber.access.may_receive(topic):
                continue
            if subscriber.is_simple and not any(_is_special(one) for one in subscriptions):
                plain.append((subscriber, max(one.qos for one in subscriptions)))
            else:
                special.append(Target(subscriber, subscriptions))
        shares = [one for one in self.shares if one.names_first_level] if self._closed else self.shares
        return Route(entry, topic, plain, special, shares)


def _is_special(subscription: Subscription) -> bool:
    return subscription.no_local or subscription.retain_as_published or subscription.identifier != 0
