"""What a ticket is good for."""

from __future__ import annotations

from itertools import count

from http_wire import Recorder
from test_http_periods import ADA, login

from protocols.http.limits import Limits
from protocols.http.periods import Periods
from protocols.http.tickets import Tickets


def made(**limits: int) -> tuple[Tickets, Periods]:
    numbers = count(1)
    own = Limits(ticket=10.0, **limits)
    return Tickets(own, lambda: f"t{next(numbers)}"), Periods(Recorder(), own)


def test_a_ticket_is_good_once() -> None:
    tickets, periods = made()
    period = periods.visit(ADA, login(), 0.0)
    name = tickets.give(period, ["a", "b/#"], 0.0)
    taken = tickets.take(name, 9.9)
    assert taken is not None and taken.period is period and taken.filters == ("a", "b/#")
    assert tickets.take(name, 9.9) is None
    assert tickets.take("never given", 0.0) is None


def test_a_ticket_is_good_for_a_short_time_and_as_long_as_its_period() -> None:
    tickets, periods = made()
    period = periods.visit(ADA, login(), 0.0)
    late, ended = tickets.give(period, ["a"], 0.0), tickets.give(period, ["a"], 5.0)
    assert tickets.take(late, 10.0) is None
    periods.end(period, "integration deactivated")
    assert tickets.take(ended, 5.0) is None


def test_tickets_that_nobody_uses_are_forgotten_and_bounded() -> None:
    tickets, periods = made(tickets=2)
    period = periods.visit(ADA, login(), 0.0)
    names = [tickets.give(period, ["a"], now) for now in (0.0, 1.0, 2.0)]
    assert len(tickets) == 2 and tickets.take(names[0], 2.0) is None
    tickets.sweep(11.0)
    assert len(tickets) == 1 and tickets.take(names[2], 11.5) is not None
