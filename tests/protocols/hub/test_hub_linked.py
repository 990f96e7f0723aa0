"""The hub at the other end of a link: what it is asked, and what it tells, as much as the other end takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protocols.contract import Refused
from protocols.hub import ear, linked
from protocols.hub.linked import LinkedHub, is_publishable
from tests.protocols.hub.hub_bed import Bed

ANY = ("", [], [], [])  # every topic begins so


class Link:
    """A link that remembers, and takes what it is told at once if it is eager."""

    def __init__(self) -> None:
        self.pushed: list[tuple[list[Any], int]] = []
        self.closings: list[Callable[[], object]] = []

    def push(self, name: str, *arguments: Any) -> None:
        assert name == "hub_heard"
        self.pushed.append(arguments)

    def on_close(self, callback: Callable[[], object]) -> None:
        self.closings.append(callback)

    @property
    def told(self) -> list[tuple[Any, Any]]:
        return [(row[1], row[2]) for rows, _ in self.pushed for row in rows]


class Linked(Bed):
    """A hub with one link."""

    def __init__(self) -> None:
        super().__init__()
        self.link = Link()
        self.actions = LinkedHub(self.hub).actions()

    def ask(self, action: str, *arguments: Any, link: Link | None = None) -> Any:
        return self.actions[f"hub_{action}"](link or self.link, *arguments)

    def end_turn(self) -> None:
        self.hub.settle()

    def tell(self, topic: str, *payloads: bytes) -> None:
        """Publish, each in a turn of its own."""
        for payload in payloads:
            self.hub.publish(topic, payload)
            self.end_turn()


@pytest.fixture
def bed() -> Linked:
    return Linked()


def test_a_link_is_told_what_it_listens_to_in_order(bed):
    bed.ask("listen", ["plant/#", "plant/speed"])
    bed.tell("plant/speed", b"1", b"2")
    bed.tell("other", b"3")
    bed.tell("plant/temp", b"4")
    assert bed.link.told == [("plant/speed", b"1"), ("plant/speed", b"2"), ("plant/temp", b"4")]
    bed.ask("unlisten", ["plant/#"])
    bed.tell("plant/temp", b"5")
    bed.tell("plant/speed", b"6")
    assert bed.link.told[3:] == [("plant/speed", b"6")]


def test_what_a_link_publishes_comes_back_with_its_mark_where_it_listens_to_that_topic(bed):
    bed.ask("listen", ["a/#", "a/x"])
    numbers = bed.ask(
        "publish", [["a/x", b"1", 7, 41], ["elsewhere", b"2", 7, 42], ["a/y", b"9", 7, 44], ["+", b"", 7, 45]]
    )
    assert 0 < numbers[0] < numbers[1] < numbers[2] and numbers[3] == 0
    bed.hub.publish("a/x", b"3")
    bed.ask("publish", [["a/x", b"4", 7, 43]])
    bed.end_turn()
    ((rows, _),) = bed.link.pushed
    assert [(row[2], row[5]) for row in rows] == [(b"1", 41), (b"3", 0), (b"4", 43)]
    bed.ask("unlisten", ["a/x"])
    bed.ask("publish", [["a/x", b"5", 7, 46], ["a/x", b"6", 7, 0]])
    bed.end_turn()
    assert bed.link.told[3:] == [("a/x", b"6")], "but what it has not marked"
    assert bed.hub.get("a/x").integration_id == 7
    assert bed.hub.get("elsewhere").payload == b"2"


def test_what_the_broker_cannot_store_is_left_out_and_what_follows_is_published(bed):
    def hold(wanted: Any) -> None:
        if any(topic == "full" for topic, *_ in wanted):
            raise Refused("messages cannot be stored now", "messages/0/room")

    bed.hub.connect(bed.hub._hear_alone, hold, lambda: None)
    numbers = bed.ask("publish", [["a", b"1", 1, 41], ["full", b"2", 1, 42], ["b", b"3", 1, 43]])
    assert numbers[0] and numbers[2] and not numbers[1]
    assert [message.topic for message in bed.hub.values("", None, 9, lambda topic: True).messages] == ["a", "b"]


def test_what_is_no_topic_is_left_out_and_the_others_are_published(bed):
    bed.ask("publish", [["$SYS/x", b"1", 1, 0], ["a/+", b"2", 1, 0], ["b", b"3", 1, 0]])
    assert [message.topic for message in bed.hub.values("", None, 9, lambda topic: True).messages] == ["b"]


def test_what_a_deleted_integration_still_says_is_left_out(bed):
    bed.hub.forget({7})
    assert bed.ask("publish", [["a", b"1", 7, 41], ["b", b"2", 8, 42]])[0] == 0
    assert [message.topic for message in bed.hub.values("", None, 9, lambda topic: True).messages] == ["b"]


@pytest.mark.parametrize("topic", ["", "$a", "a/#", "a+b", "a\0", "\x01", "a\x9f", "x" * 65_536, "\ud800"])
def test_what_cannot_be_published_on(topic: str):
    assert not is_publishable(topic)


def test_an_end_of_a_link_ends_its_listening(bed):
    bed.ask("listen", ["a"])
    for close in bed.link.closings:
        close()
    bed.tell("a", b"1")
    assert bed.link.told == []


def test_a_link_that_takes_nothing_is_told_no_more_than_a_window_and_then_the_last_of_each_topic(bed):
    bed.ask("listen", ["#"])
    for number in range(5_000):
        bed.tell("busy", b"%d" % number)
    bed.tell("quiet", b"x")
    on_way = sum(cost for _, cost in bed.link.pushed)
    assert ear._WINDOW <= on_way < ear._WINDOW + 2 * ear._PIECE_BYTES
    seen = len(bed.link.told)
    for _, cost in list(bed.link.pushed):
        bed.ask("took", cost)
    rest = [row for rows, _ in bed.link.pushed for row in rows][seen:]
    busy = [row for row in rest if row[1] == "busy"]
    assert [row[2] for row in busy] == [b"%d" % number for number in range(4_900, 5_000)]
    assert [row[6] for row in busy] == [True] + 99 * [False]
    assert [row[2] for row in rest if row[1] == "quiet"] == [b"x"]


def test_what_waits_for_a_link_is_bounded_in_bytes(bed, monkeypatch):
    monkeypatch.setattr(ear, "_MOST", 100_000)
    bed.ask("listen", ["#"])
    for number in range(2_000):
        bed.tell(f"topic/{number % 100}", b"%05d" % number + bytes(1_000))
    waiting = bed.actions["hub_took"].__self__._ears[bed.link]
    assert waiting._bytes <= 100_000
    assert waiting._bytes == sum(ear._cost(row) for queue in waiting._waiting.values() for row in queue)
    assert b"01999" in [queue[-1][2][:5] for queue in waiting._waiting.values()]


def test_of_a_message_that_is_very_large_only_its_coming_is_told(bed):
    bed.ask("listen", ["a"])
    bed.tell("a", bytes(ear.LARGEST))
    bed.ask("took", bed.link.pushed[0][1])
    bed.tell("a", bytes(ear.LARGEST + 1))
    assert [payload if payload is None else len(payload) for _, payload in bed.link.told] == [ear.LARGEST, None]


def test_places_are_looked_at_as_far_as_a_client_may_see(bed):
    bed.tell("plant/line/speed", b"1")
    bed.tell("ada/x", b"2")
    bed.tell("/", b"3")

    def look(topics: list[str], filters: list[str], own: str = "none/") -> list[tuple[Any, bool]]:
        return [(row and row[2], below) for row, below in bed.ask("look", topics, (own, filters, [], []))]

    topics = ["plant", "plant/line/speed", "plant/line/other", "ada/x", "ada", "", "/"]
    everything = [(None, True), (b"1", False), (None, False), (b"2", False), (None, True), (None, True), (b"3", False)]
    assert look(topics, ["#"]) == everything
    nothing = (None, False)
    assert look(topics, [], "ada/") == [nothing, nothing, nothing, (b"2", False), (None, True), nothing, nothing]
    assert look(["plant", "ada"], ["plant/+/speed"]) == [(None, True), nothing]


def test_a_closed_domain_is_looked_at_only_by_what_names_it(bed):
    bed.tell("acme/line/speed", b"1")
    for naming, below in ((["#"], False), (["acme/#"], True)):
        readable = ("none/", ["#"], [one for one in naming if one != "#"], ["acme"])
        assert bed.ask("look", ["acme"], readable) == [(None, below)]


def test_large_values_are_told_in_several_answers(bed, monkeypatch):
    monkeypatch.setattr(linked, "_BYTES", 2_000)
    for number in range(5):
        bed.tell(f"a/{number}", bytes(1_500))
    assert len(bed.ask("look", [f"a/{number}" for number in range(5)], ANY)) == 2
    found, cursor = bed.ask("values", "a/", None)
    while cursor is not None:
        rows, cursor = bed.ask("values", "a/", cursor)
        found += rows
    assert [row[1] for row in found] == [f"a/{number}" for number in range(5)]
    bed.tell("b", *(b"%d" % number + bytes(900) for number in range(9)))
    assert [row[2][:1] for row in bed.ask("history", "b")] == [b"6", b"7", b"8"]


def test_the_children_of_a_place_come_in_pieces(bed):
    for number in range(5):
        bed.tell(f"a/{number}/x", b"1")
    bed.tell("a/3", b"1")
    first, cursor = bed.ask("children", ["a"], None, 2, ANY)
    second, cursor = bed.ask("children", ["a"], cursor, 9, ANY)
    assert [name for name, _, _ in first + second] == list("01234")
    assert [one for one in first + second if one[1]] == [("3", True, True)]
    assert cursor is None


def test_deletions_are_told_as_such(bed):
    bed.ask("listen", ["a"])
    bed.tell("a", b"1")
    bed.hub.delete("a")
    bed.end_turn()
    assert [row[3] for rows, _ in bed.link.pushed for row in rows] == [False, True]
    assert [row[3] for row in bed.ask("history", "a")] == [False, True]
