"""What web workers ask of the hub, over a real socket: what goes there, and what each answer becomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from portal import hub, unix, worker_client
from portal.hub import Caller, Child, Children, Forbidden, Me, Outgoing, Page, Topics, Unauthorized, Value
from portal.patient import Later
from portal.worker_client import MQTT, Refused, Silent
from protocols import contract
from protocols.answers import Answers
from protocols.looper import Looper

CALLER = Caller("plant", b"secret-\xff", "192.0.2.1", 0.5, "curl/8.0")
STATED = {"username": "plant", "password": b"secret-\xff", "address": "192.0.2.1", "waited": 0.5, "agent": "curl/8.0"}
ROW = [7, "plant/speed", b"21.5\x00\xff", True, "plant", 1_700_000_000.25]
VALUE = Value(7, "plant/speed", b"21.5\x00\xff", True, "plant", datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC), 6)
CUT = replace(VALUE, size=2_000_000)
ACTIONS = (
    *("http_me", "http_get", "http_values", "http_publish", "http_delete", "http_history", "http_enter"),
    *("topics_get", "topics_children", "topics_find", "topics_spelled", "topics_history"),
    *("topics_publish", "topics_delete"),
)


class Server:
    """Answers each action with what a test has put there, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []
        self.answer: object = None

    def act(self, name: str):
        def act(*arguments: object) -> object:
            self.asked.append((name, *arguments))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return act


@pytest.fixture
def server(flask_app, monkeypatch):
    monkeypatch.setattr(worker_client, "_silent_until", {})
    made = Server()
    looper = Looper("hub")
    looper.start()
    answers = Answers({name: made.act(name) for name in ACTIONS}, {})
    folder = flask_app.extensions["gatehouse_settings"].data_dir
    looper.run(answers.start(unix.listen_as(folder, MQTT)), 20)
    with flask_app.app_context():
        yield made
    looper.run(answers.stop(), 20)
    looper.stop(5)
    worker_client._forget()


ASKED = {  # what is called, what goes over, what comes back, and what it becomes
    "me": (
        lambda: hub.me(CALLER),
        ("http_me",),
        {"integration_id": 3, "username": "plant", "publish": ["#"], "subscribe": []},
        Me(3, "plant", ("#",), ()),
    ),
    "get": (lambda: hub.get(CALLER, "plant/speed"), ("http_get", "plant/speed"), ROW, VALUE),
    "get nothing": (lambda: hub.get(CALLER, "a"), ("http_get", "a"), None, None),
    "values": (
        lambda: hub.values(CALLER, "plant/", 10, None),
        ("http_values", "plant/", 10, None),
        {"values": [ROW, ROW], "cursor": "plant/speed"},
        Page((VALUE, VALUE), "plant/speed"),
    ),
    "publish": (
        lambda: hub.publish(CALLER, [Outgoing("a", b"\xff", 1, True), Outgoing("b", b"")]),
        ("http_publish", [["a", b"\xff", 1, True], ["b", b"", 0, False]], None),
        [7, 8],
        [7, 8],
    ),
    "delete": (lambda: hub.delete(CALLER, "a"), ("http_delete", "a", None), True, True),
    "publish if": (
        lambda: hub.publish(CALLER, [Outgoing("a", b"")], [0, 7]),
        ("http_publish", [["a", b"", 0, False]], [0, 7]),
        [8],
        [8],
    ),
    "delete if": (lambda: hub.delete(CALLER, "a", []), ("http_delete", "a", []), True, True),
    "history": (lambda: hub.history(CALLER, "a", 5), ("http_history", "a", 5), [ROW], [VALUE]),
    "enter": (lambda: hub.enter(CALLER, ("a/#", "b")), ("http_enter", ["a/#", "b"]), "ticket", "ticket"),
}

