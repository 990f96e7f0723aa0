"""A walk through JSON finds what Python's own reader finds, and falls over nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.vrpc.walking import Walker

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=10), one, max_size=3),
    max_leaves=8,
)


def walk(text: str) -> dict[str, Any]:
    walker = Walker(text)
    found = {key: walker.value() for key in walker.keys()}
    walker.end()
    return found


@given(st.dictionaries(st.text(max_size=10), VALUES, max_size=4), st.sampled_from([None, 0, 2]), st.booleans())
def test_every_object_is_read_as_python_reads_it(said, indent, ascii):
    text = json.dumps(said, indent=indent, ensure_ascii=ascii)
    assert walk(text) == walk(f" \n{text}\t ") == json.loads(text)


@given(st.dictionaries(st.text(max_size=10), VALUES, min_size=1, max_size=4), st.data())
def test_what_is_cut_off_is_no_object(said, data):
    text = json.dumps(said)
    with pytest.raises(ValueError):
        walk(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.text(alphabet='{}[]":,\\u0e1 \n-NaIfty', max_size=40))
def test_what_python_does_not_read_is_not_read(text):
    try:
        expected = json.loads(text, parse_constant=lambda word: None)
    except ValueError:
        expected = None
    if isinstance(expected, dict):
        assert walk(text) == expected
    else:
        with pytest.raises(ValueError):
            walk(text)
