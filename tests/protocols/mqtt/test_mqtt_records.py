"""Bytes of the store's records and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.contract import Grant
from protocols.mqtt import records
from protocols.mqtt.backlog import QUEUED, RELEASED, SENT, Entry
from protocols.mqtt.keeping import EXPIRES_NEVER, Will
from protocols.mqtt.packets import Filter, Message
from protocols.mqtt.records import (
    BodyRecord,
    DamagedRecord,
    EntryRecord,
    ReceivedRecord,
    RetainedRecord,
    SessionRecord,
    SubscriptionRecord,
)
from protocols.mqtt.timeline import Stamp

numbers = st.integers(1, 2**62)
texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
moments = st.none() | st.floats(0, 1e12)
messages = st.builds(
    Message, texts, st.binary(max_size=300), st.integers(0, 2), st.booleans(), st.binary(max_size=30), moments
)
grants = st.builds(
    Grant,
    st.integers(1, 2**40),
    texts,
    st.lists(texts, max_size=4).map(tuple),
    st.lists(texts, max_size=4).map(tuple),
    domain=st.just(""),  # this and what follows come with the grants at a start
    role=st.just(""),
    is_single=st.just(False),
    closed=st.just(frozenset()),
)
wills = st.builds(
    Will, st.builds(Message, texts, st.binary()), st.integers(0, EXPIRES_NEVER), st.none() | st.integers(0, 99), moments
)


@given(numbers, st.builds(Stamp, *[st.floats(0, 1e12)] * 3, st.just("3b6f-boot")))
def test_a_stamp_comes_back(number: int, one: Stamp) -> None:
    assert records.decode(number, records.seal(number, records.stamp(one))) == one


@given(
    numbers,
    st.builds(
        SessionRecord,
        grants,
        texts,
        st.sampled_from([4, 5]),
        st.integers(0, EXPIRES_NEVER),
        moments,
        st.none() | wills,
    ),
)
def test_a_session_comes_back(number: int, one: SessionRecord) -> None:
    assert records.decode(number, records.seal(number, records.session(one))) == one


@given(
    numbers, numbers, st.builds(Filter, texts, st.integers(0, 2), st.booleans(), st.booleans()), st.integers(0, 9**8)
)
def test_a_subscription_comes_back(number: int, session: int, wanted: Filter, identifier: int) -> None:
    data = records.seal(number, records.subscription(session, wanted, identifier))
    assert records.decode(number, data) == SubscriptionRecord(session, wanted, identifier)


def described(one: Entry) -> tuple[object, ...]:
    return one.message, one.identifiers, one.share, one.packet_id, one.state


@given(
    numbers,
    numbers,
    messages,
    st.lists(st.integers(1, 2**28), max_size=3).map(tuple),
    texts,
    st.integers(0, 65_535),
    st.sampled_from([QUEUED, SENT, RELEASED]),
)
def test_an_entry_comes_back(
    number: int, session: int, message: Message, identifiers: tuple[int, ...], share: str, packet_id: int, state: int
) -> None:
    one = Entry(message, identifiers, share)
    one.packet_id, one.state = packet_id, state
    found = records.decode(number, records.seal(number, records.entry(session, one, 0, message.expires_at)))
    assert isinstance(found, EntryRecord)
    assert (found.session, found.body, described(found.entry)) == (session, 0, described(one))
    found = records.decode(number, records.seal(number, records.entry(session, one, 77)))
    assert isinstance(found, EntryRecord)
    assert found.body == 77
    assert described(found.entry)[1:] == described(one)[1:]
    assert (found.entry.message.qos, found.entry.message.retain) == (message.qos, message.retain)


@given(numbers, messages)
def test_a_message_comes_back(number: int, message: Message) -> None:
    data = records.seal(number, records.body(message, message.expires_at))
    assert records.decode(number, data) == BodyRecord(message)
    data = records.seal(number, records.retained(message, message.expires_at))
    assert records.decode(number, data) == RetainedRecord(message)


@given(numbers, messages, st.integers(1, 2**62))
def test_whose_a_retained_message_is_comes_back(number: int, message: Message, owner: int) -> None:
    data = records.seal(number, records.retained(message, message.expires_at, owner))
    assert records.decode(number, data) == RetainedRecord(message, owner)


@given(numbers, st.sets(st.integers(256, 511)))
def test_received_packet_identifiers_come_back(number: int, packet_ids: set[int]) -> None:
    one = ReceivedRecord(9, 1, sum(1 << packet_id - 256 for packet_id in packet_ids))
    found = records.decode(number, records.seal(number, records.received(one)))
    assert found == one
    assert isinstance(found, ReceivedRecord)
    assert set(found.packet_ids()) == packet_ids


@given(st.binary(max_size=60), numbers)
def test_anything_else_is_damaged(data: bytes, number: int) -> None:
    with pytest.raises(DamagedRecord):
        records.decode(number, data)


@given(messages, st.data())
def test_a_flipped_bit_and_another_number_are_noticed(message: Message, data: st.DataObject) -> None:
    whole = records.seal(7, records.retained(message))
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    damaged = bytearray(whole)
    damaged[at // 8] ^= 1 << at % 8
    assert not records.is_whole(7, bytes(damaged))
    assert not records.is_whole(8, whole)
    assert records.is_whole(7, whole)


def test_a_record_that_says_more_than_it_holds_is_damaged() -> None:
    for kind in (records.STAMP, records.SESSION, records.ENTRY, records.RETAINED, 99):
        with pytest.raises(DamagedRecord):
            records.decode(5, records.seal(5, bytes((kind,))))
