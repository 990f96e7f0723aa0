"""What bytes are: JSON, text, bytes; and JSON that is held to its rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import payloads
from payloads import BYTES, DEPTH, JSON, TEXT, NotJson

DEEP = b"[" * DEPTH + b"]" * DEPTH
KINDS: list[tuple[bytes, str]] = [
    (b"1", JSON),
    (b" [1, 2]\n", JSON),
    (b'"a"', JSON),
    (b"null", JSON),
    (b'{"a": 1, "a": 2}', JSON),
    (b"9" * 10_000, JSON),
    (b"1e999", JSON),
    (DEEP, JSON),
    (b"[" + DEEP + b"]", TEXT),
    (b'"' + b"[" * 1000 + b'"', JSON),
    (b'"\\ud800"', JSON),
    (b"", TEXT),
    (b"NaN", TEXT),
    (b"[Infinity]", TEXT),
    (b"'a'", TEXT),
    (b"\xef\xbb\xbf1", TEXT),
    (b"1 2", TEXT),
    (b"01", TEXT),
    (b"\xff", BYTES),
]


@pytest.mark.parametrize(("payload", "kind"), KINDS, ids=repr)
def test_bytes_are_what_they_are(payload: bytes, kind: str) -> None:
    assert payloads.kind_of(payload) == kind


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSONS)
def test_what_is_json_is_read_as_it_says(value: Any) -> None:
    written = json.dumps(value, ensure_ascii=True).encode()
    assert payloads.parse(written) == value
    payloads.check(written)


FAULTS = [b"", b"{", b"[1,]", b"NaN", b'{"a":1,"b":{"c":1,"c":1}}', b"\xff", b"\xef\xbb\xbf1", b"[" * 10**6, b"nul"]


@pytest.mark.parametrize("data", FAULTS, ids=lambda data: repr(data[:20]))
def test_what_is_no_json_is_said_to_be_none_by_both(data: bytes) -> None:
    for read in (payloads.parse, payloads.check):
        with pytest.raises(NotJson) as raised:
            read(data)
        assert len(str(raised.value)) < 200


def test_a_number_of_many_digits_is_json_but_cannot_be_read() -> None:
    payloads.check(b"9" * 5000)
    with pytest.raises(NotJson, match="digits"):
        payloads.parse(b"9" * 5000)


def test_one_of_very_many_names_that_comes_twice_is_found() -> None:
    count = 300_000  # with a search for each of them, this would not end in time
    data = json.dumps({str(number): number for number in range(count)}).encode()[:-1] + b', "7": 1}'
    with pytest.raises(NotJson, match="'7' twice"):
        payloads.check(data)
