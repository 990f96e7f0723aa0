"""The values of integrations in asyncua's server: `Space`, fulfilled.

Integrations' nodes are not in asyncua's address space, only the folder that holds them is: what concerns them is
answered here in one turn of the loop, everything else goes on to asyncua.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncua import Server, ua

from protocols.contract import Grant, Usage
from protocols.opcua.space import Caller, GoOn
from protocols.opcua.values import capabilities, management, naming, past, reading, writing
from protocols.opcua.values import paths as browse_paths
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.face import Face
from protocols.opcua.values.items import Items
from protocols.opcua.values.keeper import NoKeeper, StoreKeeper
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.nodes import GOOD, Nodes
from protocols.opcua.values.reader import Reader, Readers
from protocols.opcua.values.views import ROOT_NAME, Views

if TYPE_CHECKING:
    from protocols.opcua.subscription import Subscription


def _utc() -> datetime:
    return datetime.now(UTC)


class ValueSpace:
    """What clients see and do in the address space.  `path` is the file of what survives a restart."""

    def __init__(
        self, path: Path | None, limits: ValueLimits | None = None, clock: Callable[[], datetime] = _utc
    ) -> None:
        self.limits = limits or ValueLimits()
        self._clock = clock
        self._keeper = StoreKeeper(path, self.limits.history_pace) if path is not None else None
        self.nodes = Nodes(self.limits, self._keeper or NoKeeper())
        self.face = Face(self.nodes, clock)
        self._views = Views(self.nodes)
        self._readers = Readers(self.nodes)

    # --- life

    async def start(self, server: Server, grants: Mapping[int, Grant]) -> None:
        """Add the folder of integrations, and bring back what was kept."""
        self._server = server
        index = await server.register_namespace(naming.NAMESPACE_URI)
        if index != naming.NAMESPACE:
            raise RuntimeError(f"namespace {naming.NAMESPACE_URI} has the index {index}, not {naming.NAMESPACE}")
        await server.nodes.objects.add_folder(naming.ROOT, ROOT_NAME)
        for number, said in capabilities.told(self.limits).items():
            await server.get_node(number).write_value(said)
        loop = asyncio.get_running_loop()
        self.nodes.crowds.call_soon = loop.call_soon
        if self._keeper is None:
            return
        await asyncio.to_thread(self._keeper.open)
        self._keeper.load(self.nodes, {key: grant.username for key, grant in grants.items()})
        self._keeper.start(loop.call_later, loop.call_soon_threadsafe)

    def enter(self, grant: Grant) -> None:
        """Have the folder of an integration exist from now on."""
        self.nodes.adopt(grant.integration_id, grant.username)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Follow changed permissions, and usernames; monitored items follow at once."""
        for integration_id in grants.keys() & self.nodes.folders.keys():
            self.enter(grants[integration_id])
        for items in self._all_items():
            grant = grants.get(items.reader.grant.integration_id)
            if grant is not None:
                items.reader.follow(grant)
        for items in self._all_items():  # of others too: a new username is another topic
            items.look()

    def forget(self, integration_ids: set[int]) -> None:
        """Drop the nodes of integrations that were deleted."""
        self.nodes.forget(integration_ids)

    def may_read(self, caller: Caller, node_id: ua.NodeId) -> bool:
        """Let every monitored item live: those on integrations' nodes follow permissions by themselves."""
        return True

    def usage(self) -> list[Usage]:
        """Return the limits."""
        return self.nodes.usage()

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask."""
        return self.face.actions()

    @property
    def is_keeping(self) -> bool:
        """Say whether values would survive a restart at present."""
        return self._keeper is not None and not self._keeper.is_failing

    async def stop(self) -> None:
        """Write what is not written yet."""
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)

    def _all_items(self) -> list[Items]:
        subscriptions = self._server.iserver.subscription_service.subscriptions.values()
        services = [subscription.monitored_item_srv for subscription in subscriptions]
        return [service for service in services if isinstance(service, Items)]

    # --- values

    async def read(
        self, caller: Caller, params: ua.ReadParameters, go_on: GoOn[ua.ReadParameters, list[ua.DataValue]]
    ) -> list[ua.DataValue]:
        """Read attributes."""
        reader = self._readers.of(caller.grant, caller.client_id)
        times = params.TimestampsToReturn
        others: list[ua.ReadValueId] = []
        answer: list[Any] = []
        for asked in params.NodesToRead:
            if naming.is_ours(asked.NodeId):
                answer.append(reading.read(reader, asked, times))
            else:
                answer.append(None)
                others.append(asked)
        if others:
            _fill(answer, await go_on(ua.ReadParameters(params.MaxAge, times, others)))
        return answer

    async def write(
        self, caller: Caller, params: ua.WriteParameters, go_on: GoOn[ua.WriteParameters, list[ua.StatusCode]]
    ) -> list[ua.StatusCode]:
        """Write values; a node of one's own that is missing is created.  No standard node is ever written."""
        reader = self._readers.of(caller.grant, caller.client_id)
        now = self._clock()
        answer = []
        for asked in params.NodesToWrite:
            try:
                if not naming.is_ours(asked.NodeId):
                    raise Refused(writing.why_not(self._server.iserver.aspace, asked.NodeId))
                node = writing.write(self.nodes, reader, asked, now)
                self.nodes.outside.wrote(node, caller.grant.integration_id)
                answer.append(GOOD)
            except Refused as refused:
                answer.append(ua.StatusCode(refused.code))
        return answer

    async def call(
        self,
        caller: Caller,
        methods: list[ua.CallMethodRequest],
        go_on: GoOn[list[ua.CallMethodRequest], list[ua.CallMethodResult]],
    ) -> list[ua.CallMethodResult]:
        """Call `publish`, or what the standard has."""
        reader = self._readers.of(caller.grant, caller.client_id)
        now = self._clock()
        others: list[ua.CallMethodRequest] = []
        answer: list[Any] = []
        for asked in methods:
            if asked.MethodId.NamespaceIndex != naming.NAMESPACE:
                answer.append(None)
                others.append(asked)
                continue
            try:
                node = writing.call(self.nodes, reader, asked, now)
                self.nodes.outside.wrote(node, caller.grant.integration_id)
                answer.append(ua.CallMethodResult(InputArgumentResults=[GOOD, GOOD]))
            except Refused as refused:
                answer.append(ua.CallMethodResult(ua.StatusCode(refused.code)))
        if others:
            _fill(answer, await go_on(others))
        return answer

    async def history_read(
        self,
        caller: Caller,
        params: ua.HistoryReadParameters,
        go_on: GoOn[ua.HistoryReadParameters, list[ua.HistoryReadResult]],
    ) -> list[ua.HistoryReadResult]:
        """Read the last values; standard nodes have no history."""
        return await past.read(
            lambda: self._readers.of(caller.grant, caller.client_id), params, self.limits, caller.give_turn
        )

    # --- nodes

    async def browse(
        self, caller: Caller, params: ua.BrowseParameters, go_on: GoOn[ua.BrowseParameters, list[ua.BrowseResult]]
    ) -> list[ua.BrowseResult]:
        """Return the references of each node; those of the folder of integrations are partly asyncua's.

        They are made as they are taken: a folder has thousands.
        """
        reader = self._readers.of(caller.grant, caller.client_id)
        others: list[ua.BrowseDescription] = []
        answer: list[Any] = []
        for asked in params.NodesToBrowse:
            if naming.is_ours(asked.NodeId):
                answer.append(self._views.browse(reader, asked))
            else:
                answer.append(None)
                others.append(asked)
        if others:
            _fill(answer, await go_on(ua.BrowseParameters(params.View, params.RequestedMaxReferencesPerNode, others)))
        for place, asked in enumerate(params.NodesToBrowse):
            if asked.NodeId == naming.ROOT:
                integrations = self._views.browse(reader, asked).References
                answer[place].References = chain(answer[place].References, integrations)
        return answer

    async def translate_browsepaths(
        self,
        caller: Caller,
        paths: list[ua.BrowsePath],
        go_on: GoOn[list[ua.BrowsePath], list[ua.BrowsePathResult]],
    ) -> list[ua.BrowsePathResult]:
        """Find nodes by their path, which may begin at any node."""
        reader = self._readers.of(caller.grant, caller.client_id)
        return [await browse_paths.translate(self._views, reader, path, go_on) for path in paths]

    async def add_nodes(
        self,
        caller: Caller,
        items: list[ua.AddNodesItem],
        go_on: GoOn[list[ua.AddNodesItem], list[ua.AddNodesResult]],
    ) -> list[ua.AddNodesResult]:
        """Add nodes to the caller's own folder."""
        reader = self._readers.of(caller.grant, caller.client_id)
        now = self._clock()
        answer = []
        for item in items:
            try:
                node = management.add(self.nodes, reader, item, now)
                self.nodes.outside.wrote(node, caller.grant.integration_id)
                answer.append(ua.AddNodesResult(AddedNodeId=node.node_id))
            except Refused as refused:
                answer.append(ua.AddNodesResult(ua.StatusCode(refused.code)))
        return answer

    async def delete_nodes(
        self,
        caller: Caller,
        params: ua.DeleteNodesParameters,
        go_on: GoOn[ua.DeleteNodesParameters, list[ua.StatusCode]],
    ) -> list[ua.StatusCode]:
        """Delete nodes of the caller's own folder."""
        reader = self._readers.of(caller.grant, caller.client_id)
        answer = []
        for item in params.NodesToDelete:
            try:
                await management.delete(self.nodes, reader, item.NodeId, caller.give_turn)
                answer.append(GOOD)
            except Refused as refused:
                answer.append(ua.StatusCode(refused.code))
        return answer

    # --- monitoring

    async def create_monitored_items(
        self,
        caller: Caller,
        params: ua.CreateMonitoredItemsParameters,
        go_on: GoOn[ua.CreateMonitoredItemsParameters, list[ua.MonitoredItemCreateResult]],
    ) -> list[ua.MonitoredItemCreateResult]:
        """Monitor nodes: the subscription gets a service of ours with its first items."""
        server = self._server.iserver
        subscription = server.subscription_service.subscriptions.get(params.SubscriptionId)
        if subscription is not None:
            items = subscription.monitored_item_srv
            if not isinstance(items, Items):
                items = self.make_items(subscription, Reader(self.nodes, caller.grant, caller.client_id))
                subscription.monitored_item_srv = items
            items.times = params.TimestampsToReturn
        return await go_on(params)

    def make_items(self, subscription: Subscription, reader: Reader) -> Items:
        """Return the service for the items of a subscription."""
        return Items(subscription, self._server.iserver.aspace, reader)

    async def modify_monitored_items(
        self,
        caller: Caller,
        params: ua.ModifyMonitoredItemsParameters,
        go_on: GoOn[ua.ModifyMonitoredItemsParameters, list[ua.MonitoredItemModifyResult]],
    ) -> list[ua.MonitoredItemModifyResult]:
        """Change monitored items."""
        subscription = self._server.iserver.subscription_service.subscriptions.get(params.SubscriptionId)
        if subscription is not None and isinstance(subscription.monitored_item_srv, Items):
            subscription.monitored_item_srv.times = params.TimestampsToReturn
        return await go_on(params)


def _fill(answer: list[Any], others: Iterable[Any]) -> None:
    """Put what asyncua has answered where there is no answer yet."""
    rest = iter(others)
    for place, one in enumerate(answer):
        if one is None:
            answer[place] = next(rest)
