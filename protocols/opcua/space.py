"""The seam between the server, which decides who may come in, and its values, which decide what they see and do there.

The server calls a `Space` for each service that touches a node, always on the server's own loop.  `go_on` is
asyncua's own implementation of the service: a space filters what it is given, and what it answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from asyncua import Server, ua

from protocols.contract import Grant, Usage

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
GoOn = Callable[[Asked], Awaitable[Answer]]

NOT_PERMITTED = ua.StatusCode(ua.StatusCodes.BadUserAccessDenied)


async def _keep_on() -> None:
    """Give nobody a turn."""


@dataclass(slots=True, eq=False)
class Caller:
    """Who asks: one session of an integration.  `grant` is replaced when its permissions change.

    `give_turn` lets others go on, and raises ServiceError once the session has ended.
    """

    grant: Grant
    client_id: str  # the application's name or URI, as it was stated
    address: str
    give_turn: Callable[[], Awaitable[None]] = _keep_on  # to be awaited now and then in a long request
    values_read: int = 0  # counted by the server: a space need not
    values_written: int = 0


class Space(Protocol):
    """What clients see and do in the address space.

    Answers are in the order of what was asked, one for each.  To refuse one thing, answer with its StatusCode; to
    refuse the whole request, raise `asyncua.common.utils.ServiceError(code)`.  Anything else that is raised is told
    as BadInternalError, and logged.  The number of operations in one request is bounded before a space is asked, which
    gets a long request in parts, one after the other, with the turns of other requests between them.
    """

    async def start(self, server: Server, grants: Mapping[int, Grant]) -> None:
        """Build what exists from the start; nobody is let in before this returns.

        `grants` has every integration that exists: what was kept of others is to be dropped.
        """
        ...

    def enter(self, grant: Grant) -> None:
        """Have the folder of an integration exist from now on; called for each accepted login.  Must not fail."""
        ...

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Follow changed permissions; callers that are connected have their new grant already."""
        ...

    def forget(self, integration_ids: set[int]) -> None:
        """Drop what is kept of integrations that were deleted; they are not connected any more."""
        ...

    def may_read(self, caller: Caller, node_id: ua.NodeId) -> bool:
        """Tell whether a caller may still read a node; asked of what is monitored when permissions have changed."""
        ...

    async def read(
        self, caller: Caller, params: ua.ReadParameters, go_on: GoOn[ua.ReadParameters, list[ua.DataValue]]
    ) -> list[ua.DataValue]:
        """Read attributes."""
        ...

    async def write(
        self, caller: Caller, params: ua.WriteParameters, go_on: GoOn[ua.WriteParameters, list[ua.StatusCode]]
    ) -> list[ua.StatusCode]:
        """Write attributes; `go_on` writes only Value, where AccessLevel and UserAccessLevel allow it."""
        ...

    async def browse(
        self, caller: Caller, params: ua.BrowseParameters, go_on: GoOn[ua.BrowseParameters, list[ua.BrowseResult]]
    ) -> list[ua.BrowseResult]:
        """Return all references of each node: the server itself cuts them into pieces of the size asked for.

        `References` may be an iterator, or an asynchronous one, of which the server takes later what it has not been
        asked for yet.
        """
        ...

    async def translate_browsepaths(
        self,
        caller: Caller,
        paths: list[ua.BrowsePath],
        go_on: GoOn[list[ua.BrowsePath], list[ua.BrowsePathResult]],
    ) -> list[ua.BrowsePathResult]:
        """Find nodes by their path."""
        ...

    async def add_nodes(
        self,
        caller: Caller,
        items: list[ua.AddNodesItem],
        go_on: GoOn[list[ua.AddNodesItem], list[ua.AddNodesResult]],
    ) -> list[ua.AddNodesResult]:
        """Add nodes; `go_on` asks no permission."""
        ...

    async def delete_nodes(
        self,
        caller: Caller,
        params: ua.DeleteNodesParameters,
        go_on: GoOn[ua.DeleteNodesParameters, list[ua.StatusCode]],
    ) -> list[ua.StatusCode]:
        """Delete nodes; `go_on` asks no permission."""
        ...

    async def call(
        self,
        caller: Caller,
        methods: list[ua.CallMethodRequest],
        go_on: GoOn[list[ua.CallMethodRequest], list[ua.CallMethodResult]],
    ) -> list[ua.CallMethodResult]:
        """Call methods; `caller` is for this call only, as a method's callback gets no session."""
        ...

    async def create_monitored_items(
        self,
        caller: Caller,
        params: ua.CreateMonitoredItemsParameters,
        go_on: GoOn[ua.CreateMonitoredItemsParameters, list[ua.MonitoredItemCreateResult]],
    ) -> list[ua.MonitoredItemCreateResult]:
        """Monitor nodes in a subscription of the caller's own."""
        ...

    async def modify_monitored_items(
        self,
        caller: Caller,
        params: ua.ModifyMonitoredItemsParameters,
        go_on: GoOn[ua.ModifyMonitoredItemsParameters, list[ua.MonitoredItemModifyResult]],
    ) -> list[ua.MonitoredItemModifyResult]:
        """Change monitored items of the caller's own."""
        ...

    async def history_read(
        self,
        caller: Caller,
        params: ua.HistoryReadParameters,
        go_on: GoOn[ua.HistoryReadParameters, list[ua.HistoryReadResult]],
    ) -> list[ua.HistoryReadResult]:
        """Read the last values; all nodes of a request at once, for they share one answer."""
        ...

    def usage(self) -> list[Usage]:
        """Return the limits; see `protocols.contract.Server`."""
        ...

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask; see `protocols.contract.Server`."""
        ...

    async def stop(self) -> None:
        """Keep what is to survive; called when everybody has gone, must return within a second."""
        ...


class StandardSpace:
    """The standard nodes to read and browse, and nothing else."""

    async def start(self, server: Server, grants: Mapping[int, Grant]) -> None:
        """Add nothing."""

    def enter(self, grant: Grant) -> None:
        """Add nothing."""

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """There are no permissions to follow."""

    def forget(self, integration_ids: set[int]) -> None:
        """There is nothing to drop."""

    def may_read(self, caller: Caller, node_id: ua.NodeId) -> bool:
        """Allow to read everything."""
        return True

    async def _pass(self, caller: Caller, asked: Any, go_on: GoOn[Any, Any]) -> Any:
        return await go_on(asked)

    read = browse = translate_browsepaths = create_monitored_items = modify_monitored_items = _pass

    async def write(self, caller: Caller, params: ua.WriteParameters, go_on: GoOn[Any, Any]) -> list[ua.StatusCode]:
        """Refuse to write."""
        return [NOT_PERMITTED for _ in params.NodesToWrite]

    async def add_nodes(
        self, caller: Caller, items: list[ua.AddNodesItem], go_on: GoOn[Any, Any]
    ) -> list[ua.AddNodesResult]:
        """Refuse to add nodes."""
        return [ua.AddNodesResult(StatusCode=NOT_PERMITTED) for _ in items]

    async def delete_nodes(
        self, caller: Caller, params: ua.DeleteNodesParameters, go_on: GoOn[Any, Any]
    ) -> list[ua.StatusCode]:
        """Refuse to delete nodes."""
        return [NOT_PERMITTED for _ in params.NodesToDelete]

    async def call(
        self, caller: Caller, methods: list[ua.CallMethodRequest], go_on: GoOn[Any, Any]
    ) -> list[ua.CallMethodResult]:
        """Refuse to call methods."""
        return [ua.CallMethodResult(StatusCode=NOT_PERMITTED) for _ in methods]

    async def history_read(
        self, caller: Caller, params: ua.HistoryReadParameters, go_on: GoOn[Any, Any]
    ) -> list[ua.HistoryReadResult]:
        """There is no history."""
        code = ua.StatusCode(ua.StatusCodes.BadHistoryOperationUnsupported)
        return [ua.HistoryReadResult(StatusCode=code) for _ in params.NodesToRead]

    def usage(self) -> list[Usage]:
        """There are no limits."""
        return []

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Pages ask nothing."""
        return {}

    async def stop(self) -> None:
        """There is nothing to keep."""
