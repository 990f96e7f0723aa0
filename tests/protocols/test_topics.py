"""Topic names and topic filters (MQTT, section 4.7)."""

import pytest

from protocols.topics import covers, filter_fault, matches, matches_below, name_fault

MATCHES = [  # the examples of the standard first
    ("sport/tennis/player1/#", "sport/tennis/player1", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
    ("sport/#", "sport", True),
    ("sport/tennis/+", "sport/tennis/player1", True),
    ("sport/tennis/+", "sport/tennis/player1/ranking", False),
    ("sport/+", "sport", False),
    ("sport/+", "sport/", True),
    ("+/+", "/finance", True),
    ("/+", "/finance", True),
    ("+", "/finance", False),
    ("#", "$SYS/monitor", False),  # [MQTT-4.7.2-1]
    ("+/monitor/Clients", "$SYS/monitor/Clients", False),
    ("$SYS/#", "$SYS/monitor", True),
    ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
    ("a/#", "a/$b", True),
    ("+/b", "a/b", True),
    ("a/+/c", "a//c", True),
    ("a", "A", False),  # [MQTT-4.7.3-4]
    ("a", "a/", False),
    ("a/b", "a", False),
    ("a/b/#", "a", False),
    ("#", "a/b/c", True),
    ("/", "/", True),
]


@pytest.mark.parametrize(("topic_filter", "name", "expected"), MATCHES)
def test_a_filter_matches_as_the_standard_says(topic_filter: str, name: str, expected: bool):
    assert matches(topic_filter, name) is expected


@pytest.mark.parametrize(
    ("allowed", "wanted", "expected"),
    [
        ("#", "a/b", True),
        ("#", "#", True),
        ("#", "+/a/#", True),
        ("#", "$SYS/#", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/a", True),
        ("a/#", "a", True),
        ("a/#", "a/+/c", True),
        ("a/#", "#", False),
        ("a/#", "+/b", False),
        ("a/+", "a/b", True),
        ("a/+", "a/+", True),
        ("a/+", "a/#", False),
        ("a/b", "a/+", False),
        ("a/b", "a/b", True),
        ("a/b", "a", False),
        ("a", "a/b", False),
        ("+/+", "+", False),
    ],
)
def test_a_permission_covers_only_narrower_filters(allowed: str, wanted: str, expected: bool):
    assert covers(allowed, wanted) is expected


@pytest.mark.parametrize(
    ("topic_filter", "name", "expected"),
    [
        ("#", "a", True),
        ("#", "$SYS", False),
        ("+/x", "$SYS", False),
        ("$SYS/#", "$SYS", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/b/c", "a", True),
        ("a/b/c", "a/b", True),
        ("a/b/c", "a/b/c", False),
        ("a/b/c", "a/b/c/d", False),
        ("a/b/c", "b", False),
        ("a/+", "a", True),
        ("a/+", "a/b", False),
        ("+/+/x", "a/b", True),
        ("a", "a", False),
    ],
)
def test_a_filter_reaches_below_a_name(topic_filter: str, name: str, expected: bool):
    assert matches_below(topic_filter, name) is expected


@pytest.mark.parametrize("name", ["", "a+", "+", "a/#"])
def test_it_is_said_what_is_wrong_with_a_name(name: str) -> None:
    assert name_fault(name).startswith(("a topic name is empty", "topic name"))
    assert name_fault("a/$b//c") == ""


@pytest.mark.parametrize("topic_filter", ["", "a#", "#/", "a+/b"])
def test_it_is_said_what_is_wrong_with_a_filter(topic_filter: str) -> None:
    assert filter_fault(topic_filter).startswith(("a topic filter is empty", "topic filter"))
    assert filter_fault("a/+/#") == ""


def test_of_a_long_topic_little_is_repeated() -> None:
    assert len(name_fault("#" * 10_000)) < 100 and len(filter_fault("##" * 10_000)) < 100


def test_ten_thousand_levels_take_no_recursion() -> None:
    deep = "/".join(["a"] * 10_000)
    assert matches(deep, deep) and covers(deep, deep) and matches("#", deep)
    assert not matches_below(deep, deep) and not filter_fault(deep + "/+/#")


@pytest.mark.parametrize(
    "character", ["\x01", "\t", "\n", "\x1f", "\x7f", "\x80", "\x9f", "\ufdd0", "\uffff", "\U0010fffe"]
)
def test_a_name_has_no_character_for_which_a_receiver_may_close_its_connection(character: str):
    assert "control character" in name_fault(f"a/{character}b")


@pytest.mark.parametrize("name", ["a b", "\xa0", "\u202e", "\ufeff", "\ue000", "\U0001f600", "\ufdcf", "\ufdf0", "/"])
def test_a_name_may_have_all_others_whatever_they_look_like(name: str):
    assert not name_fault(name)
