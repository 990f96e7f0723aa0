"""How much the hub keeps, and how it tells what was missed, as far as that is still there."""

from __future__ import annotations

import pytest

from tests.protocols.hub.hub_bed import Bed, anything


def _usage(bed: Bed, name: str) -> tuple[int | None, int | None]:
    [found] = [one for one in bed.hub.usage() if one.name == name]
    return found.used, found.exceeded


def test_the_least_recently_updated_topics_go_first_and_are_counted() -> None:
    bed = Bed(topics=2)
    bed.run("a", b"1").run("b", b"1").run("a", b"2").hub.get("a")
    bed.run("c", b"1")
    assert [bed.hub.get(topic) is not None for topic in "abc"] == [True, False, True]
    assert _usage(bed, "HUB_TOPICS") == (2, 1)


def test_bytes_are_bounded() -> None:
    bed = Bed(bytes=65_536)
    for number in range(20):
        bed.run(f"t{number}", bytes(5_000)).hub.settle()
    used, exceeded = _usage(bed, "HUB_BYTES")
    assert used is not None
    assert used <= 65_536
    assert exceeded == 20 - len(bed.hub.values("", None, 99, anything).messages) > 0
    assert bed.hub.get("t19") is not None


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(
    ("topic", "payload"), [("large", bytes(20_000)), ("large", bytes(50_000)), ("x" * 20_000, b"1")], ids=len
)
def test_a_value_that_would_push_out_many_others_is_told_and_not_kept(single: bool, topic: str, payload: bytes) -> None:
    bed, others = Bed(bytes=65_536), [f"small/{number}" for number in range(20)]
    for other in others:
        bed.run(other, b"1")
    ear = bed.listen("#")
    for _ in range(2):
        bed.one(topic, payload, retain=True) if single else bed.run(topic, payload)
        bed.hub.settle()
    assert ear.told == [(topic, payload)] * 2
    assert bed.hub.get(topic) is None
    assert {message.topic for message in bed.hub.values("", None, 99, anything).messages} == set(others)
    assert _usage(bed, "HUB_BYTES")[1] == 2 and not _usage(bed, "HUB_PAYLOAD")[1]
    assert bed.hub.since(0, ["#"], 9)[1], "some of it is gone"


@pytest.mark.parametrize("retain", [False, True])
def test_a_payload_that_is_too_large_is_told_and_leaves_no_value(retain: bool) -> None:
    bed = Bed(payload=3)
    ear = bed.listen("a")
    bed.run("a", b"old")
    number = bed.hub.number
    if retain:
        bed.one("a", b"long", retain=True)
    else:
        bed.run("a", b"long")
    assert bed.hub.get("a") is None
    assert bed.history("a") == [b"old"]
    assert _usage(bed, "HUB_PAYLOAD") == (None, 1)
    assert bed.hub.since(number, ["#"], 9) == ([], True)
    bed.hub.settle()
    assert ear.told == [("a", b"old"), ("a", b"long")]
    bed.run("a", b"new")
    assert bed.history("a") == [b"old", b"new"]


def test_the_history_is_bounded_for_each_topic() -> None:
    bed = Bed(history=3)
    for number in range(10):
        bed.run("a", b"%d" % number).hub.get("a")
    assert bed.history("a") == [b"7", b"8", b"9"]
    assert bed.history("a", 2) == [b"8", b"9"]
    assert bed.history("a", 0) == bed.history("never") == []


def test_without_a_history_there_is_the_value() -> None:
    bed = Bed(history=0).run("a", b"1", b"2")
    assert bed.history("a") == []
    found = bed.hub.get("a")
    assert found is not None
    assert found.payload == b"2"


