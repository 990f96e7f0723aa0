"""Monitored items on integrations' nodes: asyncua's service, with ours for nodes that it does not know.

A value is put into the queue of its subscription in the same turn of the loop in which it is written, or soon after
where a crowd monitors the node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from protocols.opcua import item, monitoring
from protocols.opcua.values import attributes, naming
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.kinds import Kind
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.watching import News, Watchers

if TYPE_CHECKING:
    from protocols.opcua.subscription import Subscription
    from protocols.opcua.values.tree import Node

_DELETED = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown))


class Item(item.GuardedItem):
    """An item on an integration's node, which may be deleted and made again."""

    __slots__ = ("node",)

    items: Items

    def __init__(self, items: Items, item_id: int, node: Node, request: ua.MonitoredItemCreateRequest) -> None:
        self.node = node
        super().__init__(items, item_id, request)

    @property
    def kind(self) -> Kind | None:
        return self.node.kind

    def changed(self, news: News) -> None:
        """Tell a new value, if it is to be told."""
        if news.number <= self.since:
            return
        self.node, value, size = news.node, news.value, news.size
        if self.mode != ua.MonitoringMode.Reporting:
            return
        if not self.may_read():
            value, size = item.HIDDEN, 0
        self.check(value, size, is_after_lost=news.is_after_lost)

    def watch(self) -> None:
        self.node = self.node.folder.nodes.get(self.node.name, self.node)  # it may have been made again
        node = self.node
        if self.is_value and node.folder.nodes.get(node.name) is node:  # no other attribute of these nodes ever changes
            if node.watchers is None:
                node.watchers = Watchers()
            node.watchers.members[self] = None
        self.since = node.watchers.number if node.watchers is not None else 0

    def may_read(self) -> bool:
        return self.items.reader.may_read(self.node)

    def seen(self) -> tuple[ua.DataValue, int]:
        is_there = self.node.folder.nodes.get(self.node.name, self.node.folder.root) is self.node
        if not is_there:
            return _DELETED, 0
        return attributes.read(self.node, self.asked.AttributeId, self.items.reader), self.node.size

    def end(self) -> None:
        """Take itself from its node, or from where it waits for a node to be there again."""
        super().end()
        node = self.node
        for watchers in (node.watchers, node.folder.waiting.get(node.name)):
            if watchers is not None:
                watchers.members.pop(self, None)
        if not node.folder.waiting.get(node.name, True):
            del node.folder.waiting[node.name]


class Items(monitoring.MonitoredItems):
    """The monitored items of one subscription."""

    def __init__(self, isub: Subscription, aspace: AddressSpace, reader: Reader) -> None:
        super().__init__(isub, aspace)
        self.reader = reader

    def look(self) -> None:
        """Follow a changed grant."""
        for one in self._monitored_items.values():
            if isinstance(one, Item):
                one.look()

    def _make_item(self, request: ua.MonitoredItemCreateRequest) -> item.Item:
        asked = request.ItemToMonitor
        if asked.NodeId.NamespaceIndex != naming.NAMESPACE or not isinstance(asked.NodeId.Identifier, str):
            return super()._make_item(request)
        node = self.reader.find(asked.NodeId.Identifier)
        if node is None:
            raise Refused(ua.StatusCodes.BadNodeIdUnknown)
        if code := attributes.why_not(node, asked.AttributeId, self.reader):
            raise Refused(code)
        return Item(self, self._next_id(), node, request)
