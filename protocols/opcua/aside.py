"""Long messages are decoded and encoded beside the loop: asyncua does either in one go, for up to a third of a second.

A thread is interrupted in favour of the loop as often as the interpreter changes threads.  There is one for all
messages, so that the loop has half of the time at least.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from protocols.opcua.limits import KIB

T = TypeVar("T")

LONG = 16 * KIB  # bytes, which take some milliseconds at the most


class Aside:
    """Does work of a size on the loop, or beside it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool = ThreadPoolExecutor(1, "opcua-codec")

    async def do(self, size: int, work: Callable[[], T]) -> T:
        """Return what the work returns, or raise what it raises; it must touch nothing that changes meanwhile."""
        if size < LONG:
            return work()
        return await self._loop.run_in_executor(self._pool, work)

    def stop(self) -> None:
        """End the thread, once it is done with what it does."""
        self._pool.shutdown(wait=False, cancel_futures=True)
