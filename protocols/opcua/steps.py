"""Run a coroutine at once, and as a task only from where it waits on; as eager tasks do from Python 3.12 on."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

DONE = object()


def next_step(work: Coroutine[Any, Any, None], error: BaseException | None = None) -> Any:
    """Let it run until it waits; return what it waits for, or DONE."""
    try:
        return work.send(None) if error is None else work.throw(error)
    except StopIteration:
        return DONE


async def go_on(work: Coroutine[Any, Any, None], waits_for: Any) -> None:
    """Await a coroutine that has begun."""
    await _rest(work, waits_for)


@coroutine
def _rest(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    while waits_for is not DONE:
        try:
            yield waits_for
        except BaseException as error:  # a cancellation too is for whom it waits
            waits_for = next_step(work, error)
        else:
            waits_for = next_step(work)
