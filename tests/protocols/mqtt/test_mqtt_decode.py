"""Packets of 3.1.1, decoded."""

import re

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt import encode
from protocols.mqtt.decode import decode
from protocols.mqtt.errors import InvalidTopic, MalformedPacket, PacketTooLarge
from protocols.mqtt.packets import (
    Connect,
    Disconnect,
    Filter,
    Message,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    UnknownConnect,
    Unsubscribe,
    frames,
)


def parse(data: bytes) -> Packet:
    [(head, _, body, end, _)] = frames(data, 0, 1 << 28)
    return decode(head, data[body:end])


PACKETS = [
    ("100d 0004 4d515454 04 02 003c 0001 61", Connect("a", True, 60)),
    ("100c 0004 4d515454 04 02 0000 0000", Connect("", True, 0)),
    (
        "101a 0004 4d515454 04 ee 000a 0001 63 0001 77 0002 6279 0001 75 0001 70",
        Connect("c", True, 10, "u", b"p", Message("w", b"by", 1, True)),
    ),
    (
        "1010 0004 4d515454 04 80 0000 0001 63 0001 75",
        Connect("c", False, 0, "u"),
    ),
    ("1007 0004 4d515454 06", UnknownConnect(6)),
    ("1009 0006 4d5149736470 03", UnknownConnect(3)),
    ("3005 0003 612f62", Publish(Message("a/b", b""))),
    ("3106 0003 612f62 78", Publish(Message("a/b", b"x", 0, True))),
    ("3208 0003 612f62 000a 78", Publish(Message("a/b", b"x", 1), 10)),
    ("3c07 0003 612f62 ffff", Publish(Message("a/b", b"", 2), 65_535, True)),
    ("3006 0004 f09f9880", Publish(Message("😀", b""))),
    ("3005 0003 efbbbf", Publish(Message("\ufeff", b""))),  # [MQTT-1.5.3-3]
    ("4002 0001", Puback(1)),
    ("5002 0102", Pubrec(258)),
    ("6202 ffff", Pubrel(65_535)),
    ("7002 0003", Pubcomp(3)),
    ("8206 0001 0001 61 00", Subscribe(1, (Filter("a", 0),))),
    ("820c 000a 0003 612f23 01 0001 2b 02", Subscribe(10, (Filter("a/#", 1), Filter("+", 2)))),
    ("a205 0001 0001 61", Unsubscribe(1, ("a",))),
    ("c000", Pingreq()),
    ("e000", Disconnect()),
]


@pytest.mark.parametrize(("data", "packet"), PACKETS)
def test_a_packet_is_decoded(data: str, packet: Packet) -> None:
    assert parse(bytes.fromhex(data)) == packet


