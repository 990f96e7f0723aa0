"""What the hub knows of what was published, whom it tells, and what it lets go of."""

from __future__ import annotations

import pytest

from protocols.hub.messages import Message
from tests.protocols.hub.hub_bed import START, Bed, Ear, anything


def test_the_last_message_of_a_run_is_the_value_with_who_and_when() -> None:
    bed = Bed().run("a/b", b"1", b"2", b"3", who=7)
    found = bed.hub.get("a/b")
    assert found is not None
    assert found[1:] == ("a/b", b"3", False, 7, START)
    assert bed.history("a/b") == [b"1", b"2", b"3"]


def test_numbers_grow_in_the_order_of_arrival() -> None:
    bed = Bed().run("a", b"1", b"2").run("b", b"3").one("a", b"4", retain=True).run("b", b"5")
    found = sorted(bed.hub.history("a", 9) + bed.hub.history("b", 9))
    assert [message.payload for message in found] == [b"1", b"2", b"3", b"4", b"5"]
    assert found[0].number == START * 1e6 + 1, "numbers start from the time"
    assert bed.hub.number == found[-1].number


def test_each_turn_has_its_own_time() -> None:
    bed = Bed().run("a", b"1")
    bed.hub.settle()
    bed.clock.now += 5
    bed.run("a", b"2")
    bed.hub.settle()
    bed.clock.now += 5
    assert [message.time for message in bed.hub.history("a", 9)] == [START, START + 5]


def test_an_empty_payload_is_a_value_and_an_empty_retained_one_deletes() -> None:
    bed = Bed().run("a", b"")
    assert bed.hub.get("a") is not None
    bed.one("a", b"", retain=True)
    assert bed.hub.get("a") is None
    assert bed.hub.history("a", 9)[-1].deletes
    bed.run("a", b"x")
    assert bed.hub.get("a") is not None


def test_deleting_says_whether_there_was_a_value() -> None:
    bed = Bed().run("a", b"1")
    assert bed.hub.delete("a")
    assert not bed.hub.delete("a")
    assert not bed.hub.delete("never")


def test_topics_of_the_server_are_not_the_hubs() -> None:
    bed = Bed().run("$SYS/x", b"1").one("$SYS/x", b"1", retain=True)
    assert bed.hub.get("$SYS/x") is None
    assert bed.hub.values("", None, 9, anything).messages == []
    with pytest.raises(ValueError, match="no topic of the hub"):
        bed.hub.publish("$SYS/x", b"")


def test_publishing_answers_with_the_message() -> None:
    bed = Bed().run("a", b"before")
    found = bed.hub.publish("a", b"x", retain=True, integration_id=3)
    assert found == Message(found.number, "a", b"x", True, 3, START)
    assert bed.hub.get("a") == found


# --- listeners


def test_listeners_are_told_at_the_end_of_the_turn_of_each_message_in_order() -> None:
    bed = Bed(history=2)
    ear, other = bed.listen("a/#"), bed.listen("+/c", "b")
    bed.run("a/b", b"1", b"2", b"3", b"4").one("a/c", b"5", retain=True).run("a/b", b"6").run("b", b"7")
    assert ear.messages == []
    bed.hub.settle()
    assert [payload for _, payload in ear.told] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert other.told == [("a/c", b"5"), ("b", b"7")]
    assert ear.turns == other.turns == 1
    assert bed.history("a/b") == [b"4", b"6"]


def test_a_listener_hears_nothing_from_before_it_listened() -> None:
    bed = Bed().run("a", b"1")
    bed.hub.settle()
    bed.run("a", b"2")
    ear = bed.listen("a")
    bed.run("a", b"3")
    bed.hub.settle()
    assert ear.told == [("a", b"3")]


@pytest.mark.parametrize("topic_filter", ["a", "#", "+"])
def test_a_listener_that_has_ended_hears_nothing_more(topic_filter: str) -> None:
    bed = Bed()
    ear, other = bed.listen(topic_filter), bed.listen("a")
    bed.run("a", b"1")
    bed.hub.settle()
    bed.run("a", b"2")
    bed.hub.unlisten(ear)
    bed.run("a", b"3")
    bed.hub.settle()
    assert ear.told == [("a", b"1")]
    assert other.told == [("a", b"1"), ("a", b"2"), ("a", b"3")]
    bed.hub.unlisten(other)
    bed.run("a", b"4")
    bed.hub.settle()
    assert len(other.told) == 3


def test_filters_come_and_go_one_by_one() -> None:
    bed = Bed()
    ear = bed.listen("a")
    bed.hub.listen(["b", "c/#"], ear, anything)
    bed.hub.unlisten(ear, ["a", "c/#", "never"])
    bed.run("a", b"1").run("b", b"2").run("c", b"3")
    bed.hub.settle()
    assert ear.told == [("b", b"2")]