def test_the_history_of_all_is_bounded_and_one_topic_has_a_part_of_it_at_most() -> None:
    bed = Bed(history_bytes=128_000)
    for number in range(200):
        bed.run("greedy", bytes(400)).run(f"t{number % 20}", b"%03d" % number).hub.settle()
    assert len(bed.history("greedy")) * 592 <= 2_000 + 592
    assert len(bed.history("t3")) == 10
    for number in range(400):
        bed.run(f"more{number}", bytes(100), bytes(100), bytes(100)).hub.settle()
    used, exceeded = _usage(bed, "HUB_HISTORY_BYTES")
    assert used is not None
    assert used <= 128_000
    assert exceeded
    assert bed.history("t3")[-1] == b"183", "the value is no part of it"
    assert len(bed.history("t3")) < 10
    assert len(bed.history("more399")) == 3


# --- what was missed


def test_since_tells_what_came_after_a_message_in_order() -> None:
    bed = Bed().run("a", b"1")
    number = bed.hub.number
    bed.run("b", b"2").run("a", b"3").one("c", b"4", retain=True).run("b", b"5")
    found, is_gone = bed.hub.since(number, ["a", "b"], 9)
    assert ([message.payload for message in found], is_gone) == ([b"2", b"3", b"5"], False)
    assert bed.hub.since(bed.hub.number, ["#"], 9) == ([], False)


def test_since_says_when_something_is_gone() -> None:
    bed = Bed(history=2, topics=3).run("a", b"1")
    number = bed.hub.number
    bed.run("a", b"2", b"3").run("b", b"4")
    assert [message.payload for message in bed.hub.since(number, ["#"], 2)[0]] == [b"3", b"4"]
    assert bed.hub.since(number, ["#"], 2)[1], "more than was asked for"
    bed.run("a", b"5").hub.get("a")
    assert bed.hub.since(number, ["a"], 9)[1], "cut off the history"
    assert not bed.hub.since(number, ["b"], 9)[1]
    bed.run("c", b"6").run("d", b"7").hub.get("a")
    assert bed.hub.since(number, ["b"], 9) == ([], True), "evicted"


def test_since_says_when_more_came_than_was_looked_at() -> None:
    bed = Bed(history=2).run("a", b"1")
    number = bed.hub.number
    bed.run("a", b"2", b"3", b"4").run("a", b"5")
    found, is_gone = bed.hub.since(number, ["a"], 9)
    assert ([message.payload for message in found], is_gone) == ([b"4", b"5"], True)


def test_large_messages_leave_no_gap_in_a_history() -> None:
    bed = Bed()
    number = bed.hub.number
    large = [b"%02d" % one * 12_500 for one in range(60)]
    bed.run("a", b"0").run("a", *large)
    found = bed.history("a")
    assert 30 < len(found) < 60 and found == large[-len(found) :]
    messages, is_gone = bed.hub.since(number, ["a"], 100)
    assert is_gone and [message.payload for message in messages] == found


def test_since_looks_at_so_many_topics_at_most() -> None:
    bed = Bed(matches=3)
    number = bed.hub.number
    for topic in "abc":
        bed.run(topic, b"1").hub.settle()
    assert not bed.hub.since(number, ["a"], 9)[1]
    bed.run("d", b"1")
    assert bed.hub.since(number, ["a"], 9) == ([], True)
    assert bed.hub.since(number, ["d"], 9)[1], "and fewer of them for more filters"
    found, is_gone = bed.hub.since(number, ["c", "d", "e"], 9)
    assert ([message.topic for message in found], is_gone) == (["d"], True)


# --- what arrived is let go of


def test_what_arrived_is_let_go_of_in_time() -> None:
    bed = Bed(waiting_bytes=1_000)
    bed.run("a", bytes(900)).hub.get("a")
    assert not bed.hub.waiting
    bed.run("a", bytes(900)).hub.settle()
    assert bed.hub.waiting
    bed.run("a", bytes(900)).hub.settle()
    assert not bed.hub.waiting
    ear = bed.listen("b")
    bed.run("b", b"1").hub.settle_early()
    assert not bed.hub.waiting
    assert ear.told == []
    bed.run("b", b"2").hub.settle()
    assert ear.told == [("b", b"1"), ("b", b"2")]
