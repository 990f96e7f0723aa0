"""When each subscription publishes, and the end of those that are over: in turns, so that others have theirs.

A thousand timers of their own that are due at once would all be served before anybody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from protocols.opcua.steps import DONE, go_on, next_step
from protocols.opcua.subscription import Subscription
from protocols.opcua.turns import Turns

_STEP = 8  # that are let go of before the time is looked at
_SHARE = 0.002  # seconds of each turn of the loop


class Publisher:
    """One task for all subscriptions; `fail` is told of what should not happen."""

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._fail = fail
        self._due: deque[Subscription] = deque()
        self._over: deque[Iterator[None]] = deque()
        self._called = asyncio.Event()
        self._turns = Turns(lambda: False, _SHARE)
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin, on the loop that runs."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work())

    async def stop(self) -> None:
        """End; what is over is let go of before."""
        if self._task is not None:
            self._tasks.add(self._task)
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            self._task = None
        while self._over:
            for _ in self._over.popleft():
                pass

    def add(self, subscription: Subscription) -> None:
        """Publish from now on."""
        self._call(subscription)

    def end(self, subscription: Subscription) -> None:
        """Publish no more, and let go of what it keeps."""
        subscription.end()
        self._over.append(subscription.remains())
        self._called.set()

    def _call(self, subscription: Subscription) -> None:
        self._due.append(subscription)
        self._called.set()

    async def _work(self) -> None:
        while True:
            await self._called.wait()
            self._called.clear()
            await self._publish()
            await self._let_go()
            if self._due or self._over:
                self._called.set()

    async def _publish(self) -> None:
        """Let each publish that is due now."""
        for _ in range(len(self._due)):
            subscription = self._due.popleft()
            if subscription.is_over:
                continue
            if not subscription.has_more:
                at = subscription.next_at(self._loop.time())
                subscription.timer = self._loop.call_at(at, self._call, subscription)
            subscription.has_more = True
            while subscription.has_more:
                work = self._answer(subscription)
                waits_for = next_step(work)
                if waits_for is not DONE:
                    self._leave(subscription, work, waits_for)
                await self._turns.give()

    async def _answer(self, subscription: Subscription) -> None:
        """Publish one answer."""
        subscription.has_more = False
        try:
            subscription.has_more = await subscription.publish_results() and subscription.waits
        except Exception as error:
            self._fail(error)

    def _leave(self, subscription: Subscription, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
        """Let a long answer be encoded beside the loop, and see to the others meanwhile."""

        async def rest() -> None:
            await go_on(work, waits_for)
            if subscription.has_more:
                self._call(subscription)

        task = self._loop.create_task(rest())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _let_go(self) -> None:
        """Let go of some of what is over, until somebody is due."""
        while self._over and not self._due:
            for _ in range(_STEP):
                if next(self._over[0], self) is self:
                    self._over.popleft()
                    break
            await self._turns.give()