def test_what_a_listener_may_not_read_it_does_not_hear() -> None:
    bed, ear = Bed(), Ear()
    bed.hub.listen(["#"], ear, lambda topic: topic.startswith("open/"))
    bed.run("open/a", b"1").run("secret", b"2")
    bed.hub.settle()
    assert ear.told == [("open/a", b"1")]


def test_who_publishes_does_not_hear_itself() -> None:
    bed = Bed()
    ear, other = bed.listen("a"), bed.listen("a")
    bed.hub.publish("a", b"1", origin=ear)
    bed.hub.settle()
    assert (ear.told, other.told) == ([], [("a", b"1")])


def test_a_listener_may_publish_and_is_told_in_the_next_turn() -> None:
    bed = Bed()

    class Echo(Ear):
        def heard(self, messages: object) -> None:
            super().heard(messages)  # type: ignore[arg-type]
            if len(self.messages) < 3:
                bed.hub.publish("a", b"again")

    echo = Echo()
    bed.hub.listen(["a"], echo, anything)
    bed.run("a", b"1")
    for turn in range(4):
        bed.hub.settle()
        assert echo.turns == min(turn + 1, 3)
    assert bed.woken == 3, "once for each turn in which something was heard"


def test_an_evicted_topic_that_comes_again_is_heard() -> None:
    bed = Bed(topics=1)
    held = bed.hub.entry("a")
    bed.run("a", b"1").hub.settle()
    bed.run("b", b"2").hub.get("a")
    ear = bed.listen("a")
    bed.hub.heard += (held, b"x3", 0, 1, 2, 1, 1)  # by whoever held on to its entry
    assert bed.hub.entry("a") is held
    bed.run("a", b"4").hub.settle()
    assert ear.told == [("a", b"3"), ("a", b"4")]


# --- expiry


def test_a_value_expires() -> None:
    bed = Bed().run("a", b"1").one("a", b"2", expires_in=10)
    assert bed.history("a") == [b"1", b"2"]
    bed.clock.now += 10
    assert bed.hub.get("a") is None
    assert bed.history("a") == [b"1"]
    bed.hub.sweep()
    assert bed.hub.get("a") is None, "and not the one before"
    assert bed.history("a") == [b"1"]
    bed.run("a", b"3")
    assert bed.history("a") == [b"1", b"3"]


def test_what_has_an_expiry_is_no_history() -> None:
    bed = Bed().one("a", b"1", expires_in=10)
    number = bed.hub.number
    bed.one("a", b"2", expires_in=20).run("a", b"3")
    assert bed.history("a") == [b"3"]
    assert bed.hub.since(number, ["a"], 9)[1]
    bed.clock.now += 30
    bed.hub.sweep()
    assert bed.history("a") == [b"3"]


# --- what is deleted


def test_values_of_deleted_integrations_are_let_go_of() -> None:
    bed = Bed().run("a", b"1", who=1).run("b", b"2", who=2).run("c", b"3", who=1).run("c", b"4", who=2)
    bed.hub.forget({1})
    bed.hub.settle()
    assert [message.topic for message in bed.hub.values("", None, 9, anything).messages] == ["b", "c"]
    assert bed.hub.get("a") is None and bed.hub.history("a", 9) == []
    bed.run("a", b"5", who=3)
    assert bed.hub.get("a").payload == b"5"
    used = {one.name: one.used for one in bed.hub.usage()}
    assert used["HUB_TOPICS"] == 3


def test_of_many_topics_some_are_looked_at_in_each_turn_and_others_come_and_go_meanwhile() -> None:
    bed = Bed(turn=10)
    for number in range(95):
        bed.run(f"t{number:02}", b"1", who=1 + number % 2)
    bed.hub.settle()
    bed.hub.forget({1})
    turns = 0
    while bed.woken:
        bed.woken, before = 0, bed.hub.usage()[0].used
        bed.hub.settle()
        turns += 1
        assert before - bed.hub.usage()[0].used <= 10
        if turns == 3:
            bed.hub.forget({3})
            bed.run("t24", b"2", who=2).run("t00", b"3", who=3)
            bed.hub.delete("t99")
    assert turns > 9
    kept = {message.topic: message.integration_id for message in bed.hub.values("", None, 99, anything).messages}
    assert kept == {f"t{number:02}": 2 for number in range(95) if number % 2 or number == 24}


def test_deleting_what_is_not_there_publishes_nothing() -> None:
    bed, ear = Bed(), Ear()
    bed.hub.listen(["#"], ear, anything)
    number = bed.hub.number
    assert not bed.hub.delete("a")
    bed.hub.settle()
    assert (ear.messages, bed.hub.number, bed.hub.history("a", 9)) == ([], number, [])
