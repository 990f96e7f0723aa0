"""What the portal's pages ask of the topics, with a hub and without sockets."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import pytest

from protocols.contract import Refused
from protocols.http.limits import Limits
from protocols.http.messages import Rows
from protocols.http.topics import Topics
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits

LONG = "long/" + "ä" * 30_000


class Running:
    """The actions, on a hub of their own."""

    def __init__(self, **limits: int) -> None:
        self.hub = Hub(HubLimits(), lambda: 1_000_000.0)
        made = Limits(**limits)
        self._actions = Topics(self.hub, Rows({3: "plant"}.get, made.answer_bytes), made).actions()

    def ask(self, action: str, *arguments: Any) -> Any:
        return self._actions[f"topics_{action}"](*arguments)


@pytest.fixture
def running() -> Running:
    return Running()


def test_operators_read_and_write_every_topic(running) -> None:
    number = running.ask("publish", "a/b", b"12345", 0, True)
    running.hub.publish("a", b"0", integration_id=3)
    assert running.ask("get", "a/b", 3) == [number, "a/b", b"123", True, None, 1_000_000.0, 5]
    assert running.ask("get", "a", 3)[4] == "plant"
    assert [row[2] for row in running.ask("history", "a/b", 10, 2)] == [b"12"]
    ((name, has_more, row),) = running.ask("children", "", None, 10, 3)["children"]
    assert (name, has_more, row[2]) == ("a", True, b"0")
    ((name, has_more, row),) = running.ask("children", "a/", None, 10, 3)["children"]
    assert (name, has_more, row[2], row[6]) == ("b", False, b"123", 5)
    assert running.ask("delete", "a/b") is True and running.ask("delete", "a/b") is False
    assert running.ask("get", "a/b", 3) is None


@pytest.mark.parametrize("bad", ["$SYS/a", "+", "a/#", "", "a\0b", "x" * 65_536])
def test_what_is_no_topic_of_theirs_is_refused_by_name(running, bad) -> None:
    for action, arguments in {"publish": (b"1", 0, False), "delete": ()}.items():
        with pytest.raises(Refused) as refused:
            running.ask(action, bad, *arguments)
        assert refused.value.field == "topic"


def test_a_search_goes_on_behind_its_cursor(running) -> None:
    for topic in ("plant/Speed", "plant/state", "store/speed"):
        running.ask("publish", topic, b"1", 0, False)
    first = running.ask("find", "sPe", None, 1, 10)
    assert [row[1] for row in first["values"]] == ["plant/Speed"]
    second = running.ask("find", "spe", first["cursor"], 1, 10)
    assert [row[1] for row in second["values"]] == ["store/speed"]
    assert running.ask("find", "spe", second["cursor"], 1, 10) == {"values": [], "cursor": None}


def test_answers_are_bounded_and_nothing_is_left_out() -> None:
    running = Running(answer_bytes=1_000)
    topics = [f"a/{letter}{'x' * 300}" for letter in "abcdef"]
    for topic in topics:
        running.ask("publish", topic, b"y" * 100, 0, False)
    listed, found, cursor, asked = [], [], None, 0
    while not asked or cursor is not None:
        answer = running.ask("children", "a/", cursor, 100, 50)
        listed += [f"a/{row[0]}" for row in answer["children"]]
        cursor, asked = answer["cursor"], asked + 1
    assert listed == topics and asked > 2
    asked = 0
    while not asked or cursor is not None:
        answer = running.ask("find", "", cursor, 100, 50)
        found += [row[1] for row in answer["values"]]
        cursor, asked = answer["cursor"], asked + 1
    assert found == topics and asked > 1


def test_a_long_topic_is_found_by_its_beginning_and_its_digest(running) -> None:
    for topic in (LONG, LONG[:-1], f"{LONG}/below", "other"):
        running.ask("publish", topic, b"1", 0, False)
    digest = blake2b(LONG.encode(), digest_size=16).digest()
    assert running.ask("spelled", LONG[:100], digest, None) == {"topic": LONG, "cursor": None}
    assert running.ask("spelled", "other", digest, None) == {"topic": None, "cursor": None}
