"""Topics and filters: which there may be, and what they stand for."""

from __future__ import annotations

import pytest

from edge_connector import topics


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("#", "a"),
        ("#", "a/b"),
        ("#", "+/#"),
        ("a/#", "a"),
        ("a/#", "a/b/c"),
        ("a/#", "a/+/c"),
        ("+/b", "a/b"),
        ("+/+", "a/+"),
        ("+", "+"),
        ("a//b", "a//b"),
        ("$SYS/#", "$SYS/uptime"),
    ],
)
def test_a_filter_covers_what_it_stands_for(wide: str, narrow: str) -> None:
    assert topics.covers(wide, narrow)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("a", "b"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("a/+", "a"),
        ("a/+", "a/#"),
        ("+/b", "#"),
        ("a", "+"),
        ("+", "a/b"),
        ("#", "$SYS/uptime"),
        ("+/uptime", "$SYS/uptime"),
    ],
)
def test_a_filter_covers_nothing_else(wide: str, narrow: str) -> None:
    assert not topics.covers(wide, narrow)


@pytest.mark.parametrize("wrong", ["", "a#", "a/#/b", "+a", "a/b+", "a\0", "x" * 1001, "$share/g/a"])
def test_what_is_no_filter_is_said(wrong: str) -> None:
    assert topics.filter_fault(wrong)
    assert not topics.filter_fault("a/+/b/#")


@pytest.mark.parametrize("wrong", ["", "a/#", "+", "$SYS/a", "a\n", "x" * 1001, "a/b/__agentInfo__"])
def test_what_cannot_be_published_to_is_said(wrong: str) -> None:
    assert topics.fault(wrong)
    assert not topics.fault("a/b c/ä")
