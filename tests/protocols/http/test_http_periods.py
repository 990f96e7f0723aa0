"""When an integration is online over HTTP."""

from __future__ import annotations

import pytest
from http_wire import Recorder

from protocols.contract import Grant, Login
from protocols.http.limits import Limits
from protocols.http.periods import CROWDED, IDLE, Periods
from protocols.tally import Counts, Tally

ADA = Grant(1, "ada")


def login(address: str = "192.0.2.1", username: str = "ada") -> Login:
    return Login("http", username, b"right", "curl", address, "1.1", "http")


class Held:
    filters = ("a",)
    dropped = 3
    cuts = 0

    def cut(self) -> None:
        self.cuts += 1


@pytest.fixture
def presence() -> Recorder:
    return Recorder()


@pytest.fixture
def periods(presence: Recorder) -> Periods:
    return Periods(presence, Limits(online=60.0, periods_per_integration=3))


def test_a_period_begins_with_the_first_request_and_lasts_for_those_that_follow(periods, presence) -> None:
    first = periods.visit(ADA, login(), 10.0)
    for now in (11.0, 69.0, 128.0):
        periods.sweep(now)
        assert periods.visit(ADA, login(), now) is first
    assert presence.open == {"c1": login()}
    periods.sweep(187.9)
    assert presence.closed == []
    periods.sweep(188.0)
    periods.sweep(300.0)
    assert presence.closed == [("c1", IDLE)]
    assert first.is_over and list(periods) == []


def test_each_integration_has_a_period_for_each_address(periods, presence) -> None:
    periods.visit(ADA, login(), 0.0)
    periods.visit(ADA, login("192.0.2.2"), 30.0)
    periods.visit(Grant(2, "bob"), login(username="bob"), 0.0)
    periods.sweep(60.0)
    assert [one.address for one in presence.open.values()] == ["192.0.2.2"]


def test_a_stream_keeps_its_period_open_and_its_end_is_a_sign_of_life(periods, presence) -> None:
    period = periods.visit(ADA, login(), 0.0)
    held = Held()
    period.held[held] = None
    periods.sweep(1_000.0)
    assert presence.open
    periods.release(period, held, 1_000.0)
    assert period.dropped == 3
    periods.sweep(1_059.0)
    assert presence.open
    periods.sweep(1_060.0)
    assert presence.closed == [("c1", IDLE)]


def test_the_end_of_a_period_cuts_its_streams_and_the_next_request_begins_another(periods, presence) -> None:
    period = periods.visit(ADA, login(), 0.0)
    held = Held()
    period.held[held] = None
    periods.end(period, "integration deactivated")
    assert held.cuts == 1 and presence.closed == [("c1", "integration deactivated")]
    periods.release(period, held, 1.0)
    assert periods.visit(ADA, login(), 2.0) is not period
    assert list(presence.open) == ["c2"]


def test_of_too_many_addresses_the_longest_idle_one_goes(periods, presence) -> None:
    for number in range(3):
        periods.visit(ADA, login(f"192.0.2.{number}"), float(number))
    periods.visit(ADA, login("192.0.2.0"), 3.0)
    periods.visit(ADA, login("192.0.2.9"), 4.0)
    assert presence.closed == [("c2", CROWDED)]
    assert [one.address for one in presence.open.values()] == ["192.0.2.0", "192.0.2.2", "192.0.2.9"]


def test_a_single_place_is_taken_over(presence) -> None:
    periods = Periods(presence, Limits(periods_per_integration=1))
    periods.visit(ADA, login("192.0.2.1"), 0.0)
    periods.visit(ADA, login("192.0.2.2"), 0.0)
    assert [one.address for one in periods.of(1)] == ["192.0.2.2"]


def test_permissions_follow_what_is_told_and_what_a_request_was_granted(periods) -> None:
    period = periods.visit(ADA, login(), 0.0)
    assert period.may_read("a/b")
    periods.permit({1: Grant(1, "ada", subscribe=("b/#",)), 2: Grant(2, "bob")})
    assert period.may_read("b/c") and not period.may_read("a/b")
    periods.visit(Grant(1, "ada", subscribe=("%u",)), login(), 0.0)
    assert period.may_read("ada") and not period.may_read("b/c")


def test_what_is_counted_is_of_the_period_and_of_the_integration(periods) -> None:
    tally = Tally()
    for address in ("192.0.2.1", "192.0.2.2"):
        periods.visit(ADA, login(address), 0.0).add(Counts(1, 2, 3, 4), tally)
    assert [one.counts for one in periods.of(1)] == [Counts(1, 2, 3, 4)] * 2
    assert tally.total == Counts(2, 4, 6, 8)
