"""Events that pages watch: registered at the agent, kept within bounds, and ended when nobody asks."""

from __future__ import annotations

import pytest
from vrpc_bench import AGENT_NAME, DOMAIN, KEY, PLACE, Bench, class_info

from protocols.contract import Refused


class Watched:
    def __init__(self, event: str = "stroke", **limits: float) -> None:
        self.bench = Bench(**limits).online().tell(f"{AGENT_NAME}/Press/__classInfo__", class_info())
        self.watch = self.bench.do["vrpc_watch"](*KEY, "Press", "p1", event)["watch"]
        self.topic = f"{self.bench.sent[-1][1]['s']}/{self.watch}"

    def events(self, after: int = 0):
        return self.bench.do["vrpc_events"](self.watch, after)

    def emit(self, *arguments: object) -> None:
        self.bench.reply(self.topic, {"a": list(arguments), "i": f"__e__{self.topic}", "v": 3})


def test_a_listener_is_registered_as_clients_do():
    watched = Watched()
    topic, request = watched.bench.sent[-1]
    assert (topic, request["c"]) == (f"{PLACE}/Press/p1/on", "p1")
    assert request["a"] == ["stroke", f"__e__{watched.topic}"]
    assert watched.events()["state"] == "starting"
    watched.bench.answer(r=True)
    assert watched.events() == {"events": [], "dropped": 0, "state": "live", "error": ""}


def test_a_topic_of_events_is_none_that_only_agents_may_have():
    assert not set(":-") & set(Watched().topic.rpartition("/")[2])


def test_a_function_that_takes_a_listener_itself_is_called_with_it():
    bench = Bench().online().tell(f"{AGENT_NAME}/Press/__classInfo__", class_info(memberFunctions=["onStroke"]))
    watch = bench.do["vrpc_watch"](*KEY, "Press", "p1", "onStroke")["watch"]
    topic, request = bench.sent[-1]
    assert (topic, request["a"]) == (f"{PLACE}/Press/p1/onStroke", [f"__e__{request['s']}/{watch}"])


def test_events_are_told_from_where_the_page_has_come_to():
    watched = Watched()
    watched.bench.answer(r=True)
    for number in range(3):
        watched.emit(number, "é")
    (last,) = watched.events(after=2)["events"]
    assert last == {"number": 3, "time": 1_000.0, "arguments": '[2, "\\u00e9"]'}
    assert [one["number"] for one in watched.events()["events"]] == [1, 2, 3]


def test_a_listener_that_cannot_be_registered_says_why():
    watched = Watched()
    watched.bench.answer(e={"message": "Could not find function: on"})
    assert (watched.events()["state"], watched.events()["error"]) == ("failed", "Could not find function: on")


def test_events_are_bounded_in_number_bytes_and_rate():
    watched = Watched(events=5, event_rate=8)
    for number in range(10):
        watched.emit(number)
    found = watched.events()
    assert [one["number"] for one in found["events"]] == [4, 5, 6, 7, 8]
    assert found["dropped"] == 5
    watched.bench.wait(1)
    watched.emit("x" * 300_000)
    watched.bench.reply(watched.topic, b"no json")
    assert watched.events()["dropped"] == 7
    watched.emit("again")
    assert watched.events(after=10)["events"][-1]["number"] == 13
    small = Watched(event_bytes=500)
    for _ in range(5):
        small.emit("x" * 120)
    assert [one["number"] for one in small.events()["events"]] == [2, 3, 4, 5]


def test_what_is_no_array_of_arguments_is_an_event_without_any():
    watched = Watched()
    for said in ({"a": 5}, {}, {"a": {"x": 1}}):
        watched.bench.reply(watched.topic, said)
    assert [one["arguments"] for one in watched.events()["events"]] == ["[]", "[]", "[]"]


def test_a_watch_that_nobody_asks_for_ends_by_itself():
    watched = Watched()
    watched.bench.answer(r=True)
    watched.bench.wait(29)
    assert watched.events()
    watched.bench.wait(29)
    assert watched.events()
    watched.bench.wait(31)
    assert watched.events() is None
    topic, request = watched.bench.sent[-1]
    assert (topic, request["a"]) == (f"{PLACE}/Press/p1/off", ["stroke", f"__e__{watched.topic}"])


def test_a_watch_is_ended_by_its_page():
    watched = Watched()
    watched.bench.answer(r=True)
    watched.bench.do["vrpc_unwatch"](watched.watch)
    watched.bench.do["vrpc_unwatch"](watched.watch)
    assert watched.events() is None
    assert [topic.rpartition("/")[2] for topic, _ in watched.bench.sent] == ["on", "off"]


def test_what_came_before_an_agent_went_offline_can_still_be_read():
    watched = Watched()
    watched.bench.answer(r=True)
    watched.emit(1)
    watched.bench.leave()
    found = watched.events()
    assert (found["state"], found["error"], len(found["events"])) == ("ended", "the agent went offline", 1)
    watched.bench.do["vrpc_unwatch"](watched.watch)
    assert watched.events() is None


def test_more_watches_than_the_limit_are_refused():
    watched = Watched(watches=1)
    with pytest.raises(Refused, match="Too many"):
        watched.bench.do["vrpc_watch"](*KEY, "Press", "p1", "stroke")
    assert watched.bench.exceeded("VRPC_WATCHES") == 1
    watched.bench.do["vrpc_unwatch"](watched.watch)
    assert watched.bench.do["vrpc_watch"](*KEY, "Press", "p1", "stroke")


def test_an_agent_that_is_offline_is_not_watched():
    bench = Bench().online().leave()
    with pytest.raises(Refused):
        bench.do["vrpc_watch"](*KEY, "Press", "p1", "stroke")
    assert len(bench.vrpc._watches) == 0


# --- what is sent to nobody


def gone(bench: Bench) -> list[str]:
    return [topic for topic, said in bench.sent if said == {"status": "offline"}]


def test_who_sends_events_to_nobody_is_told_so_at_times():
    """As after a restart: the agent has the listener still, and lets go of it when its client is gone."""
    bench = Bench().online()
    topic = f"{DOMAIN}/__gatehouse__/1234abcd"
    for _ in range(100):
        bench.reply(f"{topic}/ef", {"a": []})
    assert gone(bench) == [f"{topic}/__clientInfo__"]
    bench.reply(f"{topic}/__clientInfo__", {"status": "offline"})
    bench.wait(11).reply(f"{topic}/ef", {"a": []})
    assert len(gone(bench)) == 2


def test_an_event_of_a_watch_that_has_ended_does_not_end_the_others():
    watched = Watched()
    watched.bench.answer(r=True)
    other = watched.bench.do["vrpc_watch"](*KEY, "Press", "p1", "stroke")["watch"]
    watched.bench.do["vrpc_unwatch"](watched.watch)
    watched.emit(1)
    assert gone(watched.bench) == []
    watched.bench.do["vrpc_unwatch"](other)
    watched.emit(2)
    assert len(gone(watched.bench)) == 1


def test_who_is_told_is_bounded():
    bench = Bench().online()
    for number in range(1_100):
        bench.reply(f"{DOMAIN}/__gatehouse__/{number:08x}/ef", b"{}")
    assert (len(gone(bench)), len(bench.vrpc.caller._told)) == (1_100, 1_000)
