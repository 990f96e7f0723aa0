"""The Publish requests of one session, which wait until there is something to tell (OPC 10000-4, 5.14.5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from asyncua import ua

from protocols.opcua.room import POINTER, REQUEST, Room

_Codes = ua.StatusCodes


@dataclass(frozen=True, slots=True)
class Parked:
    """What the answer needs of a request, and nothing else of what came with it."""

    handle: int
    sequence: ua.SequenceHeader
    results: list[ua.StatusCode]  # of what it acknowledged
    expires: float  # by the loop's time; endless if the client does not say

    @property
    def size(self) -> int:
        return REQUEST + POINTER * len(self.results)


class ParkedRequests:
    """The requests, the oldest first; `refuse` answers one with a StatusCode."""

    def __init__(self, refuse: Callable[[Parked, int], None]) -> None:
        self._refuse = refuse
        self._requests: deque[Parked] = deque()
        self._room: Room | None = None

    def __len__(self) -> int:
        return len(self._requests)

    def park(self, request: Parked, room: Room, most: int, now: float) -> None:
        """Keep a request: beyond so many, or without room, the oldest goes for it, or one that has expired."""
        self._room = room
        while self._requests and (len(self) >= most or not room.has(request.size)):
            self._make_way(now)
        if room.take(request.size):
            self._requests.append(request)
        else:
            self._refuse(request, _Codes.BadTooManyPublishRequests)

    def take(self, now: float) -> Parked | None:
        """Return the oldest request that has not expired."""
        while self._requests:
            found = self._pop(0)
            if now < found.expires:
                return found
            self._refuse(found, _Codes.BadTimeout)
        return None

    def clear(self) -> None:
        """Answer none of them."""
        while self._requests:
            self._pop(0)

    def _make_way(self, now: float) -> None:
        expired = next((place for place, one in enumerate(self._requests) if now >= one.expires), None)
        found = self._pop(expired or 0)
        self._refuse(found, _Codes.BadTooManyPublishRequests if expired is None else _Codes.BadTimeout)

    def _pop(self, place: int) -> Parked:
        found = self._requests[place]
        del self._requests[place]
        if self._room is not None:
            self._room.give(found.size)
        return found
