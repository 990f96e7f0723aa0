"""What payloads say, and how values are written as JSON."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads import DEPTH
from protocols.hub.values import Plain, dump, from_single, is_json, read

CASES: dict[bytes, Plain] = {
    b"5": 5,
    b" -7\n": -7,
    b"-0": 0,
    b"9223372036854775807": 2**63 - 1,
    b"-9223372036854775808": -(2**63),
    b"9223372036854775808": 2.0**63,
    b"5.0": 5.0,
    b"1e3": 1000.0,
    b"1" + b"0" * 300: 1e300,
    b"true": True,
    b"false": False,
    b'"text"': "text",
    b'""': "",
    b'"\\u00e4\\n"': "ä\n",
    '"ä"'.encode(): "ä",
    b"null": "null",
    b'{"a": [1, 2]}': '{"a": [1, 2]}',
    b"[]": "[]",
    # JSON that no Double or String holds
    b"1e400": "1e400",
    b"1" + b"0" * 5000: "1" + "0" * 5000,
    b'"\\ud800"': '"\\ud800"',
    # no JSON
    b"": b"",
    b"NaN": b"NaN",
    b"-Infinity": b"-Infinity",
    b"05": b"05",
    b"+5": b"+5",
    b"5 6": b"5 6",
    b"text": b"text",
    b"'text'": b"'text'",
    b"\xff\x00": b"\xff\x00",
    b"\xef\xbb\xbf5": b"\xef\xbb\xbf5",
    "5".encode("utf-16"): "5".encode("utf-16"),
    b'{"a": NaN}': b'{"a": NaN}',
    b'{"a": 1,}': b'{"a": 1,}',
    b'"tab\there"': b'"tab\there"',
}


@pytest.mark.parametrize(("payload", "value"), CASES.items(), ids=lambda one: repr(one)[:30])
def test_a_payload_is_read(payload: bytes, value: Plain) -> None:
    found = read(payload)
    assert (type(found), found) == (type(value), value)
    assert is_json(payload) == (not isinstance(value, bytes))


def test_what_is_nested_too_deeply_is_no_json() -> None:
    deepest = b"[" * DEPTH + b"]" * DEPTH
    assert read(deepest) == deepest.decode()
    assert not is_json(b"[" + deepest + b"]")
    assert not is_json(b'{"a":' * 200_000 + b"1" + b"}" * 200_000)
    assert is_json(b"[" + b"[]," * 500 + b"[]]"), "wide, not deep"
    assert is_json(b'["' + b"[" * 500 + b'\\"' + b"{" * 500 + b'"]'), "in a string"


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.text())
def test_what_is_written_reads_back_the_same(value: Plain) -> None:
    assert not isinstance(value, bytes)
    found = read(dump(value))
    assert (type(found), found) == (type(value), value)
    if isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)  # type: ignore[arg-type]


def test_numbers_that_json_has_not_are_strings() -> None:
    values = [math.nan, math.inf, -math.inf, 1.5]
    assert dump(values[0]) == b'"NaN"'
    assert dump({"a": values}) == b'{"a":["NaN","Infinity","-Infinity",1.5]}'


def test_half_a_surrogate_pair_is_escaped() -> None:
    assert dump("ä\ud800") == b'"\\u00e4\\ud800"'
    assert dump("ä") == '"ä"'.encode()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_of_32_bits_is_as_short_as_it_reads_back(value: float) -> None:
    short = from_single(value)
    assert struct.pack("<f", short) == struct.pack("<f", value)
    digits = len(f"{abs(short):e}".replace(".", "").split("e")[0].rstrip("0")) or 1
    assert short == float(f"{short:.9g}")
    assert all(_single(float(f"{short:.{fewer}g}")) != value for fewer in range(1, digits))


def _single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.inf


@pytest.mark.parametrize(
    ("single", "text"), [(0.1, b"0.1"), (16777216.0, b"16777216.0"), (3.4028234663852886e38, b"3.4028235e+38")]
)
def test_shortest_numbers(single: float, text: bytes) -> None:
    [value] = struct.unpack("<f", struct.pack("<f", single))
    assert dump(from_single(value)) == text
