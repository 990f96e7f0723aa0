"""A coroutine that is run at once goes on as a task from where it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from protocols.opcua.steps import DONE, go_on, next_step


def test_what_waits_for_nothing_is_done_at_once() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("done")

    assert next_step(work()) is DONE
    assert seen == ["done"]


def test_what_waits_goes_on_in_a_task(new_loop: Callable[[], Any]) -> None:
    seen: list[object] = []

    async def work(future: asyncio.Future[str]) -> None:
        await asyncio.sleep(0)
        seen.append(await future)
        await asyncio.sleep(0.001)
        seen.append("end")

    async def main() -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        begun = work(future)
        task = asyncio.create_task(go_on(begun, next_step(begun)))
        await asyncio.sleep(0.001)
        future.set_result("there")
        await task

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert seen == ["there", "end"]


def test_a_cancellation_and_an_error_reach_what_waits(new_loop: Callable[[], Any]) -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise LookupError("of its own") from None

    async def main() -> None:
        begun = work()
        task = asyncio.create_task(go_on(begun, next_step(begun)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(LookupError):
            await task

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    assert seen == ["cancelled"]
