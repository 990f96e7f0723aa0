"""An event loop in a thread, for libraries that need one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from edge_connector.errors import TimedOut

T = TypeVar("T")


class Loop:
    """Runs coroutines for threads that wait for them; the thread is made with the first."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"loop-{name}", daemon=True)
        self._lock = threading.Lock()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have a coroutine run, without waiting for it."""
        with self._lock:
            if not self._thread.is_alive():
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Return what comes of a coroutine, which is cancelled after a time.  Raises `TimedOut`."""
        future = self.begin(work)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise TimedOut(f"there was no answer within {seconds:g} s") from None

    def stop(self) -> None:
        """Cancel what is under way, and end."""
        if self._thread.is_alive():
            with contextlib.suppress(TimedOut):
                self.run(_ended(), 3)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()


async def _ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # a connection that was closed just now ends a turn later
