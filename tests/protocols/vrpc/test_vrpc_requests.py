"""The reply topic of a request: its client's own, however it is spelled."""

from __future__ import annotations

import json

import pytest

from protocols.vrpc.requests import LONGEST, Replies

OWN = "acme.default/raspi/ab12cd34"
OTHER = "acme.default/raspi/zz99zz99"


def request(**fields: object) -> bytes:
    return json.dumps({"c": "Press", "f": "move", "a": [], "i": "x-1", "s": OWN, "v": 3} | fields).encode()


@pytest.mark.parametrize(
    ("payload", "own"),
    [
        (request(), True),
        (json.dumps({"s": OWN}, separators=(",", ":")).encode(), True),
        (request(s=OTHER), False),
        (request(s=None), False),
        (request(s=[OWN]), False),
        (request(a=[{"s": OTHER}]), True),  # an argument that has an s, too
        (request(a=['"s": "']), True),
        (request(s=OTHER, a=[{"s": OWN}]), False),
        (b'{"s": "%b", "s": "%b"}' % (OWN.encode(), OTHER.encode()), False),  # of two, the last one counts
        (b'{"s": "%b", "\\u0073": "%b"}' % (OWN.encode(), OTHER.encode()), False),
        (b'{"\\u0073": "%b"}' % OWN.encode(), True),
        (b'{"s" \n:\t"%b"}' % OTHER.encode(), False),
        (b'{"x\\"s": "%b", "s": "%b"}' % (OWN.encode(), OTHER.encode()), False),
        (b'{"s": "%b", "\\u0073": "%b"}' % (OTHER.encode(), OWN.encode()), True),
        (json.dumps({"s": OTHER}).encode("utf-16"), False),  # which Python's JSON reads by itself
        (json.dumps({"s": OWN}).encode("utf-16"), True),
        (b"[]", False),
        (b"not json", False),
        (b"", False),
        (b"[" * 50_000, False),
        (b"\xff\xfe\x00", False),
    ],
)
def test_a_request_is_taken_only_with_the_clients_own_reply_topic(payload: bytes, own: bool) -> None:
    assert Replies(OWN).are_own(payload) is own


def test_a_large_request_is_looked_at_but_not_taken_apart() -> None:
    large = "x" * LONGEST
    assert Replies(OWN).are_own(request(a=[large]))
    assert not Replies(OWN).are_own(request(a=[large], s=OTHER))
    assert not Replies(OWN).are_own(request(a=[large, {"s": 1}]))  # might be fine, but nobody looks


def test_a_topic_beyond_ascii_may_be_escaped_or_not() -> None:
    topic = "ünï/hôst/ab12cd34"
    for escaped in (True, False):
        payload = json.dumps({"s": topic, "a": ["x" * LONGEST]}, ensure_ascii=escaped).encode()
        assert Replies(topic).are_own(payload)
