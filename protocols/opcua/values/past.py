"""HistoryRead of integrations' nodes: raw values (Part 11, 6.5.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asyncua import ua

from protocols.opcua.values import history, management, naming, ranges
from protocols.opcua.values.errors import Refused
from protocols.opcua.values.limits import ValueLimits
from protocols.opcua.values.reader import Reader


async def read(
    reader: Callable[[], Reader],
    params: ua.HistoryReadParameters,
    limits: ValueLimits,
    give_turn: Callable[[], Awaitable[None]],
) -> list[ua.HistoryReadResult]:
    """Return the last values of each node; all nodes of one answer share its room."""
    room = limits.history_answer_bytes
    results = []
    for asked in params.NodesToRead:
        await give_turn()
        try:
            result, size = _read_one(reader(), asked, params, limits, room)
        except Refused as refused:
            result, size = ua.HistoryReadResult(ua.StatusCode(refused.code)), 0
        room = max(room - size, 0)
        results.append(result)
    return results


def _read_one(
    reader: Reader, asked: ua.HistoryReadValueId, params: ua.HistoryReadParameters, limits: ValueLimits, room: int
) -> tuple[ua.HistoryReadResult, int]:
    if asked.NodeId.NamespaceIndex != naming.NAMESPACE:
        raise Refused(ua.StatusCodes.BadHistoryOperationUnsupported)
    node = management.find(reader, asked.NodeId)
    if node is None:
        raise Refused(ua.StatusCodes.BadNodeIdUnknown)
    if not node.is_variable:
        raise Refused(ua.StatusCodes.BadHistoryOperationUnsupported)
    if not reader.may_read(node):
        raise Refused(ua.StatusCodes.BadUserAccessDenied)
    return answer(node.ring, asked, params, limits, room)


def answer(
    ring: history.Ring | None,
    asked: ua.HistoryReadValueId,
    params: ua.HistoryReadParameters,
    limits: ValueLimits,
    room: int,
) -> tuple[ua.HistoryReadResult, int]:
    """Return what is asked for of a history that may be read, and how many bytes it has; raise Refused."""
    if params.TimestampsToReturn == ua.TimestampsToReturn.Neither:
        raise Refused(ua.StatusCodes.BadTimestampsToReturnInvalid)
    wanted = _question(params.HistoryReadDetails, asked.ContinuationPoint, limits, room)
    if params.ReleaseContinuationPoints:
        return ua.HistoryReadResult(), 0  # nothing is kept for them
    found = history.select(ring, wanted)
    values = [ranges.shown(value, asked.IndexRange, params.TimestampsToReturn) for value in found.values]
    return ua.HistoryReadResult(ContinuationPoint=found.more, HistoryData=ua.HistoryData(values)), found.bytes


def _question(details: Any, after: bytes | None, limits: ValueLimits, room: int) -> history.Question:
    if not isinstance(details, ua.ReadRawModifiedDetails) or details.IsReadModified:
        raise Refused(ua.StatusCodes.BadHistoryOperationUnsupported)
    most = min(details.NumValuesPerNode or limits.history_answer, limits.history_answer)
    return history.Question(details.StartTime, details.EndTime, most, room, after or None)
