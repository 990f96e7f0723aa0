"""asyncua's internal server, with sessions, subscriptions and views of ours, and the address space from its file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from asyncua import Node, ua
from asyncua.server.internal_server import InternalServer

from protocols.opcua import nodes_cache
from protocols.opcua.limits import Limits
from protocols.opcua.subscriptions import Subscriptions
from protocols.opcua.views import Views

_LONGEST_URL = 1_024  # characters: each endpoint repeats it
_Ids = ua.ObjectIds
_OPERATIONS = "Server_ServerCapabilities_OperationLimits_"


class Core(InternalServer):
    """The address space and its services."""

    subscription_service: Subscriptions
    time_task: asyncio.Task[None] | None

    def __init__(self, limits: Limits, folder: Path) -> None:
        super().__init__()
        self._limits = limits
        self._folder = folder
        self.max_session_timeout_ms = limits.session_timeout * 1_000
        self.min_session_timeout_ms = limits.shortest_timeout * 1_000
        self.view_service = Views(self.aspace)
        self.subscription_service = Subscriptions(self.aspace, self, limits)
        self.isession.subscription_service = self.subscription_service
        self.supported_tokens = (ua.UserNameIdentityToken,)

    async def load_standard_address_space(self, shelf_file: Path | None = None) -> None:
        """Take the standard nodes from their file."""
        self.aspace._nodes = await nodes_cache.load(nodes_cache.path_in(self._folder))

    async def setup_nodes(self) -> None:
        """Tell clients how much they may ask for; 0 stands for as much as there is."""
        await super().setup_nodes()
        limits, short, long = self._limits, ua.VariantType.UInt16, ua.VariantType.UInt32
        for name in dir(ua.ObjectIds):
            if name.startswith(_OPERATIONS + "Max"):
                await self.tell(getattr(ua.ObjectIds, name), limits.operations, long)
        await self.tell(_Ids.Server_ServerCapabilities_MinSupportedSampleRate, 0.0, ua.VariantType.Double)
        await self.tell(_Ids.Server_ServerCapabilities_MaxBrowseContinuationPoints, limits.continuation_points, short)
        await self.tell(_Ids.Server_ServerCapabilities_MaxHistoryContinuationPoints, 0, short)
        await self.tell(_Ids.Server_ServerCapabilities_MaxArrayLength, limits.elements, long)
        await self.tell(_Ids.Server_ServerCapabilities_MaxSessions, limits.max_connections, long)
        await self.tell(_Ids.Server_ServerCapabilities_MaxSubscriptionsPerSession, limits.session_subscriptions, long)
        await self.tell(_Ids.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription, limits.monitored_items, long)
        await self.tell(_Ids.Server_ServerCapabilities_MaxMonitoredItemsQueueSize, limits.item_queue, long)

    async def tell(self, number: int, value: Any, kind: ua.VariantType) -> None:
        """Have a standard variable say something."""
        await Node(self.isession, ua.NodeId(number)).write_value(value, kind)

    async def get_endpoints(self, params: Any = None, sockname: Any = None) -> list[ua.EndpointDescription]:
        """Return the endpoints, at the address that the client knows us by."""
        if params is not None and len(params.EndpointUrl or "") > _LONGEST_URL:
            params = None
        return list(await super().get_endpoints(params, sockname))

    async def stop(self) -> None:
        """Stop without waiting for the clock's next second."""
        if self.time_task is not None:
            self.time_task.cancel()
            self.time_task = None
        await super().stop()
