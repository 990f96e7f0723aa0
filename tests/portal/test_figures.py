"""Figures as people read them, and the picture of a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal import chart, figures
from portal.traffic import BUCKET, Bucket

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_940, "9.9 kB"),
        (9_960, "10 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (1_240_000, "1.2 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_sizes_have_two_or_three_digits(number, text):
    assert figures.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(512, "512 B"), (16 * 2**20, "16 MiB"), (1536, "1.5 KiB"), (2**40, "1024 GiB"), (12_345_678, "12 MiB")],
)
def test_limits_are_told_in_the_units_in_which_they_are_set(number, text):
    assert figures.binary_size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "1 h"),
        (3600, "1 h"),
        (51_600, "14 h 20 min"),
        (86_400, "24 h"),
    ],
)
def test_durations_are_told_to_the_minute(seconds, text):
    assert figures.duration(seconds) == text


def test_counts_have_separators_and_messages_a_plural():
    assert figures.count(12_340) == "12,340"
    assert figures.count(2.5) == "2.5"
    assert [figures.messages(1), figures.messages(0), figures.messages(1200)] == [
        "1 message",
        "0 messages",
        "1,200 messages",
    ]


def test_a_way_in_without_a_word_of_its_own_is_named_as_it_is():
    assert [figures.transport("wss"), figures.transport("pigeon")] == ["WebSocket with TLS", "pigeon"]


def day(*last: Bucket) -> list[Bucket]:
    first = [Bucket(NOON - place * BUCKET) for place in range(47, len(last) - 1, -1)]
    return [*first, *last]


def test_bars_are_as_tall_as_their_share_of_the_tallest_and_never_invisible():
    drawn = chart.draw(day(Bucket(NOON - BUCKET, 1000, 500), Bucket(NOON, 1, 0)), NOON + BUCKET)
    assert drawn.most == 1000
    assert (drawn.columns[-2].tall_in, drawn.columns[-2].tall_out) == (chart.TALLEST, chart.TALLEST / 2)
    assert (drawn.columns[-1].tall_in, drawn.columns[-1].tall_out) == (chart.SMALLEST, 0)
    assert drawn.columns[0].tall_in == 0
    assert [column.x for column in drawn.columns] == list(range(0, drawn.width, chart.WIDE))


def test_the_strip_is_paler_where_it_was_online_for_a_part():
    half = timedelta(minutes=10)
    buckets = day(Bucket(NOON - BUCKET, online=1800), Bucket(NOON, online=300))
    drawn = chart.draw(buckets, NOON + half)
    assert drawn.columns[-2].online == 1
    assert drawn.columns[-1].online == 0.65, "half of the ten minutes that have passed"
    assert drawn.columns[0].online == 0
    assert "offline" in drawn.columns[0].text


def test_an_empty_day_is_empty():
    assert chart.draw(day(), NOON).is_empty
    assert not chart.draw(day(Bucket(NOON, online=1)), NOON).is_empty
    assert not chart.draw(day(Bucket(NOON, messages_out=1)), NOON).is_empty
