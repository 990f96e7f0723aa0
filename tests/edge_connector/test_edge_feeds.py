"""Which feeds may be, and what of their readings is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_connector.connectors import make
from edge_connector.connectors.http import HTTP
from edge_connector.described import Listener, functions, offered
from edge_connector.errors import Refused
from edge_connector.feeding import Feeding
from edge_connector.feeds import Feed, Sieve, Store, parse
from edge_connector.listeners import LISTENING
from edge_connector.running import Surroundings
from edge_connector.settings import Table
from edge_connector.timetable import Timetable


class Device:
    @offered(reads=True)
    def value(self, register: int) -> float:
        """Reads."""
        return register

    @offered()
    def change(self, register: int) -> None:
        """Writes."""

    @offered(reads=True)
    def follow(self, register: int, listener: Listener) -> bool:
        """Tells."""
        return True


OFFERS = {"plc": functions(Device)}
POLL = {"connector": "plc", "function": "value", "arguments": [7], "topic": "plant/7", "interval": 1}


def feed(**changes: Any) -> Feed:
    return parse("seven", POLL | changes, OFFERS)


def test_what_only_reads_is_documented_as_such() -> None:
    reads = {name: one.meta().get("reads") for name, one in functions(Device).items()}
    assert reads == {"value": True, "change": None, "follow": True}
    assert not any(one.reads for one in LISTENING.values()), "who listens is no reading, and no form may offer it"


def test_what_may_be_left_out_is_documented_with_what_stands_for_it() -> None:
    get = functions(HTTP)["get"]
    assert get.meta()["params"][1] == {
        "name": "headers",
        "type": "object",
        "description": "Headers of the request",
        "optional": True,
        "default": {},
    }
    with pytest.raises(Refused, match="headers has to be of type object"):
        get.check(["http://server/", []])


def test_a_feed_comes_back_as_it_was_defined() -> None:
    assert parse("seven", feed(deadband=2).definition(), OFFERS) == feed(deadband=2)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"connector": "other"}, "no connector 'other'"),
        ({"function": "close"}, "no function 'close'"),
        ({"function": "change"}, "does more than read"),
        ({"arguments": []}, "takes 1 arguments"),
        ({"arguments": ["7"]}, "register has to be of type integer"),
        ({"interval": None}, "needs an interval"),
        ({"interval": 0.001}, "interval has to be from 0.05"),
        ({"interval": float("inf")}, "interval has to be a number"),
        ({"interval": float("nan")}, "interval has to be a number"),
        ({"interval": 10**400}, "interval has to be a number"),
        ({"function": "follow"}, "a watch has no interval"),
        ({"topic": "plant/#"}, "topic"),
        ({"topic": "$SYS/x"}, "topic"),
        ({"topic": "acme/hall/__agentInfo__"}, "topic"),
        ({"deadband": -1}, "deadband"),
        ({"deadband": 10**400}, "deadband has to be a number"),
        ({"send": "sometimes"}, "send has to be"),
        ({"retain": 1}, "retain has to be of type bool"),
        ({"colour": 1}, "no 'colour'"),
    ],
)
def test_what_may_not_be_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        feed(**changes)


def sent(feed: Feed, *values: Any) -> list[tuple[str, Any]]:
    sieve = Sieve(feed)
    return [one for value in values for one in sieve.passing(value)]


def test_every_reading_is_sent_or_only_changes_or_only_large_ones() -> None:
    assert len(sent(feed(), 1, 1, 2)) == 3
    assert sent(feed(send="change"), 1, 1, 2, True, None, None) == [("plant/7", one) for one in (1, 2, True, None)]
    assert sent(feed(send="change", deadband=2), 10, 11, 12, 12.5, 11, 10.4) == [
        ("plant/7", 10),
        ("plant/7", 12.5),
        ("plant/7", 10.4),
    ]


def test_members_of_a_reading_have_topics_of_their_own() -> None:
    spread = feed(spread=True, send="change")
    assert sent(spread, {"a": 1, "b/+": 2}, {"a": 1, "b/+": 3}, 5) == [
        ("plant/7/a", 1),
        ("plant/7/b__", 2),
        ("plant/7/b__", 3),
        ("plant/7", 5),
    ]


def test_readings_do_not_go_where_agents_answer_and_tell_of_events(tmp_path: Path) -> None:
    around = Surroundings(Timetable(), lambda _: None, str, 1000)
    box = make("box", Table("connectors.box", {"kind": "system"}))
    feeding = Feeding(Store(tmp_path / "feeds.json"), {"box": box}, around, 10, "acme")
    try:
        poll = {"connector": "box", "function": "cpu", "interval": 60}
        with pytest.raises(Refused, match="topic cannot be one of the domain acme"):
            feeding.change({"a": {**poll, "topic": "acme/host/client"}}, whole=False)
        feeding.change({"a": {**poll, "topic": "acme.hall/host/client"}}, whole=False)
        assert feeding.names() == ["a"]
    finally:
        feeding.close()


def test_what_is_kept_is_whole_or_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path / "feeds.json")
    assert store.load() == {}
    store.save({"seven": feed().definition()})
    (tmp_path / "feeds.new").mkdir()  # nothing can be written there
    with pytest.raises(Refused, match="cannot be kept"):
        store.save({})
    assert store.load()["seven"]["topic"] == "plant/7"
