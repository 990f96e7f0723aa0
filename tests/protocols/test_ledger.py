"""What is counted by integration until the database is told."""

from __future__ import annotations

import pytest

from protocols.contract import Traffic
from protocols.ledger import Ledger, OnlineTimes


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def times(clock) -> OnlineTimes:
    return OnlineTimes(clock)


def test_an_integration_is_online_from_its_first_connection_to_the_end_of_its_last(times, clock):
    times.opened(7)
    clock.now += 10
    times.opened(7)
    clock.now += 10
    times.closed(7)
    clock.now += 10
    times.closed(7)
    clock.now += 10
    assert times.take() == {7: 30.0}
    assert times.take() == {}


def test_what_is_open_is_counted_up_to_now_and_then_anew(times, clock):
    times.opened(7)
    clock.now += 60
    assert times.take() == {7: 60.0}
    clock.now += 15
    times.closed(7)
    times.opened(7)
    clock.now += 5
    assert times.take() == {7: 20.0}


def test_integrations_are_counted_apart(times, clock):
    times.opened(7)
    clock.now += 1
    times.opened(8)
    clock.now += 1
    assert times.take() == {7: 2.0, 8: 1.0}


def test_a_ledger_adds_up_until_it_is_cleared():
    ledger = Ledger()
    ledger.add({7: Traffic(1, 2, 3, 4), 8: Traffic(1, 0, 9, 0)}, {})
    ledger.add({7: Traffic(10, 20, 30, 40)}, {7: 1.5, 9: 60.0})
    assert sorted(ledger.rows()) == [(7, 11, 22, 33, 44, 1500), (8, 1, 0, 9, 0, 0), (9, 0, 0, 0, 0, 60_000)]
    ledger.clear()
    assert ledger.rows() == []
