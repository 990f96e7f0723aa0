"""What a client of VRPC sent is acknowledged at TCP when no answer comes that could take that along."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import cast

import pytest

from protocols.mqtt.hurry import PATIENCE, WHILE, Hurry

ACKNOWLEDGE = (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Transport:
    """A transport that is its own socket, and records what is set."""

    def __init__(self, *, closing: bool = False, fault: OSError | None = None) -> None:
        self.options: list[tuple[int, int, int]] = []
        self._closing = closing
        self._fault = fault

    def is_closing(self) -> bool:
        return self._closing

    def get_extra_info(self, name: str) -> Transport:
        assert name == "socket"
        return self

    def setsockopt(self, *option: int) -> None:
        self.options.append(cast(tuple[int, int, int], option))
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


def hear(hurry: Hurry, *transports: Transport) -> None:
    for one in transports:
        hurry.heard(one)  # type: ignore[arg-type]


def answer(hurry: Hurry, transport: Transport) -> None:
    hurry.answered(transport)  # type: ignore[arg-type]


def test_who_gets_an_answer_each_time_is_not_looked_after(hurry: Hurry, clock: Clock) -> None:
    one, other = Transport(), Transport()
    for _ in range(3):
        hear(hurry, one, other)
        answer(hurry, other)
        answer(hurry, one)
    assert clock.is_still


def test_what_has_waited_for_a_whole_look_is_acknowledged_once(hurry: Hurry, clock: Clock) -> None:
    transport = Transport()
    hear(hurry, transport, transport)
    clock.look()
    assert transport.options == [], "it may have come a moment ago"
    clock.look()
    assert transport.options == [ACKNOWLEDGE]
    assert clock.is_still


def test_an_answer_takes_it_along(hurry: Hurry, clock: Clock) -> None:
    answered, waiting = Transport(), Transport()
    hear(hurry, answered, answered, waiting, waiting)
    answer(hurry, answered)
    clock.look()
    hear(hurry, answered)
    clock.look()
    assert answered.options == [] and waiting.options == [ACKNOWLEDGE]


def test_who_has_sent_twice_is_looked_after_from_its_first_message_on_for_a_while(hurry: Hurry, clock: Clock) -> None:
    transport = Transport()
    hear(hurry, transport, transport)
    answer(hurry, transport)
    clock.look()
    assert clock.is_still
    clock.time += WHILE
    hear(hurry, transport)
    clock.look()
    clock.look()
    assert transport.options == [ACKNOWLEDGE]
    answer(hurry, transport)
    clock.time += 0.001
    hear(hurry, transport)
    assert clock.is_still


def test_what_had_to_be_acknowledged_and_was_followed_by_more_counts_as_sent_twice(hurry: Hurry, clock: Clock) -> None:
    transport = Transport()
    for _ in range(5):
        clock.time += WHILE
        hear(hurry, transport, transport)
        clock.look()
        clock.look()
        answer(hurry, transport)
        hear(hurry, transport)
        clock.look()
        clock.look()
    assert transport.options == [ACKNOWLEDGE] * 10


def test_a_client_that_leaves_is_no_trouble_to_others(hurry: Hurry, clock: Clock) -> None:
    leaving, gone, there = Transport(closing=True), Transport(fault=OSError("bad file descriptor")), Transport()
    hear(hurry, *(leaving, gone, there) * 2)
    clock.look()
    clock.look()
    assert leaving.options == [] and there.options == [ACKNOWLEDGE]
    assert clock.is_still


def test_nothing_is_kept_of_a_client_that_has_left(hurry: Hurry, clock: Clock) -> None:
    transport = Transport()
    hear(hurry, transport, transport)
    hurry.lost(transport)  # type: ignore[arg-type]
    clock.look()
    hear(hurry, transport)
    assert clock.is_still and transport.options == []
