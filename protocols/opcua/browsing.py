"""Browse and BrowseNext in pieces (OPC 10000-4, section 5.9.3): stock asyncua answers with all references at once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import chain, islice
from typing import Any

from asyncua import ua

from protocols.opcua.limits import Limits
from protocols.opcua.room import PAGE, Room
from protocols.opcua.turns import Turns

_Codes = ua.StatusCodes
_STEP = 50  # references that are made before the time is looked at
Browse = Callable[[ua.BrowseParameters], Awaitable[list[ua.BrowseResult]]]
References = Iterator[ua.ReferenceDescription] | AsyncIterator[ua.ReferenceDescription]


class Pages:
    """What one session has not been told yet of the nodes that it browsed: not made before it is asked for."""

    def __init__(self, limits: Limits, turns: Turns, room: Room) -> None:
        self._limits = limits
        self._turns = turns
        self._room = room
        self._waiting: dict[bytes, tuple[References, int]] = {}

    def forget(self) -> None:
        """Let go of what waits: it may not be told any more."""
        self._room.give(PAGE * len(self._waiting))
        self._waiting.clear()

    async def browse(self, params: ua.BrowseParameters, whole: Browse) -> list[ua.BrowseResult]:
        """Browse node by node, so that what is found never piles up."""
        left = self._limits.references
        results = []
        for node in params.NodesToBrowse:
            await self._turns.give()
            if left <= 0 and not self._has_room:  # whatever there is could neither be told nor wait
                results.append(_no_room())
                continue
            (found,) = await whole(ua.BrowseParameters(View=params.View, NodesToBrowse=[node]))
            asked = params.RequestedMaxReferencesPerNode or self._limits.references
            result, taken = await self._cut(_iterator(found.References), min(asked, left), asked, found.StatusCode)
            left -= taken
            results.append(result)
        return results

    async def next(self, params: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        """Go on, or let go."""
        left = self._limits.references
        results = []
        for point in params.ContinuationPoints:
            await self._turns.give()
            waiting = self._waiting.pop(bytes(point or b""), None)
            if waiting is None:
                results.append(ua.BrowseResult(StatusCode=ua.StatusCode(_Codes.BadContinuationPointInvalid)))
                continue
            self._room.give(PAGE)
            if params.ReleaseContinuationPoints:
                results.append(ua.BrowseResult())
            else:
                references, asked = waiting
                result, taken = await self._cut(references, min(asked, left), asked, ua.StatusCode())
                left -= taken
                results.append(result)
        return results

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) < self._limits.continuation_points and self._room.has(PAGE)

    async def _cut(
        self, references: References, most: int, asked: int, code: ua.StatusCode
    ) -> tuple[ua.BrowseResult, int]:
        """Return the first references, and keep the others; and how many were made, for a refusal costs as much."""
        taken: list[ua.ReferenceDescription] = []
        while len(taken) < most:
            before = len(taken)
            taken += await _next(references, min(_STEP, most - before))
            if len(taken) == before:
                return ua.BrowseResult(StatusCode=code, References=taken), before
            await self._turns.give()
        more = await _next(references, 1)
        if not more:
            return ua.BrowseResult(StatusCode=code, References=taken), len(taken)
        if not self._has_room or not self._room.take(PAGE):
            return _no_room(), len(taken)
        point = os.urandom(8)
        self._waiting[point] = _behind(more, references), asked
        return ua.BrowseResult(StatusCode=code, ContinuationPoint=point, References=taken), len(taken)


def _iterator(found: Any) -> References:
    return found if isinstance(found, AsyncIterator) else iter(found)


async def _next(references: References, most: int) -> list[ua.ReferenceDescription]:
    """Take the next references, which another process may have to be asked for."""
    if not isinstance(references, AsyncIterator):
        return list(islice(references, most))
    taken: list[ua.ReferenceDescription] = []
    while len(taken) < most and (one := await anext(references, None)) is not None:
        taken.append(one)
    return taken


def _behind(first: list[ua.ReferenceDescription], rest: References) -> References:
    """Return references with others before them."""
    return _all_behind(first, rest) if isinstance(rest, AsyncIterator) else chain(first, rest)


async def _all_behind(
    first: list[ua.ReferenceDescription], rest: AsyncIterator[ua.ReferenceDescription]
) -> AsyncIterator[ua.ReferenceDescription]:
    for one in first:
        yield one
    async for one in rest:
        yield one


def _no_room() -> ua.BrowseResult:
    return ua.BrowseResult(StatusCode=ua.StatusCode(_Codes.BadNoContinuationPoints))
