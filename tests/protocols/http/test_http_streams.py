"""Streams and long polls, with a hub and without sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_wire import Outlet, Recorder, events
from test_http_periods import login

from protocols.contract import Grant
from protocols.http.events import Encoder
from protocols.http.limits import Limits
from protocols.http.periods import Period, Periods
from protocols.http.streams import PIECE, Common, Poll, Stream
from protocols.http.wishes import PollWish
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.tally import Tally

LIMITS = Limits(outbound_bytes=2_000, heartbeat=15.0, stalled=60.0, missed=5)
HEADERS = {"X-Content-Type-Options": "nosniff"}


class Running:
    """A hub, an integration that is online, and what it has open."""

    def __init__(self, limits: Limits = LIMITS, history: int = 100) -> None:
        self.hub = Hub(HubLimits(history=history), lambda: 1_000_000.0)
        self.tally = Tally()
        encoder = Encoder(lambda integration_id: "", str, lambda act: None)
        self.common = Common(self.hub, limits, encoder, self.tally)
        self.periods = Periods(Recorder(), limits)
        self.period: Period = self.periods.visit(Grant(1, "ada"), login(), 0.0)

    def publish(self, topic: str, payload: bytes = b"1", **options: Any) -> int:
        number = self.hub.publish(topic, payload, **options).number
        self.hub.settle()
        return number

    def stream(self, *filters: str, after: int | None = None, room: int | None = None) -> Outlet:
        outlet = Outlet()
        stream = outlet.stream = Stream(self.common, self.period, filters, outlet, 0.0)
        self.period.held[stream] = None
        outlet.room = room
        stream.begin(HEADERS, after)
        return outlet

    def poll(self, topic: str, number: int, *, raw: bool = False) -> Outlet:
        outlet = Outlet()
        wish = PollWish(topic, number, 30.0, raw)
        outlet.stream = Poll(self.common, self.period, wish, HEADERS, outlet, 30.0)
        outlet.stream.begin()
        return outlet


@pytest.fixture
def running() -> Running:
    return Running()


def told(outlet: Outlet) -> list[tuple[str, str]]:
    """Return the names of the events that have come, with their topics."""
    return [(name, data.get("topic", "")) for name, _, data in events(outlet.take())]


def test_a_stream_begins_with_a_head_and_a_number_to_resume_from(running) -> None:
    number = running.publish("a")
    head, _, body = running.stream("#").take().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert set(lines[1:]) == {
        "X-Content-Type-Options: nosniff",
        "Content-Type: text/event-stream; charset=utf-8",
        "Cache-Control: no-store",
        "X-Accel-Buffering: no",
        "Connection: close",
    }
    assert body == b"id: %d\n\n" % number


def test_messages_come_as_they_are_published_on_what_the_filters_match(running) -> None:
    one, two = running.stream("a/+", "a/#"), running.stream("b")
    one.take(), two.take()
    number = running.publish("a/b", b"7")
    running.publish("b")
    running.publish("c")
    running.publish("a/b", b"", retain=True)
    ((name, found, data), deleted) = events(one.take())
    assert (name, found, data["topic"], data["value"]) == ("message", number, "a/b", 7)
    assert deleted[0] == "deleted"
    assert told(two) == [("message", "b")]


def test_a_stream_that_is_resumed_gets_what_it_missed_once_and_in_order(running) -> None:
    first = running.publish("a/1")
    for topic in ("a/2", "b", "a/1", "a/3"):
        running.publish(topic)
    outlet = running.stream("a/#", after=first)
    assert told(outlet) == [("message", "a/2"), ("message", "a/1"), ("message", "a/3")]
    running.publish("a/4")
    assert told(outlet) == [("message", "a/4")]


@pytest.mark.parametrize("after", [0, 1])
def test_what_is_gone_is_told_before_what_is_left(after: int) -> None:
    running = Running(history=2)
    running.stream("#")
    first = running.publish("a", b"1")
    for value in (b"2", b"3", b"4"):
        running.publish("a", value)
    found = events(running.stream("a", after=first * after).take())
    assert [name for name, _, _ in found] == ["gap", "message", "message"]
    assert found[0][1:] == (None, {"after": first * after})
    assert [data["value"] for _, _, data in found[1:]] == [3, 4]


def test_of_too_much_that_was_missed_the_newest_comes(running) -> None:
    first = running.publish("a/0")
    for number in range(1, 9):
        running.publish(f"a/{number}")
    assert told(running.stream("a/#", after=first)) == [("gap", ""), *[("message", f"a/{n}") for n in range(4, 9)]]


def test_a_stream_resumes_only_with_what_it_may_read(running) -> None:
    first = running.publish("a/1")
    running.publish("a/2")
    running.publish("a/3")
    running.period.permit(Grant(1, "ada", subscribe=("a/3",)))
    assert told(running.stream("a/#", after=first)) == [("message", "a/3")]


@pytest.mark.parametrize("filters", [("a/#",), ("a/1", "a/2")])
def test_a_stream_gets_no_more_of_what_it_may_not_read_any_more(running, filters) -> None:
    outlet = running.stream(*filters)
    running.publish("a/1")
    running.publish("a/2")
    assert len(told(outlet)) == 2
    running.period.permit(Grant(1, "ada", subscribe=("a/2",)))
    outlet.stream.permit()
    running.publish("a/1")
    running.publish("a/2")
    assert told(outlet) == [("message", "a/2")]
    running.period.permit(Grant(1, "ada"))
    outlet.stream.permit()
    running.publish("a/1")
    assert told(outlet) == [("message", "a/1")]


def test_a_silent_stream_beats_and_one_that_has_just_said_something_does_not(running) -> None:
    outlet = running.stream("#")
    outlet.take()
    for now, beat in ((14.9, b""), (15.0, b":\n\n"), (29.0, b""), (30.0, b":\n\n")):
        outlet.stream.sweep(now)
        assert outlet.take() == beat


def test_what_a_slow_reader_does_not_take_waits_and_is_written_in_order(running) -> None:
    outlet = running.stream("#", room=0)
    outlet.take()
    numbers = [running.publish("a", b"%d" % number) for number in range(3)]
    assert outlet.take() == b""
    outlet.room = None
    outlet.stream.resume(1.0)
    assert [number for _, number, _ in events(outlet.take())] == numbers
    assert outlet.stream.dropped == 0


def test_what_has_no_room_is_dropped_counted_and_told_of(running) -> None:
    outlet = running.stream("#", room=0)
    outlet.take()
    numbers = [running.publish("a", b"x" * 500) for _ in range(10)]
    outlet.room = None
    outlet.stream.resume(1.0)
    found = events(outlet.take())
    kept = len(found) - 1
    assert 0 < kept < 10
    assert [number for _, number, _ in found[:-1]] == numbers[:kept]
    assert found[-1] == ("dropped", None, {"count": 10 - kept})
    assert outlet.stream.dropped == running.common.hits.counts["outbound_bytes"] == 10 - kept
    running.publish("b")
    assert told(outlet) == [("message", "b")]


def test_a_reader_that_stays_slow_gets_piece_by_piece_and_loses_what_comes_until_it_is_through() -> None:
    running = Running(Limits(outbound_bytes=10 * PIECE))
    outlet = running.stream("#", room=0)
    outlet.take()
    for _ in range(40):
        running.publish("a", b"x" * (PIECE // 2))
    received, pieces = b"", 0
    while outlet.stream._size:
        outlet.stream.resume(1.0)
        assert len(outlet.received) < 2 * PIECE, "the rest waits until the client reads on"
        if pieces < 3:
            running.publish("b")
        received += outlet.take()
        pieces += 1
    found = events(received)
    assert pieces > 5 and [name for name, _, _ in found] == ["message"] * (len(found) - 1) + ["dropped"]
    assert {data["topic"] for _, _, data in found[:-1]} == {"a"}
    assert found[-1][2]["count"] == outlet.stream.dropped == 40 + 3 - (len(found) - 1)
    outlet.room = None
    outlet.stream.resume(1.0)
    running.publish("c")
    assert told(outlet) == [("message", "c")]


def test_much_in_one_turn_is_not_dropped_for_a_client_that_reads(running) -> None:
    outlet = running.stream("#")
    outlet.take()
    for number in range(100):
        running.hub.publish(f"a/{number}", b"x" * 2_000)
    running.hub.settle()
    assert len(told(outlet)) == 100 and outlet.stream.dropped == 0


def test_a_client_that_takes_nothing_for_long_is_given_up(running) -> None:
    outlet = running.stream("#", room=0)
    outlet.stream.sweep(59.9)
    assert not outlet.end
    outlet.stream.sweep(60.0)
    assert outlet.end == "aborted"
    outlet.received = b""
    running.publish("a")
    assert outlet.received == b""


def test_the_end_of_a_period_cuts_its_streams(running) -> None:
    one, two = running.stream("#"), running.stream("a")
    running.periods.end(running.period, "integration deactivated")
    assert one.end == two.end == "aborted"
    running.publish("a")


def test_what_a_stream_gets_is_counted(running) -> None:
    outlet = running.stream("a")
    outlet.take()
    running.publish("a")
    assert running.period.counts.messages_out == running.tally.total.messages_out == 1
    assert running.period.counts.bytes_out == len(outlet.take())


# --- long polls


def answer(outlet: Outlet) -> tuple[int, dict[str, str], bytes]:
    head, _, body = outlet.take().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert outlet.end == "closed"
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize(
    ("payload", "raw", "content_type"),
    [
        (b"21.5", False, "application/json"),
        (b"on", False, "text/plain; charset=utf-8"),
        (b"\xff", False, "application/octet-stream"),
        (b"21.5", True, "application/octet-stream"),
    ],
)
def test_a_poll_is_answered_with_the_next_value(running, payload, raw, content_type) -> None:
    number = running.publish("a", b"0")
    outlet = running.poll("a", number, raw=raw)
    running.publish("b")
    outlet.stream.sweep(29.9)
    assert outlet.received == b"" and not outlet.end
    changed = running.publish("a", payload)
    status, headers, body = answer(outlet)
    assert (status, body) == (200, payload)
    assert headers == {
        "X-Content-Type-Options": "nosniff",
        "Content-Type": content_type,
        "Content-Length": str(len(payload)),
        "Etag": f'"{changed}"',
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    running.publish("a")  # nobody waits for it


def test_of_several_values_in_a_turn_a_poll_gets_the_last(running) -> None:
    outlet = running.poll("a", 0)
    running.hub.publish("a", b"1")
    running.hub.publish("a", b"2")
    running.hub.settle()
    assert answer(outlet)[2] == b"2"


def test_a_poll_whose_value_has_changed_already_is_answered_at_once(running) -> None:
    number = running.publish("a", b"1")
    running.publish("a", b"2")
    assert answer(running.poll("a", number))[2] == b"2"
    assert answer(running.poll("a", 0))[2] == b"2"
    assert answer(running.poll("never", number))[0] == 404


def test_a_poll_ends_in_time(running) -> None:
    number = running.publish("a")
    outlet = running.poll("a", number)
    outlet.stream.sweep(30.0)
    status, headers, body = answer(outlet)
    assert (status, headers["Etag"], body) == (304, f'"{number}"', b"")
    outlet = running.poll("never", 0)
    outlet.stream.sweep(30.0)
    status, headers, body = answer(outlet)
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(body)["status"] == 404


def test_a_poll_is_told_that_the_value_is_gone(running) -> None:
    number = running.publish("a")
    outlet = running.poll("a", number)
    running.publish("a", b"", retain=True)
    assert answer(outlet)[0] == 404


def test_a_poll_gets_nothing_that_it_may_not_read_any_more(running) -> None:
    number = running.publish("a")
    outlet = running.poll("a", number)
    running.period.permit(Grant(1, "ada", subscribe=("b",)))
    outlet.stream.permit()
    running.publish("a", b"secret")
    assert not outlet.end
    outlet.stream.sweep(30.0)
    assert answer(outlet)[0] == 304
    assert answer(running.poll("a", number))[0] == 404
