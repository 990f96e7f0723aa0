"""What the engine asks of whatever keeps its state through a crash, and what it gets back at start.

Only what belongs to a durable session (3.1.1: clean session 0; 5.0: a session expiry above 0) and retained
messages are recorded.  Every method runs on the loop's thread and returns at once.  All times are the engine's
clock (monotonic seconds); a keeper converts them to a clock that outlives the process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from protocols.contract import Grant, Trouble
from protocols.mqtt.backlog import Entry
from protocols.mqtt.packets import Filter, Message

if TYPE_CHECKING:
    from protocols.mqtt.session import Session

EXPIRES_NEVER = 0xFFFFFFFF


@dataclass(slots=True)
class Will:
    """A Will message, and when it is to be published after the connection is lost."""

    message: Message  # without expiry; that begins when it is published
    delay: int = 0  # seconds
    expiry: int | None = None  # seconds
    due_at: float | None = None  # None while the connection is open


@dataclass(slots=True)
class StoredSession:
    """A durable session as it was recorded last."""

    grant: Grant  # whose it is, and which topics that opened (%u and %c not replaced)
    client_id: str
    level: int
    expiry: int  # seconds; EXPIRES_NEVER for ever
    ends_at: float | None  # None when it had a connection
    will: Will | None = None
    subscriptions: list[tuple[Filter, int]] = field(default_factory=list)  # with the subscription identifier, or 0
    entries: list[Entry] = field(default_factory=list)  # oldest first
    received: set[int] = field(default_factory=set)  # QoS 2 packet identifiers that await a PUBREL
    record: int = 0


@dataclass(slots=True)
class Stored:
    """Everything that was recorded."""

    sessions: list[StoredSession] = field(default_factory=list)
    retained: list[Message] = field(default_factory=list)
    owners: dict[str, int] = field(default_factory=dict)  # of retained messages, by topic

    def integration_ids(self) -> set[int]:
        """Return whose sessions and retained messages these are."""
        return {session.grant.integration_id for session in self.sessions} | set(self.owners.values())


class Keeper(Protocol):
    """Records durable state.  `session.record` and `entry.record` are its own to use.

    Each upsert comes after the change, each drop may come for what was never recorded.  A keeper reads what it needs
    from the objects at once, or when it writes, as long as a later change is recorded by a later call.
    """

    changes: int  # counts every call below that recorded something, so that the engine sees whether a packet did
    pending: bool  # something is recorded and not committed

    @property
    def accepting(self) -> bool:
        """Return False while nothing can be written: the engine then refuses new durable messages."""
        ...

    @property
    def trouble(self) -> Trouble | None:
        """Return what keeps it from writing, if anything does."""
        ...

    def start(self, soon: Callable[[Callable[[], None]], object], now: float) -> Stored:
        """Return what was recorded; called once, before any client is let in.

        `soon` runs a function on the loop's thread, and may be called from any thread.
        """
        ...

    def stop(self) -> None:
        """Commit what is pending and close; blocks for at most a second or two."""
        ...

    def after(self, act: Callable[[], None]) -> None:
        """Run `act` on the loop's thread once all that is recorded so far is committed; at once when all is."""
        ...

    def session(self, session: Session) -> None:
        """Record a session: grant, client_id, level, expiry, ends_at, will (not what it holds)."""
        ...

    def drop_session(self, session: Session) -> None:
        """Forget a session with its subscriptions, entries and received identifiers."""
        ...

    def subscription(self, session: Session, topic_filter: str) -> None:
        """Record `session.subscriptions[topic_filter]`."""
        ...

    def drop_subscription(self, session: Session, topic_filter: str) -> None:
        """Forget a subscription, which is still in `session.subscriptions`."""
        ...

    def entry(self, session: Session, entry: Entry) -> None:
        """Record an outgoing QoS 1 or 2 message: queued, sent with its packet identifier, or released."""
        ...

    def drop_entry(self, session: Session, entry: Entry) -> None:
        """Forget an outgoing message: acknowledged, expired or thrown away."""
        ...

    def received(self, session: Session, packet_id: int) -> None:
        """Record that a QoS 2 PUBLISH has arrived."""
        ...

    def drop_received(self, session: Session, packet_id: int) -> None:
        """Forget a QoS 2 packet identifier: its PUBREL has arrived."""
        ...

    def retained(self, message: Message, owner: int = 0) -> None:
        """Record the retained message of its topic, and whose it is; 0 for nobody's in particular."""
        ...

    def drop_retained(self, topic: str) -> None:
        """Forget the retained message of a topic."""
        ...


class NoKeeper:
    """Keeps nothing: everything counts as committed at once."""

    changes = 0
    pending = False
    accepting = True
    trouble: Trouble | None = None

    def start(self, soon: Callable[[Callable[[], None]], object], now: float) -> Stored:
        """Return nothing."""
        return Stored()

    def stop(self) -> None:
        """Do nothing."""

    def after(self, act: Callable[[], None]) -> None:
        """Run `act` at once."""
        act()

    def session(self, session: Session) -> None:
        """Record nothing."""

    def drop_session(self, session: Session) -> None:
        """Forget nothing."""

    def subscription(self, session: Session, topic_filter: str) -> None:
        """Record nothing."""

    def drop_subscription(self, session: Session, topic_filter: str) -> None:
        """Forget nothing."""

    def entry(self, session: Session, entry: Entry) -> None:
        """Record nothing."""

    def drop_entry(self, session: Session, entry: Entry) -> None:
        """Forget nothing."""

    def received(self, session: Session, packet_id: int) -> None:
        """Record nothing."""

    def drop_received(self, session: Session, packet_id: int) -> None:
        """Forget nothing."""

    def retained(self, message: Message, owner: int = 0) -> None:
        """Record nothing."""

    def drop_retained(self, topic: str) -> None:
        """Forget nothing."""
