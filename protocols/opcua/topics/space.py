"""The topics of the hub in the address space, beside the values of integrations, which are topics as well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asyncua import Server, ua

from protocols.contract import Grant
from protocols.linking import Away, Dial
from protocols.opcua.space import Caller, GoOn
from protocols.opcua.topics import naming, views
from protocols.opcua.topics.answers import Topics
from protocols.opcua.topics.catching import CatchingUp
from protocols.opcua.topics.folders import Folders
from protocols.opcua.topics.hub import HubLink
from protocols.opcua.topics.items import TopicItems
from protocols.opcua.topics.scope import Scope
from protocols.opcua.topics.watches import Watches
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.reader import Reader
from protocols.opcua.values.space import ValueSpace

if TYPE_CHECKING:
    from protocols.opcua.subscription import Subscription

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
_SCOPES = 10_000  # that are remembered
_NO_ANSWER = ua.StatusCode(ua.StatusCodes.BadNoCommunication)
_UNKNOWN = ua.StatusCode(ua.StatusCodes.BadNodeIdUnknown)


class TopicSpace(ValueSpace):
    """What clients see and do in the address space.

    `dial` connects to the part that has the hub; `exists` says whether there is an integration of a username.
    """

    def __init__(
        self,
        path: Path | None,
        limits: ValueLimits,
        clock: Callable[[], datetime],
        dial: Dial,
        exists: Callable[[str], bool],
    ) -> None:
        super().__init__(path, limits, clock)
        self._hub = HubLink(dial)
        self._catching = CatchingUp(self.nodes, self._hub, clock)
        self._folders = self.nodes.outside = Folders(self.nodes, self._hub, clock, self._catching.opened, exists)
        self._watches = Watches(self._hub, self.nodes.crowds, clock)
        self._topics = Topics(self._hub, clock, limits)
        self._scopes: dict[tuple[int, str], Scope] = {}

    async def start(self, server: Server, grants: Mapping[int, Grant]) -> None:
        """Add the folder of topics, and begin to follow the hub."""
        self._note_domains(grants)
        await super().start(server, grants)
        index = await server.register_namespace(naming.NAMESPACE_URI)
        if index != naming.NAMESPACE:
            raise RuntimeError(f"namespace {naming.NAMESPACE_URI} has the index {index}, not {naming.NAMESPACE}")
        await server.nodes.objects.add_folder(naming.ROOT, naming.ROOT_NAME)
        self._hub.start(self._folders, self._watches, self._catching, published=self._folders.published)
        self._catching.start(self._folders.caught_up)

    def enter(self, grant: Grant) -> None:
        """Have the folder of an integration exist from now on."""
        self._note_domains({grant.integration_id: grant})
        super().enter(grant)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Follow changed permissions, usernames, and domains of VRPC."""
        self._note_domains(grants)
        super().permit(grants)

    def _note_domains(self, grants: Mapping[int, Grant]) -> None:
        """Note which topics are no nodes; each grant has the same."""
        self._folders.domains = next((grant.closed for grant in grants.values()), self._folders.domains)

    async def stop(self) -> None:
        """Publish what is not published yet, and write what is not written."""
        await self._catching.stop()
        await self._watches.stop()
        await self._hub.stop()
        await super().stop()

    def _scope(self, caller: Caller) -> Scope:
        grant = caller.grant
        key = grant.integration_id, caller.client_id
        scope = self._scopes.get(key)
        if scope is None or (scope.grant is not grant and scope.grant != grant):
            if len(self._scopes) >= _SCOPES:
                self._scopes.clear()
            scope = self._scopes[key] = Scope(grant, caller.client_id)
        return scope

    # --- services

    async def read(
        self, caller: Caller, params: ua.ReadParameters, go_on: GoOn[ua.ReadParameters, list[ua.DataValue]]
    ) -> list[ua.DataValue]:
        """Read attributes."""
        base = super().read
        times = params.TimestampsToReturn

        async def others(asked: list[ua.ReadValueId]) -> list[ua.DataValue]:
            return await base(caller, ua.ReadParameters(params.MaxAge, times, asked), go_on)

        async def own(asked: list[ua.ReadValueId]) -> list[ua.DataValue]:
            return await self._topics.read(self._scope(caller), asked, times)

        return await _by_kind(params.NodesToRead, _node_id, own, others)

    async def write(
        self, caller: Caller, params: ua.WriteParameters, go_on: GoOn[ua.WriteParameters, list[ua.StatusCode]]
    ) -> list[ua.StatusCode]:
        """Write to nodes, and publish on topics."""
        base = super().write

        async def others(asked: list[ua.WriteValue]) -> list[ua.StatusCode]:
            return await base(caller, ua.WriteParameters(asked), go_on)

        async def own(asked: list[ua.WriteValue]) -> list[ua.StatusCode]:
            return [await self._topics.write(self._scope(caller), one) for one in asked]

        return await _by_kind(params.NodesToWrite, _node_id, own, others)

    async def history_read(
        self,
        caller: Caller,
        params: ua.HistoryReadParameters,
        go_on: GoOn[ua.HistoryReadParameters, list[ua.HistoryReadResult]],
    ) -> list[ua.HistoryReadResult]:
        """Read the last values."""
        base = super().history_read

        async def others(asked: list[ua.HistoryReadValueId]) -> list[ua.HistoryReadResult]:
            details, times = params.HistoryReadDetails, params.TimestampsToReturn
            rest = ua.HistoryReadParameters(details, times, params.ReleaseContinuationPoints, asked)
            return await base(caller, rest, go_on)

        async def own(asked: list[ua.HistoryReadValueId]) -> list[ua.HistoryReadResult]:
            return await self._topics.past(self._scope(caller), asked, params)

        return await _by_kind(params.NodesToRead, _node_id, own, others)

    async def browse(
        self, caller: Caller, params: ua.BrowseParameters, go_on: GoOn[ua.BrowseParameters, list[ua.BrowseResult]]
    ) -> list[ua.BrowseResult]:
        """Return the references of each node; those below topics are asked for as they are taken."""
        base = super().browse

        async def others(asked: list[ua.BrowseDescription]) -> list[ua.BrowseResult]:
            return await base(caller, ua.BrowseParameters(params.View, 0, asked), go_on)

        async def own(asked: list[ua.BrowseDescription]) -> list[ua.BrowseResult]:
            return [await self._browse(self._scope(caller), one) for one in asked]

        answer = await _by_kind(params.NodesToBrowse, _node_id, own, others)
        for result, asked in zip(answer, params.NodesToBrowse, strict=True):
            if asked.NodeId == naming.ROOT:
                found = views.below(self._hub, self._scope(caller), None, asked)
                result.References = _chained(result.References, found)
        return answer

    async def _browse(self, scope: Scope, asked: ua.BrowseDescription) -> ua.BrowseResult:
        topic = naming.place(asked.NodeId)
        if topic is None:
            return ua.BrowseResult(_UNKNOWN)
        above = topic.rpartition("/")[0]
        try:
            (value, has_more), (over, _) = await self._hub.look([topic, above], scope)
        except Away:
            return ua.BrowseResult(_NO_ANSWER)
        if value is None and not has_more:
            return ua.BrowseResult(_UNKNOWN)
        found = views.of_place(self._hub, scope, topic, asked, is_value=value is not None, is_in_value=over is not None)
        return ua.BrowseResult(References=found)

    async def translate_browsepaths(
        self,
        caller: Caller,
        paths: list[ua.BrowsePath],
        go_on: GoOn[list[ua.BrowsePath], list[ua.BrowsePathResult]],
    ) -> list[ua.BrowsePathResult]:
        """Find nodes by their path, which may begin at any node."""
        answer: list[Any] = []
        for path in paths:
            found = await self._follow(self._scope(caller), path, go_on)
            answer += [found] if found is not None else await super().translate_browsepaths(caller, [path], go_on)
        return answer

    async def _follow(
        self, scope: Scope, path: ua.BrowsePath, go_on: GoOn[list[ua.BrowsePath], list[ua.BrowsePathResult]]
    ) -> ua.BrowsePathResult | None:
        """Return the topic at the end of a path; None for a path that leads to no topic."""
        start, elements = path.StartingNode, path.RelativePath.Elements or []
        if start.NamespaceIndex != naming.NAMESPACE:
            names = [element.TargetName for element in elements[:-1]]
            if naming.ROOT_NAME not in names:
                return None
            split = names.index(naming.ROOT_NAME) + 1
            (found,) = await go_on([ua.BrowsePath(start, ua.RelativePath(elements[:split]))])
            if not found.Targets or found.Targets[0].TargetId != naming.ROOT:
                return None
            start, elements = naming.ROOT, elements[split:]
        return await self._topics.follow(scope, start, elements)

    async def create_monitored_items(
        self,
        caller: Caller,
        params: ua.CreateMonitoredItemsParameters,
        go_on: GoOn[ua.CreateMonitoredItemsParameters, list[ua.MonitoredItemCreateResult]],
    ) -> list[ua.MonitoredItemCreateResult]:
        """Monitor nodes; the topics among them are known before."""
        scope = self._scope(caller)
        asked = [naming.place(one.ItemToMonitor.NodeId) for one in params.ItemsToCreate if _is_topic(one)]
        topics = list(dict.fromkeys(topic for topic in asked if topic and scope.may_read(topic)))
        try:
            if topics:
                await self._watches.prepare(topics)
            return await super().create_monitored_items(caller, params, go_on)
        finally:
            self._watches.settle(topics)

    def make_items(self, subscription: Subscription, reader: Reader) -> TopicItems:
        """Return the service for the items of a subscription."""
        return TopicItems(subscription, self._server.iserver.aspace, reader, self._watches)


