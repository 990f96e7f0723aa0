"""Shared subscriptions: of each message, one member of the group gets a copy (5.0, 4.8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocols.mqtt.routes import Subscription
from protocols.mqtt.topics import parse_shared

if TYPE_CHECKING:
    from protocols.mqtt.session import Session


class Share:
    """The members of one "$share/name/filter", of whatever integration."""

    __slots__ = ("_next", "_turns", "members", "names_first_level", "whole")

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self.names_first_level = parse_shared(whole)[1][0] not in "+#"  # what is closed to wildcards is handed on
        self.members: dict[Session, Subscription] = {}
        self._turns: list[Session] = []
        self._next = 0

    def add(self, member: Session, subscription: Subscription) -> None:
        """Add a member, or change its subscription."""
        if member not in self.members:
            self._turns.append(member)
        self.members[member] = subscription

    def remove(self, member: Session) -> None:
        """Remove a member."""
        del self.members[member]
        self._turns.remove(member)

    def choose(self, qos: int) -> tuple[Session, Subscription] | None:
        """Return whose turn it is: of those that take messages now, else that are connected, else that will come back.

        A message of QoS 0 does not wait for a member to come back.
        """
        count = len(self._turns)
        fallback: Session | None = None
        for step in range(count):
            at = (self._next + step) % count
            member = self._turns[at]
            if member.is_ready:
                self._next = (at + 1) % count
                return member, self.members[member]
            if fallback is None or (fallback.outbox is None and member.outbox is not None):
                fallback = member
        if fallback is None:
            return None
        subscription = self.members[fallback]
        if fallback.outbox is None and not min(qos, subscription.qos):
            return None
        self._next = (self._turns.index(fallback) + 1) % count
        return fallback, subscription
