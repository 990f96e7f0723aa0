"""The monitored items of one subscription: asyncua's own, within bounds."""

from __future__ import annotations

import asyncio
from itertools import islice

from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService, MonitoredItemValues
from asyncua.ua import uaprotocol_auto

_Codes = ua.StatusCodes
_TURN = 1_000  # items, which take a millisecond or two
_DataChangeFilter = uaprotocol_auto.DataChangeFilter  # what is decoded; ua.DataChangeFilter is a subclass of it


class _Values(MonitoredItemValues):
    """The last two values, kept as they are: a DataValue is replaced and never changed."""

    current_dvalue: ua.DataValue | None

    def set_current_datavalue(self, cur_val: ua.DataValue) -> None:
        self.old_dvalue = self.current_dvalue
        self.current_dvalue = cur_val


class MonitoredItems(MonitoredItemService):
    """Looks up by id what asyncua searches for, and checks filters before they are used."""

    @property
    def count(self) -> int:
        return len(self._monitored_items)

    def node_ids(self) -> list[tuple[int, ua.NodeId]]:
        """Return the monitored items' ids and nodes."""
        return [(mid, data.read_value_id.NodeId) for mid, data in self._monitored_items.items()]

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """Create items; one whose filter cannot be used is refused alone."""
        results: list[ua.MonitoredItemCreateResult] = []
        for item in params.ItemsToCreate:
            code = _wrong_filter(item.ItemToMonitor.AttributeId, item.RequestedParameters)
            if code is not None:
                results.append(ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(code)))
            elif item.ItemToMonitor.AttributeId == ua.AttributeIds.EventNotifier:
                results.append(self._create_events_monitored_item(item))
            else:
                results.append(await self._create_data_change_monitored_item(item))
        return results

    def _make_monitored_item_common(
        self, params: ua.MonitoredItemCreateRequest
    ) -> tuple[ua.MonitoredItemCreateResult, MonitoredItemData]:
        result, data = super()._make_monitored_item_common(params)
        data.mvalue = _Values()
        return result, data

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        data = self._monitored_items.get(params.MonitoredItemId)
        if data is None:
            return ua.MonitoredItemModifyResult(StatusCode=ua.StatusCode(_Codes.BadMonitoredItemIdInvalid))
        wanted = params.RequestedParameters
        code = _wrong_filter(data.read_value_id.AttributeId, wanted)
        if code is not None:
            return ua.MonitoredItemModifyResult(StatusCode=ua.StatusCode(code))
        data.filter = wanted.Filter
        data.client_handle = wanted.ClientHandle
        data.queue_size = self._revise_queue_size(wanted.QueueSize)
        return ua.MonitoredItemModifyResult(
            RevisedSamplingInterval=self.isub.data.RevisedPublishingInterval, RevisedQueueSize=data.queue_size
        )

    def delete_all_monitored_items(self) -> None:
        """Delete all items, some in each turn of the loop: there may be thousands, and others wait."""
        for mid in list(islice(self._monitored_items, _TURN)):
            self._delete_monitored_items(mid)
        if self._monitored_items:
            asyncio.get_running_loop().call_soon(self.delete_all_monitored_items)

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        data = self._monitored_items.pop(mid, None)
        if data is None:
            return ua.StatusCode(_Codes.BadMonitoredItemIdInvalid)
        if data.callback_handle is not None:
            self._forget(data.callback_handle)
        else:
            items = self._monitored_events[data.read_value_id.NodeId]
            items.remove(mid)
            if not items:
                del self._monitored_events[data.read_value_id.NodeId]
        return ua.StatusCode()

    def _forget(self, handle: int) -> None:
        self._monitored_datachange.pop(handle, None)
        node_id, attribute = self.aspace._handle_to_attribute_map.pop(handle, (None, None))
        node = self.aspace.get(node_id) if node_id is not None else None
        if node is not None and attribute in node.attributes:  # the node may be deleted, or another one by now
            node.attributes[attribute].datachange_callbacks.pop(handle, None)

    def revoke(self, mid: int) -> None:
        """End an item whose node may not be read any more; all that is still sent of it is that."""
        notification = ua.MonitoredItemNotification()
        notification.ClientHandle = self._monitored_items[mid].client_handle
        notification.Value = ua.DataValue(StatusCode=ua.StatusCode(_Codes.BadUserAccessDenied))
        self._delete_monitored_items(mid)
        self.isub._triggered_datachanges[mid] = [notification]

    def _is_deadband_exceeded(self, values: MonitoredItemValues, flt: ua.DataChangeFilter) -> bool:
        try:
            return bool(super()._is_deadband_exceeded(values, flt))
        except TypeError:  # a deadband on what is no number, or no number any more
            return True


def _wrong_filter(attribute: int, wanted: ua.MonitoringParameters) -> int | None:
    """Return why a filter cannot be used, if so; an empty one becomes None."""
    if isinstance(wanted.Filter, ua.ExtensionObject) and wanted.Filter.TypeId.is_null():
        wanted.Filter = None
    if attribute == ua.AttributeIds.EventNotifier:
        return None if isinstance(wanted.Filter, ua.EventFilter) else int(_Codes.BadEventFilterInvalid)
    if wanted.Filter is None or isinstance(wanted.Filter, _DataChangeFilter):
        return None
    return int(_Codes.BadMonitoredItemFilterUnsupported)
