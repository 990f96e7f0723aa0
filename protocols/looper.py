"""A thread with an event loop of its own: each protocol server has one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop where it is installed (it has no wheel for every machine), else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Looper:
    """Runs an event loop in a thread; other threads hand it work."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop = new_event_loop()
        self._answered = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        """Run a coroutine on the loop, and wait for its result.  Raises what it raises, and TimeoutError."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the loop soon, without waiting."""
        self._loop.call_soon_threadsafe(function)

    def ping(self) -> bool:
        """Tell whether the loop has answered the last ping, and send it the next."""
        answered = self._answered and self._thread.is_alive()
        if answered:
            self._answered = False
            self.call(self._answer)
        return answered

    def stop(self, timeout: float) -> None:
        """Stop the loop and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)

    def _answer(self) -> None:
        self._answered = True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()
