"""What web workers ask for clients, with a hub and without sockets."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import pytest
from http_wire import ADDRESS, Door, Recorder, caller

from protocols.contract import Grant, Login, Refusal, Refused, Wait
from protocols.http.api import Api
from protocols.http.cursors import FOR_ONE, MOST, Cursors
from protocols.http.door import Door as HttpDoor
from protocols.http.limits import Limits
from protocols.http.messages import Rows
from protocols.http.periods import Periods
from protocols.http.tickets import Tickets
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.tally import Counts, Tally

NAMES = {1: "ada", 2: "bob"}


class Running:
    """The actions, on a hub of their own."""

    def __init__(self, of_hub: HubLimits | None = None, **limits: int) -> None:
        self.time = 1_000_000.0
        self.limits = Limits(**limits)
        self.hub = Hub(of_hub or HubLimits(), lambda: self.time)
        self.door, self.presence, self.tally = Door(), Recorder(), Tally()
        self.periods = Periods(self.presence, self.limits)
        self.tickets = Tickets(self.limits, lambda: "ticket")
        rows = Rows(lambda integration_id: NAMES.get(integration_id, ""), self.limits.answer_bytes)
        door = HttpDoor(self.door, self.periods, self.now)
        api = Api(self.hub, door, self.tickets, rows, self.tally, self.limits, self.now)
        self.actions = api.actions()

    def now(self) -> float:
        return self.time

    def ask(self, action: str, *arguments: Any, **who: Any) -> Any:
        return self.actions[f"http_{action}"](caller(**who), *arguments)

    def ok(self, action: str, *arguments: Any, **who: Any) -> Any:
        answer = self.ask(action, *arguments, **who)
        assert set(answer) == {"ok"}, answer
        return answer["ok"]

    @property
    def topics(self) -> dict[str, bytes]:
        messages = self.hub.values("", None, 1000, lambda topic: True).messages
        return {message.topic: message.payload for message in messages}


@pytest.fixture
def running() -> Running:
    return Running()


EVERY = [
    ("me", ()),
    ("get", ("a",)),
    ("values", ("", 10, None)),
    ("publish", ([["a", b"1", 0, False]],)),
    ("delete", ("a",)),
    ("history", ("a", 10)),
    ("enter", (["a"],)),
    ("knock", ("Press 4", True)),
]


@pytest.mark.parametrize(("action", "arguments"), EVERY, ids=lambda value: value if isinstance(value, str) else "")
def test_nothing_is_done_without_credentials(running, action, arguments) -> None:
    running.hub.publish("a", b"0")
    for who in ({"username": None}, {"password": b"wrong"}, {"username": "nobody"}):
        assert running.ask(action, *arguments, **who) == {"unauthorized": True}
    running.door.waits.append(Wait(0.5))
    assert running.ask(action, *arguments) == {"wait": 0.5}
    assert running.topics == {"a": b"0"} and len(running.tickets) == 0
    assert not running.presence.count and running.tally.total == Counts()


def test_every_action_is_tested_for_that(running) -> None:
    assert {name for name in running.actions if name.startswith("http_")} == {f"http_{name}" for name, _ in EVERY}


def test_the_login_says_who_where_and_how(running) -> None:
    running.ask("me", agent="x" * 500, waited=1.5)
    assert running.door.logins == [Login("http", "ada", b"right", "x" * 200, ADDRESS, "1.1", "http")]
    assert running.door.waited == [1.5]


def test_requests_of_one_address_are_one_period(running) -> None:
    for _ in range(3):
        running.ok("me")
    running.ok("me", address="192.0.2.2")
    assert running.presence.count == 2


def test_me_tells_the_filters_as_they_hold(running) -> None:
    assert running.ok("me", username="bob") == {
        "integration_id": 2,
        "username": "bob",
        "publish": ["bob/#", "all"],
        "subscribe": ["bob/#"],
    }


def test_what_is_published_is_read_with_who_published_it_and_when(running) -> None:
    (first,) = running.ok("publish", [["a/b", b"1", 1, True]])
    number, topic, payload, retain, integration, time = running.ok("get", "a/b")
    assert (topic, payload, retain, integration, time) == ("a/b", b"1", True, "ada", 1_000_000.0)
    assert number == first
    assert running.ok("get", "a") is None
    (second,) = running.ok("publish", [["a/b", b"2", 0, False]])
    assert second > first
    assert [row[2] for row in running.ok("history", "a/b", 10)] == [b"1", b"2"]
    assert [row[2] for row in running.ok("history", "a/b", 1)] == [b"2"]
    assert running.ok("delete", "a/b") is True
    assert running.ok("delete", "a/b") is False
    assert running.ok("get", "a/b") is None


def test_topics_that_the_grant_does_not_open_are_forbidden(running) -> None:
    running.ok("publish", [["secret", b"1", 0, False], ["bob/x", b"2", 0, False]])
    for action, *arguments in (
        ("get", "secret"),
        ("history", "secret", 10),
        ("delete", "secret"),
        ("publish", [["secret", b"9", 0, False]]),
        ("enter", ["secret"]),
    ):
        assert running.ask(action, *arguments, username="bob") == {"forbidden": "secret"}
    assert running.ask("get", "all", username="bob") == {"forbidden": "all"}, "it may only be published"
    assert running.ask("enter", ["bob/#", "#"], username="bob") == {"forbidden": "#"}
    assert running.ask("publish", [["$SYS/x", b"", 0, False]]) == {"forbidden": "$SYS/x"}
    assert running.ask("delete", "$SYS/x") == {"forbidden": "$SYS/x"}
    found = running.ok("values", "", 10, None, username="bob")
    assert [row[1] for row in found["values"]] == ["bob/x"]
    assert running.topics == {"secret": b"1", "bob/x": b"2"}


def test_a_deletion_tells_nothing_of_a_topic_that_may_not_be_read(running) -> None:
    running.ok("publish", [["all", b"1", 0, False]])
    assert running.ok("delete", "all", username="bob") is True
    assert running.topics == {}
    assert running.ok("delete", "all", username="bob") is True, "as if there had been a value"


def test_of_several_messages_all_are_published_or_none(running) -> None:
    good = ["bob/x", b"1", 0, False]
    assert running.ask("publish", [good, ["ada", b"2", 0, False]], username="bob") == {"forbidden": "ada"}
    unnamed, wild, bad_qos = ["", b"", 0, False], ["a/+", b"", 0, False], ["bob/x", b"", 3, False]
    for bad, field in ((unnamed, "topic"), (wild, "topic"), (bad_qos, "qos")):
        with pytest.raises(Refused) as refused:
            running.ask("publish", [good, bad], username="bob")
        assert refused.value.field == f"messages/1/{field}"
    assert running.topics == {}
    numbers = running.ok(
        "publish", [[f"bob/{number}", b"%d" % number, 0, False] for number in range(1000)], username="bob"
    )
    assert numbers == sorted(set(numbers)) and len(running.topics) == 1000
    with pytest.raises(Refused, match="1000"):
        running.ask("publish", [good] * 1001)


@pytest.mark.parametrize(
    "topic", ["", "a/#", "+", "a\0", "a\n", "a\x7fb", "\ufffe", "x" * 65_536, "ä" * 40_000, "\ud800"]
)
def test_illegal_topics_are_refused_in_words(running, topic) -> None:
    for action, *arguments in (("get", topic), ("history", topic, 1), ("delete", topic)):
        with pytest.raises(Refused, match="topic"):
            running.ask(action, *arguments)


@pytest.mark.parametrize("filters", [[], ["a"] * 101, ["a#"], ["#/a"], ["a+"], [""], ["a\0"]])
def test_a_stream_needs_a_few_legal_filters(running, filters) -> None:
    with pytest.raises(Refused, match="topic"):
        running.ask("enter", filters)
    assert len(running.tickets) == 0


def test_a_stream_gets_a_ticket_for_its_filters(running) -> None:
    ticket = running.tickets.take(running.ok("enter", ["b/#", "a", "b/#"]), running.time)
    assert ticket.filters == ("b/#", "a") and ticket.period.address == ADDRESS


def test_values_come_in_pages_by_topic(running) -> None:
    running.ok("publish", [[f"{name}/{number}", b"x", 0, False] for name in "ab" for number in range(5)])
    first = running.ok("values", "a/", 3, None)
    assert [row[1] for row in first["values"]] == ["a/0", "a/1", "a/2"]
    second = running.ok("values", "a/", 3, first["cursor"])
    assert [row[1] for row in second["values"]] == ["a/3", "a/4"] and second["cursor"] is None


def test_a_cursor_tells_nothing_of_topics_that_may_not_be_read() -> None:
    running = Running(HubLimits(steps=3))
    running.ok("publish", [[f"open/secret-{number}", b"x", 0, False] for number in range(8)])
    seen, cursor = [], None
    while True:
        found = running.ok("values", "", 100, cursor, username="bob")
        assert found["values"] == []
        if (cursor := found["cursor"]) is None:
            break
        seen.append(cursor)
        padded = cursor + "=" * (-len(cursor) % 4)
        assert "secret" not in cursor and b"secret" not in urlsafe_b64decode(padded)
    assert len(seen) == 2 and len(set(seen)) == 2


def test_a_cursor_fits_into_an_address_whatever_the_topic(running) -> None:
    topics = sorted(f"{'ä' * count}{number}" for count in (1, 250, 30_000) for number in range(6))
    running.ok("publish", [[topic, b"x", 0, False] for topic in topics])
    seen, cursor = [], None
    while True:
        found = running.ok("values", "", 1, cursor)
        seen += [row[1] for row in found["values"]]
        if (cursor := found["cursor"]) is None:
            break
        assert len(cursor) < 1_000
        for who in ("ada", "bob"):
            running.ask("values", "", 1, None, username=who)
    assert seen == topics


def test_long_cursors_are_bounded_and_those_of_others_stay() -> None:
    cursors = Cursors()
    topics = ["x" * 60_000 + str(number) for number in range(FOR_ONE + 2)]
    other = cursors.seal(topics[0], 2)
    sealed = [cursors.seal(topic, 1) for topic in topics]
    for first in sealed[:2]:
        with pytest.raises(Refused) as refused:
            cursors.open(first, 1)
        assert refused.value.field == "cursor"
    assert [cursors.open(one, 1) for one in sealed[2:]] == topics[2:]
    assert cursors.open(other, 2) == topics[0]
    with pytest.raises(Refused):
        cursors.open(sealed[-1], 2)
    for number in range(3, 3 + MOST):
        cursors.seal(topics[0], number)
    with pytest.raises(Refused):
        cursors.open(other, 2)
    assert len(cursors._remembered) == MOST == sum(map(len, cursors._own.values()))


@pytest.mark.parametrize("cursor", ["open/secret-3", "%", "A" * 40, "\xe9"])
def test_what_is_no_cursor_is_refused(running, cursor: str) -> None:
    with pytest.raises(Refused) as refused:
        running.ask("values", "", 100, cursor)
    assert refused.value.field == "cursor"


def test_an_answer_holds_so_many_bytes_and_one_value_at_least() -> None:
    running = Running(answer_bytes=1_000)
    running.ok("publish", [[f"a/{number}", b"x" * 400, 0, False] for number in range(5)])
    seen, cursor = [], None
    while True:
        found = running.ok("values", "", 100, cursor)
        seen.append([row[1] for row in found["values"]])
        if (cursor := found["cursor"]) is None:
            break
    assert seen == [["a/0", "a/1"], ["a/2", "a/3"], ["a/4"]]
    running.ok("publish", [["a/0", b"y" * 400, 0, False], ["a/0", b"z" * 5_000, 0, False]])
    assert [row[2][:1] for row in running.ok("history", "a/0", 10)] == [b"z"]


def test_traffic_is_counted(running) -> None:
    running.ok("publish", [["a", b"123", 0, False], ["b", b"4", 0, False]])
    running.ok("get", "a")
    running.ok("values", "", 10, None)
    running.ok("history", "a", 10)
    running.ok("delete", "b")
    assert running.tally.total == Counts(3, 4, 7, 14)
    (period,) = running.periods
    assert period.counts == running.tally.total


def test_a_changed_grant_holds_for_the_next_request(running) -> None:
    running.ok("get", "a")
    running.door.answers["ada"] = Grant(1, "ada", subscribe=("b",))
    assert running.ask("get", "a") == {"forbidden": "a"}
    running.door.answers["ada"] = Refusal.INACTIVE
    assert running.ask("get", "b") == {"unauthorized": True}