def _is_topic(request: ua.MonitoredItemCreateRequest) -> bool:
    return naming.is_ours(request.ItemToMonitor.NodeId)


def _node_id(asked: Any) -> ua.NodeId:
    node_id: ua.NodeId = asked.NodeId
    return node_id


async def _by_kind(
    asked: list[_Asked],
    node_id: Callable[[_Asked], ua.NodeId],
    own: Callable[[list[_Asked]], Awaitable[list[_Answer]]],
    others: Callable[[list[_Asked]], Awaitable[list[_Answer]]],
) -> list[_Answer]:
    """Have what concerns topics answered by one, and everything else by another, in the order of what was asked."""
    is_own = [naming.is_ours(node_id(one)) for one in asked]
    if not any(is_own):
        return await others(asked)
    rest = [one for one, mine in zip(asked, is_own, strict=True) if not mine]
    elsewhere = iter(await others(rest) if rest else ())
    here = iter(await own([one for one, mine in zip(asked, is_own, strict=True) if mine]))
    return [next(here if mine else elsewhere) for mine in is_own]


async def _chained(first: Any, rest: AsyncIterator[ua.ReferenceDescription]) -> AsyncIterator[ua.ReferenceDescription]:
    for one in first:
        yield one
    async for one in rest:
        yield one
