"""The loop waits awake where messages follow each other closely, for a moment, and sleeps otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.mqtt.awake import CREDIT, LONGEST, PRICE, REST, BusyPoll

SECONDS = 100e-6


class Loop:
    """Turns of a loop that take a microsecond each; counts how often others were let in."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.time = 50.0
        self.yields = 0
        self._soon: list[Callable[[], None]] = []
        self.poll = BusyPoll(seconds, self._soon.append, lambda: self.time, self._give_way)

    def _give_way(self) -> None:
        self.yields += 1

    def message(self, after: float = 0.0) -> None:
        self.time += after
        self.poll.passed_on()

    @property
    def sleeps(self) -> bool:
        assert len(self._soon) <= 1, "it is asked for once"
        return not self._soon

    def turns(self, most: int = 1_000) -> int:
        """Go on until it sleeps, and return after how many turns it did."""
        for count in range(most):
            if self.sleeps:
                return count
            self.time += 1e-6
            self._soon.pop()()
        raise AssertionError("it never sleeps")


def test_a_message_now_and_then_lets_the_loop_sleep() -> None:
    loop = Loop()
    for _ in range(5):
        loop.message(after=SECONDS * 1.01)
        assert loop.sleeps


def test_after_two_that_come_closely_it_stays_awake_for_a_moment() -> None:
    loop = Loop()
    loop.message()
    loop.message(after=SECONDS / 2)
    assert loop.turns() == pytest.approx(100, abs=2)
    assert loop.yields == pytest.approx(100, abs=2), "others are let in"


def test_each_further_message_keeps_it_awake() -> None:
    loop = Loop()
    loop.message()
    for _ in range(PRICE + 1):
        loop.message(after=SECONDS / 2)
        assert not loop.sleeps
    assert loop.turns() == pytest.approx(100, abs=2)
    loop.message(after=1.0)
    assert loop.sleeps


def wait_for(loop: Loop, messages: int) -> None:
    """Have it wait awake, and so many messages come meanwhile."""
    for _ in range(messages + 2):
        loop.message(after=SECONDS / 2)
    assert loop.turns() > 0
    loop.time += SECONDS


@pytest.mark.parametrize(("messages", "rests"), [(PRICE - 1, True), (PRICE, False)])
def test_where_few_messages_follow_it_sleeps_for_a_while_before_it_tries_again(messages: int, rests: bool) -> None:
    loop = Loop()
    wait_for(loop, messages)
    for _ in range(2):
        loop.message(after=SECONDS / 2)
    assert loop.sleeps == rests
    loop.turns()
    loop.message(after=REST)
    loop.message(after=SECONDS / 2)
    assert not loop.sleeps


def test_many_messages_make_up_for_some_waits_in_vain() -> None:
    loop = Loop()
    wait_for(loop, 1_000)
    for _ in range(CREDIT // PRICE):
        wait_for(loop, 0)
    wait_for(loop, 0)  # one too many
    loop.message()
    loop.message()
    assert loop.sleeps


def test_each_rest_is_longer_until_waiting_was_worth_it() -> None:
    loop = Loop()
    for rest in (REST, 2 * REST, 4 * REST):
        loop.message(after=LONGEST)
        wait_for(loop, 0)
        loop.message(after=rest - 0.001)
        loop.message()
        assert loop.sleeps
    loop.message(after=LONGEST)
    wait_for(loop, 100)
    for _ in range(CREDIT // PRICE + 1):
        wait_for(loop, 0)
    loop.message(after=REST)
    loop.message()
    assert not loop.sleeps


def test_it_can_be_turned_off() -> None:
    loop = Loop(0)
    loop.message()
    loop.message()
    assert loop.sleeps
