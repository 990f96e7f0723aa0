"""A long request gives everybody else their turn: the loop answers one thing at a time, and all of it in Python."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from asyncua import ua
from asyncua.common.utils import ServiceError

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

SHARE = 0.005  # seconds that a request may take before the others have their turn
STEP = 8  # operations after which the time is looked at


class Turns:
    """What the requests of one session take of the loop's time, or something else that takes long."""

    __slots__ = ("_is_over", "_share", "_since")

    def __init__(self, is_over: Callable[[], bool], share: float | None = None) -> None:
        self._is_over = is_over
        self._share = share
        self._since = monotonic()

    async def give(self) -> None:
        """Let the others go first, if it is their turn; raise ServiceError if the session has ended meanwhile."""
        if monotonic() - self._since < (SHARE if self._share is None else self._share):
            return
        await asyncio.sleep(0)
        self._since = monotonic()
        if self._is_over():
            raise ServiceError(ua.StatusCodes.BadSessionClosed)

    async def answer(
        self, asked: list[_Asked], service: Callable[[list[_Asked]], Awaitable[list[_Answer]]], step: int = STEP
    ) -> list[_Answer]:
        """Ask a service some operations at a time, in their order; return what it answers to all of them."""
        if len(asked) <= step:
            return await service(asked)
        answers: list[_Answer] = []
        for start in range(0, len(asked), step):
            await self.give()
            answers += await service(asked[start : start + step])
        return answers
