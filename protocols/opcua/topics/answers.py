"""What clients read of topics, and write to them: each service asks the hub once for all that it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from asyncua import ua

from protocols.linking import Away
from protocols.opcua.topics import attributes, naming, views
from protocols.opcua.topics.attributes import Place
from protocols.opcua.topics.hub import HubLink, Told
from protocols.opcua.topics.outbox import Outgoing
from protocols.opcua.topics.scope import Scope
from protocols.opcua.topics.telling import NO_ANSWER, size_of, value_of
from protocols.opcua.values import history, kinds, payloads, ranges, reading
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.past import answer

_BAD = 0x80000000
_Codes = ua.StatusCodes
_ALL = ua.Index(0xFFFFFFFF)  # the whole path led to the target
_GOOD = ua.StatusCode()


class Topics:
    """Reads and writes topics for one session at a time."""

    def __init__(self, hub: HubLink, clock: Callable[[], datetime], limits: ValueLimits) -> None:
        self._hub = hub
        self._clock = clock
        self._limits = limits

    async def read(self, scope: Scope, asked: list[ua.ReadValueId], times: ua.TimestampsToReturn) -> list[ua.DataValue]:
        """Read attributes."""
        topics = [naming.place(one.NodeId) for one in asked]
        try:
            places = await self._places(scope, list(dict.fromkeys(one for one in topics if one is not None)))
        except Away:
            return [NO_ANSWER for _ in asked]
        return [
            self._read(scope, places.get(topic) if topic is not None else None, one, times)
            for topic, one in zip(topics, asked, strict=True)
        ]

    def _read(
        self, scope: Scope, place: Place | None, asked: ua.ReadValueId, times: ua.TimestampsToReturn
    ) -> ua.DataValue:
        if place is None:
            return ua.DataValue(StatusCode=ua.StatusCode(_Codes.BadNodeIdUnknown))
        try:
            reading.check(asked)
        except Refused as refused:
            return ua.DataValue(StatusCode=ua.StatusCode(refused.code))
        return ranges.shown(attributes.read(place, asked.AttributeId, scope), asked.IndexRange, times)

    async def _places(self, scope: Scope, topics: list[str]) -> dict[str, Place]:
        """Return the places that exist, as far as they may be seen; raise Away."""
        now = self._clock()
        found = await self._hub.look(topics, scope)
        return {
            topic: Place(topic, value_of(told, now) if told is not None else None)
            for topic, (told, has_more) in zip(topics, found, strict=True)
            if told is not None or has_more
        }

    async def write(self, scope: Scope, asked: ua.WriteValue) -> ua.StatusCode:
        """Publish on a topic, which need not exist."""
        try:
            message = self._message(scope, asked)
            await self._hub.publish(message)
        except Refused as refused:
            return ua.StatusCode(refused.code)
        except Away:
            return ua.StatusCode(_Codes.BadNoCommunication)
        return _GOOD

    def _message(self, scope: Scope, asked: ua.WriteValue) -> Outgoing:
        topic, value = naming.place(asked.NodeId), asked.Value
        if not topic:
            raise Refused(_Codes.BadNodeIdUnknown)
        if not scope.may_write(topic):
            raise Refused(_Codes.BadUserAccessDenied)
        if asked.AttributeId != ua.AttributeIds.Value:
            raise Refused(_Codes.BadNotWritable)
        if asked.IndexRange or value.Value is None or (value.StatusCode is not None and value.StatusCode.value & _BAD):
            raise Refused(_Codes.BadWriteNotSupported)
        kinds.kind_of(value.Value)
        if kinds.measure(value.Value) > self._limits.value_bytes:
            raise Refused(_Codes.BadOutOfRange)
        return Outgoing(topic, payloads.dump(value.Value), scope.grant.integration_id, 0)

    async def past(
        self, scope: Scope, asked: list[ua.HistoryReadValueId], params: ua.HistoryReadParameters
    ) -> list[ua.HistoryReadResult]:
        """Return the last values of each topic; all of one answer share its room."""
        room = self._limits.history_answer_bytes
        results = []
        for one in asked:
            try:
                result, size = answer(await self._ring(scope, one.NodeId), one, params, self._limits, room)
            except Refused as refused:
                result, size = ua.HistoryReadResult(ua.StatusCode(refused.code)), 0
            except Away:
                result, size = ua.HistoryReadResult(ua.StatusCode(_Codes.BadNoCommunication)), 0
            room = max(room - size, 0)
            results.append(result)
        return results

    async def _ring(self, scope: Scope, node_id: ua.NodeId) -> history.Ring:
        topic = naming.place(node_id)
        if not topic or not scope.may_read(topic):
            raise Refused(_Codes.BadNodeIdUnknown)
        messages = await self._hub.history(topic)
        if not messages:
            raise Refused(_Codes.BadNodeIdUnknown)
        ring = history.Ring()
        ring.entries.extend(map(self._entry, messages))
        return ring

    def _entry(self, told: Told) -> history.Entry:
        value = value_of(told, self._clock())
        return history.pack(told.number, value, size_of(value) + history.COST)

    async def follow(
        self, scope: Scope, start: ua.NodeId, elements: list[ua.RelativePathElement]
    ) -> ua.BrowsePathResult:
        """Return the place at the end of a path that leads downwards."""
        begin = naming.place(start) if start != naming.ROOT else None
        if not elements:
            return ua.BrowsePathResult(ua.StatusCode(_Codes.BadNothingToDo))
        if begin is None and start != naming.ROOT:
            return ua.BrowsePathResult(ua.StatusCode(_Codes.BadNodeIdUnknown))
        target = views.target(begin, elements)
        try:
            places = await self._places(scope, [target] if target is not None else [])
        except Away:
            return ua.BrowsePathResult(ua.StatusCode(_Codes.BadNoCommunication))
        if target is None or target not in places:
            return ua.BrowsePathResult(ua.StatusCode(_Codes.BadNoMatch))
        return ua.BrowsePathResult(Targets=[ua.BrowsePathTarget(naming.node_id(target), _ALL)])
