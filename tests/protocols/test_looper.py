"""A thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from protocols.looper import Looper
from tests.support.processes import wait_until


@pytest.fixture
def looper():
    made = Looper("test")
    made.start()
    yield made
    made.stop(20)
    assert not made._thread.is_alive()


def test_a_coroutine_runs_on_the_loops_own_thread(looper):
    async def where() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert looper.run(where(), 20) == "test"


def test_what_a_coroutine_raises_reaches_the_caller(looper):
    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        looper.run(fail(), 20)


def test_a_coroutine_that_takes_too_long_is_given_up(looper):
    with pytest.raises(TimeoutError):
        looper.run(asyncio.sleep(60), 0.05)


def test_a_call_returns_at_once_and_is_made_on_the_loop(looper):
    names: list[str] = []
    looper.call(lambda: names.append(threading.current_thread().name))
    wait_until(lambda: names == ["test"])


def test_a_loop_that_answers_pings_is_alive(looper):
    assert looper.ping()
    for _ in range(3):
        wait_until(lambda: looper._answered)
        assert looper.ping()


def test_a_loop_that_is_stuck_does_not_answer_and_is_alive_again_afterwards(looper):
    held = threading.Event()
    looper.call(lambda: held.wait(20))
    assert looper.ping()
    assert not looper.ping()
    held.set()
    wait_until(looper.ping)


def test_a_loop_that_ended_is_not_alive():
    looper = Looper("ended")
    looper.start()
    looper.stop(2)
    assert not looper.ping()
