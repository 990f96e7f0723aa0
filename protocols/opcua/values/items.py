"""Monitored items on integrations' nodes: asyncua's service, with ours for nodes that it does not know.

A value is put into the queue of its subscription in the same turn of the loop in which it is written, or soon after
where a crowd monitors the node; the subscription's own loop sends it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_subscription import InternalSubscription

from protocols.hits import Hits
from protocols.opcua.monitoring import MonitoredItems
from protocols.opcua.values import attributes, filters, naming, ranges
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.watching import News, Watchers

if TYPE_CHECKING:
    from protocols.opcua.values.tree import Node

_HIDDEN = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))
_DELETED = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown))
_COST = 256  # bytes that a notification takes beside the value
_RECOUNT = 256  # values after which what waits is counted again, if it takes too much room
_OVERFLOW = 0x0480  # the DataValue info bits of a StatusCode that say that values before this one were dropped


class Waiting(ua.MonitoredItemNotification):
    """A notification that waits to be sent, with how much room it takes."""

    __slots__ = ("size",)

    def __init__(self, handle: int, value: ua.DataValue, size: int) -> None:
        super().__init__(handle, value)
        self.size = size


class Item:
    """One monitored item."""

    __slots__ = (
        "asked",
        "discards_oldest",
        "filter",
        "handle",
        "id",
        "is_hidden",
        "items",
        "last",
        "mode",
        "most",
        "node",
        "since",
        "times",
    )

    def __init__(self, items: Items, item_id: int, node: Node, request: ua.MonitoredItemCreateRequest) -> None:
        self.items = items
        self.id = item_id
        self.node = node
        self.asked: ua.ReadValueId = request.ItemToMonitor
        self.mode = request.MonitoringMode
        self.last: ua.DataValue | None = None
        self.is_hidden = False
        self.since = 0  # the number of the news up to which everything is told
        self.set(request.RequestedParameters)

    @property
    def is_value(self) -> bool:
        """Say whether it is the value that is monitored: no other attribute of these nodes ever changes."""
        return bool(self.asked.AttributeId == ua.AttributeIds.Value)

    def set(self, parameters: ua.MonitoringParameters) -> None:
        """Take over what a client asks for; raise Refused for what is not offered."""
        self.filter = filters.read_filter(parameters.Filter, self.node.kind, self.is_value)
        self.handle = parameters.ClientHandle
        self.discards_oldest = parameters.DiscardOldest
        self.most = min(max(parameters.QueueSize, 1), self.items.limits.queue, self.items.isub.max_queue_size)
        self.times = self.items.times

    @property
    def wants_all(self) -> bool:
        """Say whether more than the last value can wait for it."""
        return bool(self.most > 1)

    def changed(self, news: News) -> None:
        """Tell a new value, if it is to be told."""
        if news.number <= self.since:
            return
        self.node, value, size = news.node, news.value, news.size
        if self.mode != ua.MonitoringMode.Reporting:
            return
        if not self.items.reader.may_read(self.node):
            value, size = _HIDDEN, 0
        if self.filter.passes(self.last, value):
            self.last = value
            self.items.tell(self, value, size, is_after_lost=news.is_after_lost)

    def begin(self) -> None:
        """Tell what there is now."""
        self.last = None
        self.node = self.node.folder.nodes.get(self.node.name, self.node)  # it may have been made again
        self.since = self.node.watchers.number if self.node.watchers is not None else 0
        if self.mode == ua.MonitoringMode.Reporting:
            self.last = self._now()
            self.items.tell(self, self.last, self.node.size)

    def _now(self) -> ua.DataValue:
        if self.is_hidden:
            return _HIDDEN
        is_there = self.node.folder.nodes.get(self.node.name, self.node.folder.root) is self.node
        return attributes.read(self.node, self.asked.AttributeId, self.items.reader) if is_there else _DELETED

    def look(self) -> None:
        """Tell the value again, or that it may not be read any more, if that has changed."""
        may_read = self.items.reader.may_read(self.node)
        if may_read == self.is_hidden:
            self.is_hidden = not may_read
            if self.is_hidden:
                self.items.drop(self)
            self.begin()


class Items(MonitoredItems):
    """The monitored items of one subscription."""

    def __init__(
        self, isub: InternalSubscription, aspace: AddressSpace, reader: Reader, limits: ValueLimits, hits: Hits
    ) -> None:
        super().__init__(isub, aspace)
        self.reader = reader
        self.limits = limits
        self.times = ua.TimestampsToReturn.Both  # of the request that is under way
        self._hits = hits
        self._items: dict[int, Item] = {}
        self._queued = 0  # bytes, and those of what was sent since they were counted last
        self._until_recount = 0

    def look(self) -> None:
        """Follow a changed grant."""
        for item in self._items.values():
            item.look()

    def tell(self, item: Item, value: ua.DataValue, size: int, *, is_after_lost: bool = False) -> None:
        """Queue a value for the next answer; beyond the item's queue, or the subscription's room, another goes."""
        queues: dict[int, list[Waiting]] = self.isub._triggered_datachanges
        if not queues:
            self._queued = 0
        queue = queues.setdefault(item.id, [])
        shown = ranges.shown(value, item.asked.IndexRange, item.times)
        if queue and (len(queue) >= item.most or self._is_full()):
            self._hits.add("queue")
            self._queued -= queue.pop(0 if item.discards_oldest else -1).size
            is_after_lost = True
        if is_after_lost and item.most > 1:
            shown = _overflowed(shown)
        queue.append(Waiting(item.handle, shown, size + _COST))
        self._queued += size + _COST

    def drop(self, item: Item) -> None:
        """Forget what waits to be told of an item."""
        self._queued -= _size(self.isub._triggered_datachanges.pop(item.id, ()))

    def _is_full(self) -> bool:
        """Say whether what waits takes all the room; it is counted anew now and then, for it is sent elsewhere."""
        if self._queued <= self.limits.queue_bytes:
            return False
        self._until_recount -= 1
        if self._until_recount < 0:
            self._until_recount = _RECOUNT
            queues = self.isub._triggered_datachanges
            self._queued = sum(map(_size, queues.values()))
        return self._queued > self.limits.queue_bytes

    # --- what asyncua calls

    async def _create_data_change_monitored_item(
        self, params: ua.MonitoredItemCreateRequest
    ) -> ua.MonitoredItemCreateResult:
        node_id = params.ItemToMonitor.NodeId
        if node_id.NamespaceIndex != naming.NAMESPACE or not isinstance(node_id.Identifier, str):
            return await super()._create_data_change_monitored_item(params)
        try:
            return self._create(params)
        except Refused as refused:
            return ua.MonitoredItemCreateResult(ua.StatusCode(refused.code))

    def _create(self, params: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        asked = params.ItemToMonitor
        node = self.reader.find(asked.NodeId.Identifier)
        if node is None:
            raise Refused(ua.StatusCodes.BadNodeIdUnknown)
        if code := attributes.why_not(node, asked.AttributeId, self.reader):
            raise Refused(code)
        if asked.IndexRange:
            ranges.parse(asked.IndexRange)
        result, mdata = self._make_monitored_item_common(params)
        item = Item(self, result.MonitoredItemId, node, params)
        result.RevisedQueueSize = mdata.queue_size = item.most
        self._monitored_items[item.id] = mdata
        self._items[item.id] = item
        if item.is_value:
            if node.watchers is None:
                node.watchers = Watchers()
            node.watchers.members[item] = None
        item.begin()
        return result

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        item = self._items.get(params.MonitoredItemId)
        if item is None:
            if params.MonitoredItemId not in self._monitored_items:
                code = ua.StatusCode(ua.StatusCodes.BadMonitoredItemIdInvalid)
                return ua.MonitoredItemModifyResult(code)
            return super()._modify_monitored_item(params)
        try:
            item.set(params.RequestedParameters)
        except Refused as refused:
            return ua.MonitoredItemModifyResult(ua.StatusCode(refused.code))
        return ua.MonitoredItemModifyResult(
            RevisedSamplingInterval=self.isub.data.RevisedPublishingInterval, RevisedQueueSize=item.most
        )

    async def _set_monitoring_mode(self, mode: ua.MonitoringMode, mid: int) -> ua.StatusCode:
        item = self._items.get(mid)
        if item is None:
            return await super()._set_monitoring_mode(mode, mid)
        was, item.mode = item.mode, mode
        if mode != was and mode == ua.MonitoringMode.Reporting:
            item.begin()
        elif mode != ua.MonitoringMode.Reporting:
            self.drop(item)
        return ua.StatusCode()

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        item = self._items.pop(mid, None)
        if item is None:
            return super()._delete_monitored_items(mid)
        del self._monitored_items[mid]
        self.drop(item)
        _forget(item)
        return ua.StatusCode()


def _forget(item: Item) -> None:
    """Take an item from its node, or from where it waits for a node to be there again."""
    node = item.node
    for watchers in (node.watchers, node.folder.waiting.get(node.name)):
        if watchers is not None:
            watchers.members.pop(item, None)
    if not node.folder.waiting.get(node.name, True):
        del node.folder.waiting[node.name]


def _size(queue: Iterable[ua.MonitoredItemNotification]) -> int:
    """Return how much room these take; those on nodes of asyncua's own are as good as nothing."""
    return sum(getattr(one, "size", 0) for one in queue)


def _overflowed(value: ua.DataValue) -> ua.DataValue:
    """Return a value that says that others were dropped before it."""
    status: Any = value.StatusCode
    return ua.DataValue(
        value.Value,
        ua.StatusCode((status.value if status is not None else 0) | _OVERFLOW),
        value.SourceTimestamp,
        value.ServerTimestamp,
    )
