"""Frames as bytes: whole, in pieces, too long, and none at all."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import frames
from protocols.frames import Frames, packed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def taken(data: bytes, size: int) -> list[frames.Frame]:
    """Return the frames that are found in data which arrives in pieces of a size."""
    subject, found = Frames(), []
    for start in range(0, len(data), size):
        subject.feed(data[start : start + size])
        while (frame := subject.next()) is not None:
            found.append(frame)
    assert subject.held == 0
    return found


@given(st.lists(st.lists(VALUES, max_size=3), max_size=4), st.integers(1, 40))
def test_frames_are_found_whole_however_they_are_cut(sent, size):
    assert taken(b"".join(packed(*frame) for frame in sent), size) == sent


@given(st.binary(max_size=200))
def test_anything_at_all_is_frames_or_a_value_error(data):
    subject = Frames()
    try:
        subject.feed(data)
        while (frame := subject.next()) is not None:
            assert isinstance(frame, list)
    except ValueError:
        pass


def test_what_has_arrived_of_a_frame_is_counted():
    subject = Frames()
    subject.feed(packed(1, "a", [])[:-1])
    assert subject.next() is None
    assert subject.held == len(packed(1, "a", [])) - 1


def test_the_longest_frame_is_taken_and_no_longer_one_is_made_or_taken():
    room = frames.LONGEST - len(packed(b"")) - 3
    assert taken(packed(bytes(room)), 32_768) == [[bytes(room)]]
    with pytest.raises(ValueError, match="a frame of"):
        packed(bytes(room + 1))
    for size in (32_768, 2 * frames.LONGEST):
        with pytest.raises(ValueError, match="a frame is too long"):
            taken(msgpack.packb([bytes(room + 200_000)]), size)


@pytest.mark.parametrize("odd", [{1}, 2**64, -(2**63) - 1, object(), [object()]])
def test_what_does_not_fit_is_said(odd):
    with pytest.raises((TypeError, OverflowError, ValueError)):
        packed(1, {"answer": odd})


def test_what_has_passed_does_not_pile_up_in_memory():
    subject, secret = Frames(), secrets.token_bytes(24)
    for _ in range(200):
        subject.feed(packed(1, "http_me", [{"password": secret}]))
        assert subject.next() is not None
    assert copies(secret) < 20


def copies(secret: bytes) -> int:
    """Return how often some bytes are in the memory of this process, whether anything still refers to them or not."""
    found = 0
    with Path("/proc/self/maps").open() as maps, Path("/proc/self/mem").open("rb", buffering=0) as memory:
        spans = [line.split()[0] for line in maps if " rw" in line and "[v" not in line]
        for span in spans:
            start, end = (int(side, 16) for side in span.split("-"))
            with suppress(OSError):  # it was given back meanwhile
                memory.seek(start)
                found += memory.read(end - start).count(secret)
    return found
