"""A keeper without a disk."""

from __future__ import annotations

from collections.abc import Callable

from protocols.mqtt.backlog import Entry
from protocols.mqtt.keeping import NoKeeper
from protocols.mqtt.packets import Message
from protocols.mqtt.session import Session


class Memory(NoKeeper):
    """A keeper that commits when it is told to, and knows what it still holds."""

    def __init__(self) -> None:
        self.held: set[tuple[object, ...]] = set()
        self._acts: list[Callable[[], None]] = []

    def commit(self) -> None:
        """Run what waited."""
        self.pending = False
        acts, self._acts = self._acts, []
        for act in acts:
            act()

    def after(self, act: Callable[[], None]) -> None:
        """Run `act` at the next commit."""
        if self.pending:
            self._acts.append(act)
        else:
            act()

    def _put(self, *key: object) -> None:
        self.held.add(key)
        self.changes += 1
        self.pending = True

    def _drop(self, *key: object) -> None:
        self.held.discard(key)
        self.changes += 1
        self.pending = True

    def session(self, session: Session) -> None:
        self._put("session", session)

    def drop_session(self, session: Session) -> None:
        for key in [key for key in self.held if len(key) > 1 and key[1] is session]:
            self._drop(*key)

    def subscription(self, session: Session, topic_filter: str) -> None:
        assert topic_filter in session.subscriptions
        self._put("subscription", session, topic_filter)

    def drop_subscription(self, session: Session, topic_filter: str) -> None:
        assert topic_filter in session.subscriptions
        self._drop("subscription", session, topic_filter)

    def entry(self, session: Session, entry: Entry) -> None:
        self._put("entry", session, entry)

    def drop_entry(self, session: Session, entry: Entry) -> None:
        self._drop("entry", session, entry)

    def received(self, session: Session, packet_id: int) -> None:
        self._put("received", session, packet_id)

    def drop_received(self, session: Session, packet_id: int) -> None:
        self._drop("received", session, packet_id)

    def retained(self, message: Message, owner: int = 0) -> None:
        self._put("retained", message.topic)

    def drop_retained(self, topic: str) -> None:
        self._drop("retained", topic)
