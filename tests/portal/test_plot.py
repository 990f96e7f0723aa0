"""The picture of recent numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from portal.plot import TALL, WIDE, draw

START = datetime(2026, 11, 25, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_line_goes_through_the_numbers_by_their_times():
    plot = draw([(at(0), 10.0), (at(30), 20.0), (at(40), 15.0)])
    assert plot.path == "M0.0 114.0L450.0 6.0L600.0 60.0"
    assert (plot.least, plot.most, plot.start, plot.end) == ("10", "20", at(0), at(40))
    assert plot.summary == "The last 3 numbers lie between 10 and 20."
    assert [(point.left, point.width, point.text) for point in plot.points] == [
        (0.0, 225.0, "10"),
        (225.0, 300.0, "20"),
        (525.0, 75.0, "15"),
    ]


def test_fewer_than_two_numbers_have_no_picture():
    assert draw([]) is None and draw([(at(0), 1.0)]) is None


def test_numbers_that_are_all_the_same_lie_in_the_middle():
    plot = draw([(at(0), -0.5), (at(1), -0.5)])
    assert plot.path == "M0.0 60.0L600.0 60.0" and plot.summary == "The last 2 numbers are all -0.5."


def test_times_that_are_one_or_go_backwards_are_taken_evenly():
    for times in ([0, 0, 0], [5, 9, 7]):
        plot = draw([(at(one), float(number)) for number, one in enumerate(times)])
        assert [point.x for point in plot.points] == [0.0, 300.0, 600.0]


@given(
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=100),
    steps=st.lists(st.floats(0, 1e6), min_size=100, max_size=100),
)
def test_every_number_is_inside_the_picture(numbers, steps):
    plot = draw([(at(sum(steps[:place])), number) for place, number in enumerate(numbers)])
    assert all(0 <= point.x <= WIDE and 0 <= point.y <= TALL and point.width >= 0 for point in plot.points)
    assert "nan" not in plot.path and "inf" not in plot.path
