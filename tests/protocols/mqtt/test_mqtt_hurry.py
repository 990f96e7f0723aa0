"""What a client of VRPC sent is acknowledged at TCP when no answer comes that could take that along."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from protocols.mqtt.hurry import PATIENCE, WHILE, Hurry


class Sender:
    """A connection that counts what is acknowledged, and behaves as its socket does for `Hurry`."""

    def __init__(self, *, fault: OSError | None = None) -> None:
        self.sent = 4  # CONNACK
        self.acknowledged = 0
        self.heard_at = -1
        self._fault = fault

    def acknowledge(self) -> None:
        self.acknowledged += 1
        if self._fault is not None:
            raise self._fault


class Clock:
    """Calls what is due later when a test says so."""

    def __init__(self) -> None:
        self.time = 100.0
        self._due: list[Callable[[], None]] = []

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        assert seconds == PATIENCE
        self._due.append(act)

    def look(self) -> None:
        (act,) = self._due
        self._due.clear()
        act()

    @property
    def is_still(self) -> bool:
        return not self._due


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hurry(clock: Clock) -> Hurry:
    return Hurry(clock.later, lambda: clock.time)


def hear(hurry: Hurry, *senders: Sender) -> None:
    """Tell of messages as `protocols.mqtt.shell.Shell` does."""
    for one in senders:
        if one.sent == one.heard_at:
            hurry.heard_again(one)
        elif one in hurry.hasty:
            hurry.heard(one)
        one.heard_at = one.sent


def answer(sender: Sender) -> None:
    sender.sent += 2


def test_who_gets_an_answer_each_time_is_not_looked_after(hurry: Hurry, clock: Clock) -> None:
    one, other = Sender(), Sender()
    for _ in range(3):
        hear(hurry, one, other)
        answer(other)
        answer(one)
    assert clock.is_still


def test_what_has_waited_for_a_whole_look_is_acknowledged_once(hurry: Hurry, clock: Clock) -> None:
    sender = Sender()
    hear(hurry, sender, sender)
    clock.look()
    assert sender.acknowledged == 0, "it may have come a moment ago"
    clock.look()
    assert sender.acknowledged == 1
    assert clock.is_still


def test_an_answer_takes_it_along(hurry: Hurry, clock: Clock) -> None:
    answered, waiting = Sender(), Sender()
    hear(hurry, answered, answered, waiting, waiting)
    answer(answered)
    clock.look()
    hear(hurry, answered)
    clock.look()
    assert not answered.acknowledged and waiting.acknowledged == 1


def test_who_has_sent_twice_is_looked_after_from_its_first_message_on_for_a_while(hurry: Hurry, clock: Clock) -> None:
    sender = Sender()
    hear(hurry, sender, sender)
    answer(sender)
    clock.look()
    assert clock.is_still
    clock.time += WHILE
    hear(hurry, sender)
    clock.look()
    clock.look()
    assert sender.acknowledged == 1
    answer(sender)
    clock.time += 0.001
    hear(hurry, sender)
    assert clock.is_still


def test_what_had_to_be_acknowledged_and_was_followed_by_more_counts_as_sent_twice(hurry: Hurry, clock: Clock) -> None:
    sender = Sender()
    for _ in range(5):
        clock.time += WHILE
        hear(hurry, sender, sender)
        clock.look()
        clock.look()
        answer(sender)
        hear(hurry, sender)
        clock.look()
        clock.look()
    assert sender.acknowledged == 10


def test_a_client_that_has_gone_is_no_trouble_to_others(hurry: Hurry, clock: Clock) -> None:
    gone, there = Sender(fault=OSError("bad file descriptor")), Sender()
    hear(hurry, *(gone, there) * 2)
    clock.look()
    clock.look()
    assert gone.acknowledged == there.acknowledged == 1
    assert clock.is_still


def test_nothing_is_kept_of_a_client_that_has_left(hurry: Hurry, clock: Clock) -> None:
    sender = Sender()
    hear(hurry, sender, sender)
    hurry.lost(sender)
    clock.look()
    assert clock.is_still and not hurry.hasty and not sender.acknowledged
