"""What a client of VRPC sent is acknowledged at TCP when no answer comes that could take that along."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import cast

import pytest

from protocols.mqtt.hurry import PATIENCE, Hurry

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
    return Hurry(clock.later)


def hear(hurry: Hurry, *transports: Transport) -> None:
    for one in transports:
        hurry.heard(one)  # type: ignore[arg-type]


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
    hear(hurry, answered, waiting)
    hurry.answered(answered)  # type: ignore[arg-type]
    clock.look()
    hear(hurry, answered)
    clock.look()
    assert answered.options == [] and waiting.options == [ACKNOWLEDGE]


def test_it_looks_as_long_as_somebody_waits_and_again_when_somebody_does(hurry: Hurry, clock: Clock) -> None:
    transport = Transport()
    assert clock.is_still
    hear(hurry, transport)
    hurry.answered(transport)  # type: ignore[arg-type]
    clock.look()
    assert clock.is_still
    hear(hurry, transport)
    clock.look()
    clock.look()
    assert transport.options == [ACKNOWLEDGE]


def test_a_client_that_leaves_is_no_trouble_to_others(hurry: Hurry, clock: Clock) -> None:
    leaving, gone, there = Transport(closing=True), Transport(fault=OSError("bad file descriptor")), Transport()
    hear(hurry, leaving, gone, there)
    clock.look()
    clock.look()
    assert leaving.options == [] and there.options == [ACKNOWLEDGE]
    assert clock.is_still
