"""Monitored items on topics, which need not have had a value yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from protocols.opcua import item
from protocols.opcua.topics import naming
from protocols.opcua.topics.scope import Scope
from protocols.opcua.topics.watches import Watches
from protocols.opcua.values import items
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.watching import News

if TYPE_CHECKING:
    from protocols.opcua.subscription import Subscription


class TopicItem(item.GuardedItem):
    """An item on a topic."""

    __slots__ = ("topic",)

    items: TopicItems

    def __init__(self, owner: TopicItems, item_id: int, topic: str, request: ua.MonitoredItemCreateRequest) -> None:
        self.topic = topic
        super().__init__(owner, item_id, request)

    def watch(self) -> None:
        watchers = self.items.watches.get(self.topic).watchers
        watchers.members[self] = None
        self.since = watchers.number

    def may_read(self) -> bool:
        return self.items.scope.may_read(self.topic)

    def seen(self) -> tuple[ua.DataValue, int]:
        watch = self.items.watches.get(self.topic)
        return watch.value, watch.size

    def changed(self, news: News) -> None:
        if not self.is_hidden:
            super().changed(news)

    def end(self) -> None:
        super().end()
        self.items.watches.leave(self.topic, self)


class TopicItems(items.Items):
    """The monitored items of one subscription, on nodes of every kind."""

    def __init__(self, isub: Subscription, aspace: AddressSpace, reader: Reader, watches: Watches) -> None:
        super().__init__(isub, aspace, reader)
        self.watches = watches
        self.scope = Scope(reader.grant, reader.client_id)

    def look(self) -> None:
        """Follow a changed grant."""
        super().look()
        self.scope = Scope(self.reader.grant, self.reader.client_id)
        for one in self._monitored_items.values():
            if isinstance(one, TopicItem):
                one.look()

    def _make_item(self, request: ua.MonitoredItemCreateRequest) -> item.Item:
        asked = request.ItemToMonitor
        if not naming.is_ours(asked.NodeId):
            return super()._make_item(request)
        topic = naming.place(asked.NodeId)
        if not topic or not self.scope.may_read(topic):
            raise Refused(ua.StatusCodes.BadNodeIdUnknown)
        if asked.AttributeId != ua.AttributeIds.Value:
            raise Refused(ua.StatusCodes.BadAttributeIdInvalid)
        return TopicItem(self, self._next_id(), topic, request)
