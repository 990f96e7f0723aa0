"""Calls of agents' functions, without sockets: one answer each, and nothing is left of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_agents import DOMAIN, Agents, Outcome
from http_wire import Outlet, Recorder
from test_http_periods import login

from protocols.contract import Grant
from protocols.hits import Hits
from protocols.http.calls import Call, Calls, Order
from protocols.http.faults import FAILED
from protocols.http.limits import Limits
from protocols.http.periods import Periods
from protocols.tally import Tally

HEADERS = {"X-Content-Type-Options": "nosniff"}
TARGET = (DOMAIN, "press", "Press", "", "add")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Running:
    """Calls of one integration."""

    def __init__(self, **limits: int) -> None:
        self.known, self.tally, self.hits, self.limits = Agents(), Tally(), Hits(), Limits(**limits)
        self.calls = Calls(self.known, self.limits, self.hits, self.tally)
        self.periods = Periods(Recorder(), self.limits)
        self.period = self.periods.visit(Grant(1, "ada", domain=DOMAIN), login(), 0.0)

    def call(self, arguments: str = "[1, 2]", *, probes: bool = True) -> tuple[Call, Outlet]:
        outlet = Outlet()
        call = Call(self.calls, Order(self.calls, self.period, TARGET, arguments, 5.0), HEADERS, outlet, probes=probes)
        outlet.stream = call
        self.period.held[call] = None
        call.begin()
        return call, outlet

    def answered(self, outcome: Outcome) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body of the answer to a call that ends so."""
        call, outlet = self.call()
        self.known.answer(len(self.known.calls), outcome)
        assert outlet.end == "closed"
        call.end()
        return parsed(outlet.received)


def parsed(data: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body)
    return int(first.split()[1]), headers, json.loads(body)


@pytest.fixture
def running() -> Running:
    return Running()


def test_a_result_is_answered_as_it_came_with_its_time(running: Running) -> None:
    call, outlet = running.call()
    assert running.known.calls == [(*TARGET, "[1, 2]", 5.0)]
    assert outlet.received == b"" and len(running.calls) == 1
    running.known.answer(1, Outcome(result='{"a": 1.50}', seconds=0.0123456789))
    status, headers, told = parsed(outlet.received)
    assert (status, told) == (200, {"result": {"a": 1.5}, "seconds": 0.012346})
    assert b'"result": {"a": 1.50}' in outlet.received
    assert headers["Content-Type"] == "application/json" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Connection"] == "close" and headers["Cache-Control"] == "no-store"
    call.end()
    assert len(running.calls) == running.calls.answered == 0


def test_what_a_function_says_when_it_fails_is_the_detail_of_a_problem_of_its_own(running: Running) -> None:
    status, headers, told = running.answered(Outcome("failed", error="the press is <hot> ü"))
    assert (status, headers["Content-Type"]) == (502, "application/problem+json")
    assert told == {"type": FAILED, "title": "The function failed", "status": 502, "detail": "the press is <hot> ü"}


def test_a_call_that_is_late_or_whose_agent_leaves_says_so(running: Running) -> None:
    status, _, told = running.answered(Outcome("late", seconds=5.0))
    assert (status, told["type"], told["detail"]) == (
        504,
        "about:blank",
        "the agent has not answered within 5.0 seconds",
    )
    status, headers, _ = running.answered(Outcome("gone"))
    assert status == 503 and int(headers["Retry-After"]) > 0
    running.known.refusal = "the agent is offline"
    call, outlet = running.call()
    assert parsed(outlet.received)[0] == 503 and outlet.end == "closed"
    call.end()
    assert len(running.calls) == 0


def test_an_answer_that_is_none_is_no_fault_of_the_function(running: Running) -> None:
    status, _, told = running.answered(Outcome("unusable", error="the answer cannot be read"))
    assert (status, told["type"], told["detail"]) == (502, "about:blank", "the answer cannot be read")


def test_results_that_nobody_takes_are_bounded_together_and_given_up() -> None:
    running = Running(results=3_000)
    slow, outlet = running.call()
    running.known.answer(1, Outcome(result=f'"{"x" * 2_000}"'))
    assert running.answered(Outcome(result=f'"{"x" * 2_000}"'))[0] == 503
    slow.sweep(100.0)
    slow.sweep(159.0)
    assert outlet.end == "closed"
    outlet.end = ""  # it still writes
    slow.sweep(160.0)
    assert outlet.end == "aborted" and running.calls.answered == 0
    assert running.answered(Outcome(result=f'"{"x" * 2_000}"'))[0] == 200


def test_half_a_surrogate_pair_in_a_result_is_no_end_of_it_all(running: Running) -> None:
    assert running.answered(Outcome(result='"\ud800"'))[2]["result"] == "?"


def test_a_client_that_leaves_is_waited_for_no_more(running: Running) -> None:
    call, _ = running.call()
    call.end()
    assert running.known.abandoned == [1] and running.known.waiting == {} and len(running.calls) == 0
    call.end()
    assert running.known.abandoned == [1] and len(running.calls) == 0


def test_a_client_that_says_no_more_gets_its_answer_and_is_looked_after(running: Running) -> None:
    call, outlet = running.call()
    call.sweep(1.0)
    assert outlet.take() == b""
    assert call.conclude() is True
    assert outlet.take() == CONTINUE
    call.sweep(2.0)
    assert outlet.take() == CONTINUE
    running.known.answer(1, Outcome())
    assert parsed(outlet.received)[0] == 200
    call.sweep(3.0)
    assert outlet.received.count(CONTINUE) == 0


def test_a_client_of_before_interim_responses_is_sent_none(running: Running) -> None:
    call, outlet = running.call(probes=False)
    assert call.conclude() is True
    call.sweep(2.0)
    assert outlet.received == b""


def test_a_call_ends_with_its_period_and_with_its_grant(running: Running) -> None:
    cut, outlet = running.call()
    kept, other = running.call()
    running.period.permit(Grant(1, "ada", publish=("x",), domain=DOMAIN))
    kept.permit()
    assert other.received == b"" and running.known.waiting.keys() == {1, 2}
    running.period.permit(Grant(1, "ada"))
    kept.permit()
    assert parsed(other.received)[0] == 403 and other.end == "closed" and running.known.abandoned == [2]
    running.periods.end(running.period, "integration deactivated")
    assert outlet.end == "aborted" and running.known.abandoned == [2, 1]
    assert len(running.calls) == 0
    assert cut.dropped == 0


def test_a_grant_that_is_withdrawn_before_the_socket_has_come_calls_nothing(running: Running) -> None:
    running.period.permit(Grant(1, "ada", domain="acme.hall2"))
    _, outlet = running.call()
    assert parsed(outlet.received)[0] == 403 and outlet.end == "closed" and running.known.calls == []


def test_a_call_is_one_message_each_way(running: Running) -> None:
    running.answered(Outcome(result="12345"))
    counts = running.period.counts
    assert (counts.messages_in, counts.messages_out, counts.bytes_in) == (1, 1, len("[1, 2]"))
    assert counts.bytes_out > 5 and running.tally.take()[1].messages_out == 1
