"""The monitored items of one subscription: those on standard nodes, and events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from asyncua import ua
from asyncua.server.address_space import AddressSpace
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService
from asyncua.ua import uaprotocol_auto

from protocols.opcua.item import HIDDEN, Item
from protocols.opcua.queues import Waiting
from protocols.opcua.room import ITEM
from protocols.opcua.values import ranges, reading
from protocols.opcua.values.errors import Refused
from protocols.opcua.watched import Watched
from protocols.opcua.weight import footprint

if TYPE_CHECKING:
    from protocols.opcua.subscription import Subscription

_NAME = MonitoredItemService.__module__
_log = logging.getLogger("asyncua")
_Codes = ua.StatusCodes
_LARGEST_FILTER = 65_536  # bytes in memory: some dozens of clauses


class StandardItem(Item):
    """An item on a standard node."""

    __slots__ = ()

    def now(self) -> tuple[ua.DataValue, int]:
        return self.items.aspace.read_attribute_value(self.asked.NodeId, self.asked.AttributeId), 0

    def end(self) -> None:
        super().end()
        self.items.watched.leave(self.asked.NodeId, self.asked.AttributeId, self)

    def watch(self) -> None:
        watchers = self.items.watched.watch(self.asked.NodeId, self.asked.AttributeId)
        watchers.members[self] = None
        self.since = watchers.number


class MonitoredItems(MonitoredItemService):
    """asyncua's service, of which only the events are used: what an item keeps is bounded, and told in turns."""

    isub: Subscription
    _monitored_items: dict[int, Any]  # Item, or of events MonitoredItemData

    def __init__(self, isub: Subscription, aspace: AddressSpace) -> None:
        super().__init__(isub, aspace)
        # asyncua names a logger after each subscription, and loggers are kept for ever.
        logging.Logger.manager.loggerDict.pop(f"{_NAME}.{isub.data.SubscriptionId}", None)
        self.logger: logging.Logger = _log
        self.watched: Watched = isub.watched
        self.queues = isub.queues
        self.room = isub.room
        self.times = ua.TimestampsToReturn.Both  # of the request that is under way
        self._filters: dict[int, int] = {}  # how much room those of events take

    @property
    def count(self) -> int:
        return len(self._monitored_items)

    def node_ids(self) -> list[tuple[int, ua.NodeId]]:
        """Return the monitored items' ids and nodes."""
        return [(mid, _asked(one).NodeId) for mid, one in self._monitored_items.items()]

    def tell(self, item: Item, value: ua.DataValue, size: int, *, is_after_lost: bool = False) -> None:
        """Queue a value for the next answer."""
        shown = ranges.shown(value, item.asked.IndexRange, item.times)
        told = Waiting(item.handle, shown, size)
        self.queues.put(item.id, told, item.most, discards_oldest=item.discards_oldest, is_after_lost=is_after_lost)

    # --- what asyncua calls

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """Create items; one that cannot be is refused alone."""
        return [self._create(item) for item in params.ItemsToCreate]

    def _create(self, request: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        size = ITEM
        try:
            reading.check(request.ItemToMonitor)
            if request.ItemToMonitor.AttributeId == ua.AttributeIds.EventNotifier:
                size += _filter_size(request.RequestedParameters)
            if not self.room.take(size):
                raise Refused(_Codes.BadOutOfMemory)
        except Refused as refused:
            return ua.MonitoredItemCreateResult(ua.StatusCode(refused.code))
        try:
            if request.ItemToMonitor.AttributeId == ua.AttributeIds.EventNotifier:
                result = self._create_events_monitored_item(request)
                self._filters[result.MonitoredItemId] = size - ITEM
            else:
                result = self._begin(self._make_item(request))
        except Refused as refused:
            result = ua.MonitoredItemCreateResult(ua.StatusCode(refused.code))
        if result.StatusCode.is_good():
            self.room.items += 1
        else:
            self._filters.pop(result.MonitoredItemId, None)
            self.room.give(size)
        return result

    def _make_item(self, request: ua.MonitoredItemCreateRequest) -> Item:
        """Return a new item; raise Refused."""
        found = self.aspace.read_attribute_value(request.ItemToMonitor.NodeId, request.ItemToMonitor.AttributeId)
        if found.StatusCode.value in (_Codes.BadNodeIdUnknown, _Codes.BadAttributeIdInvalid):
            raise Refused(found.StatusCode.value)
        return StandardItem(self, self._next_id(), request)

    def _next_id(self) -> int:
        self._monitored_item_counter += 1
        return int(self._monitored_item_counter)

    def _begin(self, item: Item) -> ua.MonitoredItemCreateResult:
        self._monitored_items[item.id] = item
        item.begin()
        return ua.MonitoredItemCreateResult(
            MonitoredItemId=item.id,
            RevisedSamplingInterval=self.isub.data.RevisedPublishingInterval,
            RevisedQueueSize=item.most,
        )

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        item = self._monitored_items.get(params.MonitoredItemId)
        try:
            if item is None:
                raise Refused(_Codes.BadMonitoredItemIdInvalid)
            if isinstance(item, Item):
                item.set(params.RequestedParameters)
                most = item.most
            else:
                most = self._modify_event(item, params.RequestedParameters)
        except Refused as refused:
            return ua.MonitoredItemModifyResult(ua.StatusCode(refused.code))
        return ua.MonitoredItemModifyResult(
            RevisedSamplingInterval=self.isub.data.RevisedPublishingInterval, RevisedQueueSize=most
        )

    def _modify_event(self, data: MonitoredItemData, wanted: ua.MonitoringParameters) -> int:
        """Take over what a client asks for; return the size of the queue, or raise Refused."""
        size, had = _filter_size(wanted), self._filters[data.monitored_item_id]
        if size > had and not self.room.take(size - had):
            raise Refused(_Codes.BadOutOfMemory)
        if size < had:
            self.room.give(had - size)
        self._filters[data.monitored_item_id] = size
        data.filter, data.client_handle = wanted.Filter, wanted.ClientHandle
        data.queue_size = self._revise_queue_size(wanted.QueueSize)
        return int(data.queue_size)

    async def _set_monitoring_mode(self, mode: ua.MonitoringMode, mid: int) -> ua.StatusCode:
        item = self._monitored_items.get(mid)
        if item is None:
            return ua.StatusCode(_Codes.BadMonitoredItemIdInvalid)
        was, item.mode = item.mode, mode
        if isinstance(item, Item) and mode != was and mode == ua.MonitoringMode.Reporting:
            item.begin()
        elif isinstance(item, Item) and mode != ua.MonitoringMode.Reporting:
            item.forget()
            self.queues.drop(mid)
        return ua.StatusCode()

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        item = self._monitored_items.pop(mid, None)
        if item is None:
            return ua.StatusCode(_Codes.BadMonitoredItemIdInvalid)
        if isinstance(item, Item):
            item.end()
        else:
            items = self._monitored_events[item.read_value_id.NodeId]
            items.remove(mid)
            if not items:
                del self._monitored_events[item.read_value_id.NodeId]
        self.queues.drop(mid)
        self.room.items -= 1
        self.room.give(ITEM + self._filters.pop(mid, 0))
        return ua.StatusCode()

    def revoke(self, mid: int) -> None:
        """End an item whose node may not be read any more; all that is still sent of it is that."""
        handle = _handle(self._monitored_items[mid])
        self._delete_monitored_items(mid)
        self.queues.put_last(mid, handle, HIDDEN)


def _asked(item: Any) -> ua.ReadValueId:
    return item.asked if isinstance(item, Item) else item.read_value_id


def _handle(item: Any) -> int:
    return int(item.handle if isinstance(item, Item) else item.client_handle)


def _filter_size(wanted: ua.MonitoringParameters) -> int:
    """Return how much room the filter of events takes; raise Refused for one that cannot be used."""
    if not isinstance(wanted.Filter, uaprotocol_auto.EventFilter):
        raise Refused(_Codes.BadEventFilterInvalid)
    size = footprint(wanted.Filter, _LARGEST_FILTER)
    if size > _LARGEST_FILTER:
        raise Refused(_Codes.BadEventFilterInvalid)
    return size