MALFORMED = [
    ("another protocol", "1009 0002 4d51 04 02 0000 00", "another protocol"),
    ("reserved flag of CONNECT", "100d 0004 4d515454 04 03 0000 0001 61", "reserved flag"),
    ("Will of QoS 3", "1013 0004 4d515454 04 1e 0000 0001 61 0001 77 0001 6d", "a Will of QoS 3"),
    ("Will QoS without a Will", "100d 0004 4d515454 04 0a 0000 0001 61", "without a Will"),
    ("Will retain without a Will", "100d 0004 4d515454 04 22 0000 0001 61", "without a Will"),
    ("password without a username", "1010 0004 4d515454 04 42 0000 0001 61 0001 70", "without a username"),
    ("Will on a wildcard", "1013 0004 4d515454 04 06 0000 0001 61 0001 23 0001 6d", "wildcard"),
    ("CONNECT without its username", "100d 0004 4d515454 04 82 0000 0001 61", "middle of a field"),
    ("CONNECT with bytes after its end", "100e 0004 4d515454 04 02 0000 0001 61 00", "after its end"),
    ("CONNECT that ends in its flags", "1007 0004 4d515454 04", "middle of a field"),
    ("empty CONNECT", "1000", "middle of a field"),
    ("PUBLISH without a topic", "3000", "middle of a field"),
    ("PUBLISH to an empty topic", "3002 0000", "a topic name is empty"),
    ("PUBLISH that ends in its topic", "3003 0005 61", "middle of a field"),
    ("PUBLISH to +", "3003 0001 2b", "wildcard"),
    ("PUBLISH to a/#", "3005 0003 612f23", "wildcard"),
    ("PUBLISH to U+0001", "3004 0002 6101", "control character"),
    ("Will on U+0085", "1014 0004 4d515454 04 06 0000 0001 61 0002 c285 0001 6d", "control character"),
    ("PUBLISH with U+0000", "3003 0001 00", "a string contains U+0000"),
    ("PUBLISH with a surrogate", "3005 0003 eda080", "a string is not UTF-8"),
    ("PUBLISH with an overlong encoding", "3004 0002 c080", "a string is not UTF-8"),
    ("PUBLISH that is not UTF-8", "3003 0001 ff", "a string is not UTF-8"),
    ("QoS 1 PUBLISH without an identifier", "3203 0001 61", "middle of a field"),
    ("QoS 1 PUBLISH with identifier 0", "3205 0001 61 0000", "identifier of 0"),
    ("PUBACK with identifier 0", "4002 0000", "identifier of 0"),
    ("PUBACK of three bytes", "4003 0001 00", "after its end"),
    ("PUBACK of one byte", "4001 01", "middle of a field"),
    ("SUBSCRIBE without a filter", "8202 0001", "SUBSCRIBE without a topic filter"),
    ("SUBSCRIBE with identifier 0", "8206 0000 0001 61 00", "identifier of 0"),
    ("SUBSCRIBE without a QoS", "8205 0001 0001 61", "middle of a field"),
    ("SUBSCRIBE for QoS 3", "8206 0001 0001 61 03", "SUBSCRIBE asks for a QoS above 2"),
    ("SUBSCRIBE with reserved bits", "8206 0001 0001 61 80", "SUBSCRIBE asks for a QoS above 2"),
    ("SUBSCRIBE to an empty filter", "8205 0001 0000 00", "a topic filter is empty"),
    ("SUBSCRIBE to a#", "8207 0001 0002 6123 00", "misplaced #"),
    ("UNSUBSCRIBE without a filter", "a202 0001", "UNSUBSCRIBE without a topic filter"),
    ("UNSUBSCRIBE from #/a", "a207 0001 0003 232f61", "misplaced #"),
    ("PINGREQ with a body", "c001 00", "after its end"),
    ("DISCONNECT with a body", "e001 00", "after its end"),
    ("PUBACK with a reason of 5.0", "4003 0001 10", "after its end"),
    ("SUBSCRIBE with options of 5.0", "8206 0001 0001 61 04", "QoS above 2"),
]


@pytest.mark.parametrize(("what", "data", "fact"), MALFORMED, ids=[row[0] for row in MALFORMED])
def test_a_malformed_packet_is_refused(what: str, data: str, fact: str) -> None:
    with pytest.raises(MalformedPacket, match=re.escape(fact)):
        parse(bytes.fromhex(data))


def test_an_error_repeats_a_topic_cut_and_escaped() -> None:
    with pytest.raises(InvalidTopic) as caught:
        parse(wire.publish("\n+" + "x" * 1_000))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 120


def test_the_number_of_filters_in_a_packet_is_bounded() -> None:
    with pytest.raises(PacketTooLarge):
        parse(wire.subscribe(*[("a", 0)] * 10_001))
    with pytest.raises(PacketTooLarge):
        parse(wire.unsubscribe(*["a"] * 10_001))


NAMES = st.text(
    st.characters(exclude_characters="\0+#", exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=50
)


@given(NAMES, st.binary(max_size=300), st.integers(0, 2), st.booleans(), st.booleans(), st.integers(1))
def test_a_publish_survives_the_round_trip(
    topic: str, payload: bytes, qos: int, retain: bool, dup: bool, number: int
) -> None:
    message = Message(topic, payload, qos, retain)
    packet_id = number % 65_535 + 1 if qos else 0
    dup = dup and qos > 0
    data = wire.publish(topic, payload, qos, packet_id, retain=retain, dup=dup)
    assert parse(data) == Publish(message, packet_id, dup)
    assert encode.publish(message, packet_id, dup=dup) == data


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    st.none() | NAMES,
    st.binary(max_size=40),
    st.booleans(),
    st.integers(0, 65_535),
    st.none() | st.tuples(NAMES, st.binary(max_size=40), st.integers(0, 2), st.booleans()),
)
def test_a_connect_is_read_as_the_client_meant_it(client_id, username, password, clean, keep, will):
    secret = password if username is not None else None
    data = wire.connect(client_id, username, secret, clean=clean, keep_alive=keep, will=will)
    expected = Message(*will) if will is not None else None
    assert parse(data) == Connect(client_id, clean, keep, username, secret, expected)
