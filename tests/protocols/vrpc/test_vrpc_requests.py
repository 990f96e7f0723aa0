"""The reply topic of a request, and where it is called back: the client's own, however these are spelled."""

from __future__ import annotations

import json

import pytest

from protocols.vrpc.requests import LONGEST, Replies

OWN = "acme.default/raspi/ab12cd34"
OTHER = "acme.default/raspi/zz99zz99"


EVENT = "acme.default/press/Press/line1:moved-ab12cd34"


def replies(topic: str = OWN) -> Replies:
    return Replies(topic, lambda name: name == EVENT or f"{name}/".startswith(f"{topic}/"))


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
        (b'{"s": "%b", "\\u0073": "%b"}' % (OTHER.encode(), OWN.encode()), False),  # some agents take the first
        (b'{"s": "%b", "s": "%b"}' % (OTHER.encode(), OWN.encode()), False),
        (json.dumps({"s": OTHER}).encode("utf-16"), False),  # which Python's JSON reads by itself
        (json.dumps({"s": OWN}).encode("utf-16"), False),
        (json.dumps({"s": OWN, "a": ["__e__" + OTHER]}).encode("utf-16"), False),
        (request(a=["moved", "__e__" + EVENT]), True),  # npm's client
        (request(a=["moved", f"__e__{OWN}/0123456789ab"]), True),  # that of PyPI
        (request(a=["__f__press-Press-wait-0-1", {"__e__": 1}]), True),  # called back at s
        (request(a=["moved", "__e__" + OTHER]), False),
        (request(a=["moved", f"__e__{OTHER}/0123456789ab"]), False),
        (request(a=["__e__" + EVENT, "__e__" + OTHER]), False),
        (request(a={"__e__" + OTHER: 1}), False),  # whose keys are arguments in Python
        (request(a=["x", "__e__" + OTHER]).replace(b"__e__", b"\\u005f_e__"), False),
        (request(a=["x", "__e__" + OTHER]).replace(b"__e__", b"_\\u005Fe__"), False),
        (request(a=["x", "__e__" + OTHER]).replace(b"__e__", b"__\\u0065__"), False),
        (request(a=["x", "__e__" + OWN]).replace(b"__e__", b"__\\u0065__"), True),
        (request(a=["x", "__e__" + OTHER])[:-1] + b', "a": []}', False),
        (request(a=['say "__e__"']), True),
        (b"[]", False),
        (b"not json", False),
        (b"", False),
        (b"[" * 50_000, False),
        (b"\xff\xfe\x00", False),
    ],
)
def test_a_request_is_taken_only_with_the_clients_own_reply_topic(payload: bytes, own: bool) -> None:
    assert replies().are_own(payload) is own


def test_a_large_request_is_looked_at_but_not_taken_apart() -> None:
    large = "x" * LONGEST
    assert replies().are_own(request(a=[large]))
    assert not replies().are_own(request(a=[large], s=OTHER))
    assert replies().are_own(request(a=[large, "\u00e9"]))
    assert not replies().are_own(request(a=[large, "__e__" + EVENT]))
    assert not replies().are_own(request(a=[large, {"s": 1}]))  # might be fine, but nobody looks


def test_a_topic_beyond_ascii_may_be_escaped_or_not() -> None:
    topic = "ünï/hôst/ab12cd34"
    for escaped in (True, False):
        payload = json.dumps({"s": topic, "a": ["x" * LONGEST]}, ensure_ascii=escaped).encode()
        assert replies(topic).are_own(payload)
