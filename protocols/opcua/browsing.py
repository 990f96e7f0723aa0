"""Browse and BrowseNext in pieces (OPC 10000-4, section 5.9.3): stock asyncua answers with all references at once."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from asyncua import ua

from protocols.opcua.limits import Limits

_Codes = ua.StatusCodes
Browse = Callable[[ua.BrowseParameters], Awaitable[list[ua.BrowseResult]]]


class Pages:
    """What one session has not been told yet of the nodes that it browsed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[bytes, tuple[list[ua.ReferenceDescription], int]] = {}

    async def browse(self, params: ua.BrowseParameters, whole: Browse) -> list[ua.BrowseResult]:
        """Browse node by node, so that what is found never piles up."""
        left = self._limits.references
        results = []
        for node in params.NodesToBrowse:
            (found,) = await whole(ua.BrowseParameters(View=params.View, NodesToBrowse=[node]))
            asked = params.RequestedMaxReferencesPerNode or left
            cut = self._cut(found.References, min(asked, left), asked, found.StatusCode)
            left -= len(cut.References)
            results.append(cut)
        return results

    def next(self, params: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        """Go on, or let go."""
        left = self._limits.references
        results = []
        for point in params.ContinuationPoints:
            waiting = self._waiting.pop(bytes(point or b""), None)
            if waiting is None:
                results.append(ua.BrowseResult(StatusCode=ua.StatusCode(_Codes.BadContinuationPointInvalid)))
            elif params.ReleaseContinuationPoints:
                results.append(ua.BrowseResult())
            else:
                references, asked = waiting
                cut = self._cut(references, min(asked, left), asked, ua.StatusCode())
                left -= len(cut.References)
                results.append(cut)
        return results

    def _cut(
        self, references: list[ua.ReferenceDescription], most: int, asked: int, code: ua.StatusCode
    ) -> ua.BrowseResult:
        """Return the first references, and keep the others."""
        if len(references) <= most:
            return ua.BrowseResult(StatusCode=code, References=references)
        if len(self._waiting) >= self._limits.continuation_points:
            return ua.BrowseResult(StatusCode=ua.StatusCode(_Codes.BadNoContinuationPoints))
        point = os.urandom(8)
        self._waiting[point] = references[most:], asked
        return ua.BrowseResult(StatusCode=code, ContinuationPoint=point, References=references[:most])
