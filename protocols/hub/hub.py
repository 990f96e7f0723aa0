"""The hub: what every protocol shares.  It is synchronous, and knows neither sockets nor a loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Sequence
from typing import Protocol

from protocols.contract import Trouble, Usage
from protocols.hub.intake import Intake
from protocols.hub.keeping import Keeper, NoKeeper, Soon
from protocols.hub.limits import HubLimits
from protocols.hub.messages import Children, MayRead, Message, Page, Publication
from protocols.hub.past import since
from protocols.hub.runs import Source
from protocols.hub.tree import Tree

_TICKS = 1_000_000  # a start counts on from the time in so many parts of a second
_GAP = 10_000_000  # and beyond what was kept, of which a kill may have cut off some


class Route(Protocol):
    """How a message gets to everybody; it comes back by `Hub.hear`."""

    def __call__(self, topic: str, payload: bytes, qos: int, source: Source) -> object: ...


class Hold(Protocol):
    """Raises `Refused` unless all of these can be published now, in this order; see `Hub.publish_all`."""

    def __call__(self, wanted: Sequence[Publication]) -> None: ...


class Hub(Intake):
    """The last messages of each topic, and who listens to what; all calls are made on one loop."""

    def __init__(self, limits: HubLimits, clock: Callable[[], float], keeper: Keeper | None = None) -> None:
        super().__init__(limits, clock, keeper or NoKeeper())
        self._route: Route = self._hear_alone
        self._hold: Hold = _hold_nothing
        self._deleted: set[int] = set()
        self._tree = Tree(self._entries, limits.steps)
        self._number = self._entries.forgotten = int(clock() * _TICKS)

    def connect(self, route: Route, hold: Hold, wake: Callable[[], None]) -> None:
        """Have messages go to everybody by `route`, if `hold` lets them.

        `wake` asks for `settle` at the end of this turn of the loop.
        """
        self._route, self._hold, self.wake = route, hold, wake

    def start(self, soon: Soon, integration_ids: Container[int]) -> None:
        """Take back what was kept of the portal and these integrations, which are all, before anything is heard."""
        for message, expires_at, record in self._keeper.start(soon, self._entries.newest):
            entry = self.entry(message.topic)
            entry.record = record
            self._number = max(self._number, message.number + _GAP)
            is_known = not message.integration_id or message.integration_id in integration_ids
            if not is_known or len(message.payload) > entry.most:  # deleted meanwhile, or the limits were others
                self._keeper.dropped(entry)
            else:
                self._entries.take(entry, [message], expires_at)
        self._entries.keep_within()
        self._entries.forgotten = self._number
        for entry in self._entries.take_evicted():
            self._keeper.dropped(entry)

    def stop(self) -> None:
        """Write what is not written yet."""
        self._take_over()
        self._keeper.stop()

    def sweep(self) -> None:
        """Do what is due every half second: look at what was heard, let values expire, and have changes written."""
        self._take_over()
        for entry in self._entries.expire(self._clock()):
            self._keeper.changed(entry)
        self._keeper.flush()

    # --- publishing

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        integration_id: int = 0,
        origin: object | None = None,
    ) -> Message:
        """Publish as an MQTT client does; every listener is told but `origin`."""
        (message,) = self.publish_all(((topic, payload, qos, retain),), integration_id=integration_id, origin=origin)
        return message

    def publish_all(
        self, wanted: Sequence[Publication], *, integration_id: int = 0, origin: object | None = None
    ) -> list[Message]:
        """Publish several messages or, when one of them cannot be kept as it should, none.

        That raises `Refused`, whose field says which, and what about it: messages/0/room, or messages/0/topic.
        """
        for topic, _, _, _ in wanted:
            if topic[:1] in ("", "$"):
                raise ValueError(f"{topic[:60]!r} is no topic of the hub")
        self._hold(wanted)
        self._take_over()
        return [self._publish(*one, integration_id, origin) for one in wanted]

    def _publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, integration_id: int, origin: object | None
    ) -> Message:
        self._route(topic, payload, qos, Source(integration_id, retain, None, origin))
        self._take_over()
        return Message(self._number, topic, payload, retain, integration_id, self._clock())

    def delete(self, topic: str, *, integration_id: int = 0) -> bool:
        """Delete the value of a topic, and the broker's retained message; say whether there was a value."""
        if self.get(topic) is None:
            return False
        self.publish(topic, b"", retain=True, integration_id=integration_id)
        return True

    def forget(self, integration_ids: Collection[int]) -> None:
        """Let go of the values of integrations that are deleted: whoever gets their username begins without any.

        Of very many topics some are looked at in each turn of the loop.
        """
        self._take_over()
        self._deleted.update(integration_ids)
        self._entries.forget(integration_ids)
        self.wake()

    def is_deleted(self, integration_id: int) -> bool:
        """Say whether an integration is deleted, whose messages may still be on their way."""
        return integration_id in self._deleted

    def settle(self) -> None:
        """End a turn of the loop."""
        super().settle()
        if self._entries.forget_some():
            self.wake()
        for entry in self._entries.take_evicted():
            self._keeper.dropped(entry)

    def adopt(self, topic: str, payload: bytes, expires_in: float | None) -> None:
        """Take over what the broker has retained for a topic that has no value, or an older retained one."""
        value = self.get(topic)
        if value is None or (value.retain and value.payload != payload):
            self.hear(self.entry(topic), payload, Source(0, True, expires_in))
            self._take_over()

    def _hear_alone(self, topic: str, payload: bytes, qos: int, source: Source) -> None:
        self.hear(self.entry(topic), payload, source)

    # --- what is known

    @property
    def number(self) -> int:
        """Return the number of the last message."""
        self._take_over()
        return self._number

    def get(self, topic: str) -> Message | None:
        """Return the message that holds a topic's value."""
        self._take_over()
        entry = self._entries.get(topic)
        return entry.value(self._clock()) if entry is not None else None

    def values(self, prefix: str, after: str | None, limit: int, may_read: MayRead) -> Page:
        """Return values by topic, of topics that begin with `prefix`, behind the cursor `after`."""
        self._take_over()
        return self._tree.page(prefix, after, limit, may_read, self._clock())

    def find(self, text: str, after: str | None, limit: int) -> Page:
        """Return values by topic, of topics that contain `text` in whatever case, behind the cursor `after`."""
        self._take_over()
        return self._tree.find(text, after, limit, self._clock())

    def children(self, levels: Sequence[str], after: str | None, limit: int, may_read: MayRead) -> Children:
        """Return what is one level below a place in the tree of topics, from the cursor `after` on."""
        self._take_over()
        return self._tree.children(levels, after, limit, may_read, self._clock())

    def history(self, topic: str, limit: int) -> list[Message]:
        """Return the last messages of a topic, the newest last, deletions among them.

        One that has an expiry is among them only while it is the newest.
        """
        self._take_over()
        entry = self._entries.get(topic)
        limit = min(limit, self._limits.history)
        if entry is None or limit <= 0:
            return []
        return [*map(Message._make, entry.living(self._clock())[-limit:])]

    def since(self, number: int, filters: Collection[str], limit: int) -> tuple[list[Message], bool]:
        """Return what came after a message on the topics of these filters, in order; and whether some of it is gone."""
        self._take_over()
        return since(self._entries, number, filters, limit, self._limits.matches, self._clock())

    @property
    def trouble(self) -> Trouble | None:
        """Return what keeps values from being written, if anything does."""
        return self._keeper.trouble

    def usage(self) -> list[Usage]:
        """Return the limits."""
        self._take_over()
        entries = self._entries
        used = {"topics": len(entries), "bytes": entries.bytes, "history_bytes": entries.history_bytes}
        return [
            Usage(f"HUB_{name.upper()}", used.get(name), getattr(self._limits, name), entries.exceeded[name])
            for name in SETTINGS
        ]


def _hold_nothing(wanted: Sequence[Publication]) -> None:
    """Let everything be published."""


# The limits that are settings, named HUB_ and this in capitals.
SETTINGS = ("topics", "bytes", "payload", "history", "history_bytes")
