"""One monitored item: what it is told of, what it passes on, and what it keeps for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua

from protocols.opcua.room import NOTIFICATION
from protocols.opcua.values import filters
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.watching import News

if TYPE_CHECKING:
    from protocols.opcua.monitoring import MonitoredItems

HIDDEN = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))  # of what may not be read any more


class Item:
    """One monitored item, but of events."""

    __slots__ = (
        "asked",
        "discards_oldest",
        "filter",
        "handle",
        "id",
        "items",
        "kept",
        "last",
        "mode",
        "most",
        "since",
        "times",
    )

    def __init__(self, items: MonitoredItems, item_id: int, request: ua.MonitoredItemCreateRequest) -> None:
        self.items = items
        self.id = item_id
        self.asked: ua.ReadValueId = request.ItemToMonitor
        self.mode = request.MonitoringMode
        self.last: ua.DataValue | None = None  # that was told, or what the filter needs of it
        self.kept = 0  # bytes of it that nobody else keeps
        self.since = 0  # the number of the news up to which everything is told
        self.filter = filters.Filter()
        self.set(request.RequestedParameters)

    @property
    def is_value(self) -> bool:
        """Say whether it is the value that is monitored."""
        return bool(self.asked.AttributeId == ua.AttributeIds.Value)

    @property
    def kind(self) -> Kind | None:
        """What the values are, as far as that is known."""
        return None

    @property
    def wants_all(self) -> bool:
        """Say whether more than the last value can wait for it."""
        return bool(self.most > 1)

    def set(self, parameters: ua.MonitoringParameters) -> None:
        """Take over what a client asks for; raise Refused for what is not offered."""
        wanted = filters.read_filter(parameters.Filter, self.kind, self.is_value)
        if wanted != self.filter:
            self.forget()
        self.filter = wanted
        self.handle = parameters.ClientHandle
        self.discards_oldest = parameters.DiscardOldest
        self.most = min(max(parameters.QueueSize, 1), self.items.isub.max_queue_size)
        self.times: ua.TimestampsToReturn = self.items.times

    def begin(self) -> None:
        """Watch, and tell what there is now."""
        self.watch()
        self.forget()
        if self.mode == ua.MonitoringMode.Reporting:
            value, size = self.now()
            self._remember(value, size)
            self.items.tell(self, value, size)

    def changed(self, news: News) -> None:
        """Tell a new value, if it is to be told."""
        if news.number > self.since and self.mode == ua.MonitoringMode.Reporting:
            self.check(news.value, news.size, is_after_lost=news.is_after_lost)

    def check(self, value: ua.DataValue, size: int, *, is_after_lost: bool = False) -> None:
        """Tell a value that the filter lets pass."""
        if self.filter.passes(self.last, value):
            self._remember(value, size)
            self.items.tell(self, value, size, is_after_lost=is_after_lost)
        elif not self.filter.deadband:
            self._remember(value, size)  # the same, but not one that nobody else keeps any more

    def now(self) -> tuple[ua.DataValue, int]:
        """Return the value that there is, and its size."""
        raise NotImplementedError

    def watch(self) -> None:
        """Be told from now on."""
        raise NotImplementedError

    def end(self) -> None:
        """Be told no more."""
        self.forget()

    def forget(self) -> None:
        """Keep nothing of what was told: what comes next is told."""
        self.last = None
        self.items.room.give(self.kept)
        self.kept = 0

    def _remember(self, value: ua.DataValue, size: int) -> None:
        """Keep what the next values are compared with; without room for it the next one is told in any case."""
        self.forget()
        if self.filter.deadband and size > NOTIFICATION:
            if not self.items.room.take(size):
                return
            self.kept = size
        self.last = self.filter.kept(value)


class GuardedItem(Item):
    """An item on what may be read with a permission, which can change meanwhile."""

    __slots__ = ("is_hidden",)

    def __init__(self, items: MonitoredItems, item_id: int, request: ua.MonitoredItemCreateRequest) -> None:
        self.is_hidden = False
        super().__init__(items, item_id, request)

    def now(self) -> tuple[ua.DataValue, int]:
        return (HIDDEN, 0) if self.is_hidden else self.seen()

    def look(self) -> None:
        """Tell the value again, or that it may not be read any more, if that has changed."""
        may_read = self.may_read()
        if may_read == self.is_hidden:
            self.is_hidden = not may_read
            if self.is_hidden:
                self.items.queues.drop(self.id)
            self.begin()

    def may_read(self) -> bool:
        """Say whether it may be read now."""
        raise NotImplementedError

    def seen(self) -> tuple[ua.DataValue, int]:
        """Return the value that there is for those who may read it, and its size."""
        raise NotImplementedError
