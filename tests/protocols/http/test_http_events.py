"""Messages as events, and what a payload is."""

from __future__ import annotations

import json

import pytest
from http_wire import events

from payloads import BYTES, JSON, TEXT, kind_of
from protocols.http.events import Encoder
from protocols.hub.messages import Message

AT = 1_750_000_000.25


def encoder() -> Encoder:
    return Encoder(lambda integration_id: {7: "plänt"}.get(integration_id, ""), str, lambda act: None)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"1", JSON),
        (b"-1.5e3", JSON),
        (b"1e999", JSON),
        (b"null", JSON),
        (b'{"a": [1, "x"]}', JSON),
        (b' \r\n"a" ', JSON),
        (b"", TEXT),
        (b"NaN", TEXT),
        (b"-Infinity", TEXT),
        (b"on", TEXT),
        (b"\xef\xbb\xbf1", TEXT),
        (b"[" * 100_000, TEXT),
        ("grün".encode(), TEXT),
        (b"\xff", BYTES),
        (b"\xed\xa0\x80", BYTES),
    ],
)
def test_a_payload_is_json_text_or_bytes(payload: bytes, kind: str) -> None:
    assert kind_of(payload) == kind


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"21.50", {"value": 21.5}),
        (b'{"a":\n\r\n 1}', {"value": {"a": 1}}),
        (b"null", {"value": None}),
        (b"a\nevent: forged\ndata: 1\r\n\r\n", {"text": "a\nevent: forged\ndata: 1\r\n\r\n"}),
        ("\u2028\x85".encode(), {"text": "\u2028\x85"}),
        (b"\xff\x00", {"base64": "/wA="}),
        (b"", {"text": ""}),
    ],
)
def test_an_event_holds_what_was_published(payload: bytes, told: dict[str, object]) -> None:
    data = encoder().event(Message(12, "a/ä", payload, False, 7, AT))
    assert data.count(b"\n\n") == 1 and data.endswith(b"\n\n") and b"\r" not in data
    ((name, number, found),) = [
        (line[1], int(line[0]), json.loads(line[2]))
        for line in [[part.split(": ", 1)[1] for part in data.decode().strip("\n").split("\n")]]
    ]
    common = {"topic": "a/ä", "retain": False, "integration": "plänt", "time": "1750000000.25"}
    assert (name, number, found) == ("message", 12, common | told)


def test_numbers_stay_as_they_were_written() -> None:
    data = encoder().event(Message(1, "a", b"[1e999, 100000000000000000000.10]", False, 7, AT))
    assert b'"value": [1e999, 100000000000000000000.10]' in data


def test_what_deletes_a_value_is_an_event_of_its_own_and_the_portal_is_no_integration() -> None:
    ((name, number, told),) = events(encoder().event(Message(3, "a", b"", True, 0, AT)))
    assert (name, number, told["topic"], told["integration"]) == ("deleted", 3, "a", None)


def test_a_message_is_encoded_once_in_a_turn() -> None:
    due = []
    one = Encoder(lambda integration_id: "", str, due.append)
    message = Message(3, "a", b"1", False, 0, AT)
    assert one.event(message) is one.event(message)
    one.event(message._replace(number=4))
    assert len(due) == 1
    due[0]()
    assert one._known == {}
