"""Requests and answers as bytes."""

from __future__ import annotations

import json

import pytest

from edge_connector import wire
from edge_connector.errors import Malformed, Refused

TOPIC = "acme.default/hall/Files/box/read"
GOOD = {"c": "box", "f": "read", "a": ["x"], "i": "n-1", "s": "acme.default/pc/abcd1234", "v": 3}


def parse(topic: str = TOPIC, **changes: object) -> wire.Request:
    return wire.parse("acme.default", "hall", topic, json.dumps(GOOD | changes).encode())


def test_the_portal_is_a_client_as_well() -> None:
    assert parse(s="acme.default/__gatehouse__/x1").client == "acme.default/__gatehouse__/x1"


def test_what_is_called_is_what_the_topic_says() -> None:
    request = parse(c="Other", f="write")
    assert (request.class_name, request.instance, request.function) == ("Files", "box", "read")
    assert (request.arguments, request.client, request.id) == (["x"], "acme.default/pc/abcd1234", "n-1")


@pytest.mark.parametrize(
    "client",
    [
        None,
        7,
        "",
        "acme.default/pc",
        "other/pc/abcd1234",
        "acme.default/pc/abcd1234/more",
        "acme.default/+/abcd1234",
        "acme.default/hall/__agentInfo__",
        "acme.default//x",
        "#",
    ],
)
def test_nothing_is_answered_to_a_topic_that_is_no_clients(client: object) -> None:
    with pytest.raises(Malformed, match="reply topic"):
        parse(s=client)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"i": None}, "no id"), ({"i": True}, "no id"), ({"i": "x" * 2000}, "no id"), ({"a": {}}, "arguments")],
)
def test_what_is_no_request_is_not_taken_for_one(changes: dict[str, object], why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse(**changes)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_no_bytes_break_it(payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse("acme.default", "hall", TOPIC, payload)


@pytest.mark.parametrize("topic", ["acme.default/hall/Files/box", "acme.default/x/Files/box/read", "a/b/c/d/e/f"])
def test_only_topics_of_this_agent_are_requests(topic: str) -> None:
    with pytest.raises(Malformed, match="topic"):
        parse(topic)


@pytest.mark.parametrize("topic", ["acme.default/hall/Files/box:watch-1", "acme.default/pc/abcd1234/5f2a"])
def test_events_are_told_on_topics_of_the_agent_and_of_the_client(topic: str) -> None:
    assert wire.event_topic("acme.default", "hall", GOOD["s"], f"__e__{topic}") == topic


@pytest.mark.parametrize(
    "topic",
    [
        "plant/line1/temperature",
        "acme.default/hall/Files/__classInfo__",
        "acme.default/other/Files/box:watch-1",
        "acme.default/pc/abcd1234",
        "acme.default/pc/abcd1234/__clientInfo__",
        "acme.default/pc/abcd1234/#",
        "acme.default/hall/Files/box/read",
    ],
)
def test_events_go_nowhere_else(topic: str) -> None:
    with pytest.raises(Refused, match="event"):
        wire.event_topic("acme.default", "hall", GOOD["s"], f"__e__{topic}")


def test_what_json_does_not_have_is_null_or_refused() -> None:
    assert json.loads(wire.result("1", [1.5, float("nan"), {"a": float("inf")}]))["r"] == [1.5, None, {"a": None}]
    with pytest.raises(Refused, match="cannot be said in JSON"):
        wire.result("1", object())
    assert json.loads(wire.fault(3, "no"))["e"] == {"message": "no"}