OF_PAGES = {
    "get": (lambda: Topics.get("plant/speed", 6), ("topics_get", "plant/speed", 6), [*ROW, 2_000_000], CUT),
    "get nothing": (lambda: Topics.get("a", 6), ("topics_get", "a", 6), None, None),
    "children": (
        lambda: Topics.children("plant/", None, 100, 6),
        ("topics_children", "plant/", None, 100, 6),
        {"children": [["line1", True, None], ["speed", False, [*ROW, 2_000_000]]], "cursor": "speed"},
        Children((Child("line1", True, None), Child("speed", False, CUT)), "speed"),
    ),
    "find": (
        lambda: Topics.find("spe", "a/b", 100, 6),
        ("topics_find", "spe", "a/b", 100, 6),
        {"values": [[*ROW, 2_000_000]], "cursor": None},
        Page((CUT,), None),
    ),
    "spelled": (
        lambda: Topics.spelled("pla", b"\xff", None),
        ("topics_spelled", "pla", b"\xff", None),
        {"topic": "plant/speed", "cursor": None},
        ("plant/speed", None),
    ),
    "history": (lambda: Topics.history("a", 5, 6), ("topics_history", "a", 5, 6), [[*ROW, 2_000_000]], [CUT]),
    "publish": (
        lambda: Topics.publish("a", b"1", 1, True),
        ("topics_publish", "a", b"1", 1, True),
        9,
        9,
    ),
    "delete": (lambda: Topics.delete("a"), ("topics_delete", "a"), False, False),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_a_client_asks_goes_over_with_its_credentials(server, name):
    ask, (action, *arguments), answer, found = ASKED[name]
    server.answer = {"ok": answer}
    assert ask() == found
    assert server.asked == [(action, STATED, *arguments)]


@pytest.mark.parametrize("name", OF_PAGES)
def test_what_a_page_asks_goes_over_without_any(server, name):
    ask, asked, answer, found = OF_PAGES[name]
    server.answer = answer
    assert ask() == found
    assert server.asked == [asked]


@pytest.mark.parametrize("name", ASKED)
def test_every_question_of_a_client_may_be_refused_in_every_way(server, name):
    ask = ASKED[name][0]
    server.answer = {"unauthorized": True}
    with pytest.raises(Unauthorized):
        ask()
    server.answer = {"forbidden": "plant/other"}
    with pytest.raises(Forbidden) as forbidden:
        ask()
    assert forbidden.value.topic == "plant/other"
    server.answer = {"wait": 0.25}
    with pytest.raises(Later) as later:
        ask()
    assert later.value.seconds == 0.25
    server.answer = contract.Refused("This is no topic.", "topic")
    with pytest.raises(Refused) as refused:
        ask()
    assert (str(refused.value), refused.value.field) == ("This is no topic.", "topic")


def test_credentials_that_are_missing_are_stated_as_missing(server):
    server.answer = {"unauthorized": True}
    with pytest.raises(Unauthorized):
        hub.me(Caller(None, None, "192.0.2.1", 0.0, ""))
    assert server.asked == [
        ("http_me", {"username": None, "password": None, "address": "192.0.2.1", "waited": 0.0, "agent": ""})
    ]


def test_an_answer_that_nobody_knows_lets_nobody_in(server):
    server.answer = {}
    with pytest.raises(Unauthorized):
        hub.get(CALLER, "a")


def test_a_hub_that_fails_or_is_away_is_silent(server, monkeypatch):
    server.answer = ValueError("broken")
    with pytest.raises(Silent):
        hub.get(CALLER, "a")
    with pytest.raises(Silent):
        Topics.delete("a")
    monkeypatch.setattr(hub, "MQTT", worker_client.OPCUA)
    with pytest.raises(Silent):
        hub.get(CALLER, "a")


def test_a_value_that_is_retained_and_empty_is_a_deletion():
    assert replace(VALUE, payload=b"").is_deleted
    assert not replace(VALUE, payload=b"", retain=False).is_deleted
    assert not VALUE.is_deleted
