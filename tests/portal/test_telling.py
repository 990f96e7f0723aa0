"""What telling say: kinds, lines, dumps."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import telling
from portal.telling import Told
from protocols.hub import values

KINDS = {
    b"21.5": ("Number", 21.5),
    b" -3e2 ": ("Number", -300.0),
    b"7": ("Number", 7.0),
    b"1e400": ("JSON", None),
    b"1" + b"0" * 400: ("JSON", None),
    b"true": ("Boolean", None),
    b'"on"': ("String", None),
    b'{"a": 1}': ("JSON", None),
    b"null": ("JSON", None),
    b"NaN": ("Text", None),
    b"-Infinity": ("Text", None),
    b"on": ("Text", None),
    b"[" * 100_000: ("Text", None),
    b"1" * 10_000: ("JSON", None),
    b"[" * 101 + b"]" * 101: ("Text", None),
    "käse\n\t".encode(): ("Text", None),
    b"": ("Empty", None),
    b"\xff\xfe": ("Binary", None),
    b"a\x00b": ("Binary", None),
    b"\x1b[31m": ("Binary", None),
}


@pytest.mark.parametrize("payload", KINDS, ids=lambda payload: repr(payload[:12]))
def test_a_payload_has_its_kind(payload):
    kind, number = KINDS[payload]
    told = telling.tell(payload, is_whole=True)
    assert (told.kind, told.number) == (kind, number)


@given(number=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_those_that_the_protocols_see(number):
    payload = values.dump(number)
    assert telling.tell(payload, is_whole=True).number == float(values.read(payload)) == float(number)


def test_of_a_payload_that_is_cut_only_text_is_seen():
    assert telling.tell(b"12345", is_whole=False) == Told("Text", "12345")
    assert telling.tell("kä".encode()[:-1], is_whole=False) == Told("Text", "k")
    assert telling.tell("kä".encode()[:-1], is_whole=True).kind == "Binary"
    assert telling.tell(b"k\xff", is_whole=False).kind == "Binary"


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b"21.5", "21.5"),
        (b"a\nb\tc", r"a\nb\tc"),
        (b"x" * 300, "x" * 200 + "…"),
        (b"\xff" * 3, "ff ff ff"),
        (b"\xff" * 25, " ".join(["ff"] * 24) + " …"),
    ],
)
def test_a_value_in_a_list_is_one_line(payload, line):
    assert telling.line(payload, telling.tell(payload, is_whole=True)) == line


@given(payload=st.binary(max_size=40))
def test_a_dump_and_base64_hold_every_byte(payload):
    rows = telling.dump(payload).splitlines()
    assert b"".join(bytes.fromhex(row[8:31]) for row in rows) == payload
    assert [int(row[:6], 16) for row in rows] == list(range(0, len(payload), 8))
    assert base64.b64decode(telling.base64_of(payload)) == payload


@given(text=st.text())
def test_what_is_shown_can_be_seen(text):
    assert telling.shown(text).isprintable()
    assert not text.isprintable() or telling.shown(text) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("press 1", "press 1"),
        (" a ", "␣a␣"),
        ("  ", "␣␣"),
        ("a\u202eb\n", r"a\u202eb\n"),
        ("ä" * 11, "ä" * 10 + "… (22 bytes)"),
        ("\ud800", r"\ud800"),
    ],
)
def test_a_name_is_cut_and_what_cannot_be_seen_of_it_is_spelled(name, shown):
    assert telling.name(name, 10) == shown


def test_lines_stay_lines():
    assert telling.lines("a\r\n\tb\u202e\x07\n\nc") == "a\n  b" + r"\u202e\x07" + "\n\nc"


def test_json_is_indented_and_nothing_of_it_is_changed():
    text = '{"a":[1.50,12345678901234567890,1e400,{}],"b":"x\\"y, [","c":[],"d":{"e":null}}'
    assert telling.pretty(text, 1_000).splitlines() == [
        "{", '  "a": [', "    1.50,", "    12345678901234567890,", "    1e400,", "    {}", "  ],",
        '  "b": "x\\"y, [",', '  "c": [],', '  "d": {', '    "e": null', "  }", "}",
    ]  # fmt: skip


leaves = st.none() | st.integers() | st.text(max_size=5)


@given(st.recursive(leaves, lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_indented_json_says_the_same(value):
    assert json.loads(telling.pretty(json.dumps(value), 1_000_000)) == value


@given(st.text(st.sampled_from('[]{}",:\\ab1 ')), st.integers(0, 50))
def test_whatever_is_cut_off_is_shown_up_to_its_end(text, most):
    assert len(telling.pretty(text, most)) <= most
    assert telling.pretty("[" * 70_000, 1_000).count("[") < 100, "nesting takes no more room than there is"
