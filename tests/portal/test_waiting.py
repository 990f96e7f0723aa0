"""Which requests wait, in which order they run again, and how many there may be."""

from __future__ import annotations

import pytest

from portal import waiting
from portal.waiting import Full, Waiting


def test_requests_are_due_in_the_order_of_their_times_and_then_of_their_arrival():
    one = Waiting()
    for name, at in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("a2", 1.0), ("d", 9.0)):
        one.add(name, name.encode(), at)
    assert list(one.due(0.9)) == []
    assert list(one.due(3.0)) == [("a", b"a"), ("a2", b"a2"), ("b", b"b"), ("c", b"c")]
    assert len(one) == 1 and one.size == 1


def test_the_next_time_is_told_and_never_more_than_is_asked_for():
    one = Waiting()
    assert one.seconds(5.0, 1.0) == 1.0
    one.add("a", b"", 5.25)
    assert one.seconds(5.0, 1.0) == 0.25
    assert one.seconds(5.0, 0.1) == 0.1
    assert one.seconds(6.0, 1.0) == 0.0


def test_what_follows_a_request_is_kept_with_it_up_to_a_bound():
    one = Waiting()
    one.add("a", b"GET", 1.0)
    assert one.grow("a", b" /")
    assert not one.grow("a", b"x" * waiting.MOST_MORE)
    assert list(one.due(1.0)) == [("a", b"GET /" + b"x" * waiting.MOST_MORE)]
    assert one.size == 0


def test_who_left_is_not_due_and_may_wait_anew():
    one = Waiting()
    one.add("a", b"old", 1.0)
    one.remove("a")
    one.remove("never there")
    assert len(one) == one.size == 0
    one.add("a", b"new", 2.0)
    assert list(one.due(1.5)) == []
    assert list(one.due(2.0)) == [("a", b"new")]


def test_many_that_come_and_leave_take_no_more_room_than_those_that_stay():
    one = Waiting()
    one.add("stays", b"", 9.0)
    for number in range(10_000):
        one.add(number, b"", 5.0)
        one.remove(number)
    assert len(one._order) <= 2 + waiting.SLACK + 1
    assert list(one.due(9.0)) == [("stays", b"")]


def test_there_is_room_for_so_many_and_so_many_bytes(monkeypatch):
    monkeypatch.setattr(waiting, "MOST", 2)
    one = Waiting()
    with pytest.raises(Full):
        one.add("a", b"x" * (waiting.MOST_BYTES + 1), 1.0)
    one.add("a", b"x", 1.0)
    one.add("b", b"x", 1.0)
    with pytest.raises(Full):
        one.add("c", b"", 1.0)
    list(one.due(1.0))
    one.add("c", b"x" * waiting.MOST_BYTES, 1.0)
