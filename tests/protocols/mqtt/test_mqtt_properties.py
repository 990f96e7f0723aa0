"""Properties of 5.0: where each is allowed, which values, and their bytes (2.2.2)."""

from typing import Any

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt import packets
from protocols.mqtt.errors import InvalidTopic, MalformedPacket, MqttError, ProtocolViolation, TopicAliasInvalid
from protocols.mqtt.property_codec import WILL, decode_properties, encode_properties, forwarded

# Table 2-4, but for what only a server may send: identifier, an example, where a client may send it
CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE = packets.CONNECT, packets.PUBLISH, packets.SUBSCRIBE, packets.UNSUBSCRIBE
DISCONNECT, AUTH = packets.DISCONNECT, packets.AUTH
ACKS = {packets.PUBACK, packets.PUBREC, packets.PUBREL, packets.PUBCOMP}
EVERYWHERE = {CONNECT, WILL, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH} | ACKS

TABLE: list[tuple[int, Any, str, set[int]]] = [
    (0x01, 1, "01 01", {PUBLISH, WILL}),
    (0x02, 60, "02 0000003c", {PUBLISH, WILL}),
    (0x03, "ab", "03 0002 6162", {PUBLISH, WILL}),
    (0x08, "a/b", "08 0003 612f62", {PUBLISH, WILL}),
    (0x09, b"\0\xff", "09 0002 00ff", {PUBLISH, WILL}),
    (0x0B, 268_435_455, "0b ffffff7f", {SUBSCRIBE}),
    (0x11, 0xFFFFFFFF, "11 ffffffff", {CONNECT, DISCONNECT}),
    (0x15, "m", "15 0001 6d", {CONNECT, AUTH}),
    (0x16, b"\xff", "16 0001 ff", {CONNECT, AUTH}),
    (0x17, 0, "17 00", {CONNECT}),
    (0x18, 5, "18 00000005", {WILL}),
    (0x19, 1, "19 01", {CONNECT}),
    (0x1F, "no", "1f 0002 6e6f", ACKS | {DISCONNECT, AUTH}),
    (0x21, 20, "21 0014", {CONNECT}),
    (0x22, 0, "22 0000", {CONNECT}),
    (0x23, 1, "23 0001", {PUBLISH}),
    (0x27, 1, "27 00000001", {CONNECT}),
    (0x26, [("k", "v"), ("k", "w")], "26 0001 6b 0001 76 26 0001 6b 0001 77", EVERYWHERE),
]

CASES = [pytest.param(*row, id=f"0x{row[0]:02x}") for row in TABLE]


@pytest.mark.parametrize(("identifier", "value", "encoded", "allowed"), CASES)
def test_a_property_is_read_where_it_is_allowed_and_nowhere_else(
    identifier: int, value: Any, encoded: str, allowed: set[int]
) -> None:
    data = bytes.fromhex(encoded)
    body = b"\xee" + bytes((len(data),)) + data + b"\xee"
    for packet_type in EVERYWHERE:
        if packet_type in allowed:
            assert decode_properties(packet_type, body, 1) == ({identifier: value}, len(body) - 1)
        else:
            with pytest.raises(MqttError, match=f"0x{identifier:02x} where it is not allowed"):
                decode_properties(packet_type, body, 1)


@pytest.mark.parametrize("identifier", [0x00, 0x04, 0x12, 0x13, 0x1A, 0x1C, 0x24, 0x25, 0x28, 0x29, 0x2A, 0x7F])
def test_what_is_unknown_or_the_servers_own_is_refused_everywhere(identifier: int) -> None:
    for packet_type in EVERYWHERE:
        with pytest.raises(MqttError, match="not allowed"):
            decode_properties(packet_type, bytes((2, identifier, 0)), 0)


@pytest.mark.parametrize(("identifier", "value", "encoded", "allowed"), CASES)
def test_a_property_cut_off_is_malformed(identifier: int, value: Any, encoded: str, allowed: set[int]) -> None:
    data = bytes.fromhex(encoded)
    if identifier == 0x26:
        data = data[: len(data) // 2]
    for end in range(1, len(data)):
        for body in (bytes((end,)) + data[:end], bytes((end,)) + data, bytes((len(data),)) + data[:end]):
            with pytest.raises(MalformedPacket):
                decode_properties(min(allowed), body, 0)


@pytest.mark.parametrize(("identifier", "value", "encoded", "allowed"), CASES[:-1])
def test_only_user_properties_may_come_twice(identifier: int, value: Any, encoded: str, allowed: set[int]) -> None:
    data = bytes.fromhex(encoded) * 2
    with pytest.raises(ProtocolViolation, match="more than once"):
        decode_properties(min(allowed), bytes((len(data),)) + data, 0)


@pytest.mark.parametrize(
    ("packet_type", "encoded", "error", "code"),
    [
        (CONNECT, "17 02", ProtocolViolation, 0x82),
        (CONNECT, "19 02", ProtocolViolation, 0x82),
        (PUBLISH, "01 02", ProtocolViolation, 0x82),
        (CONNECT, "21 0000", ProtocolViolation, 0x82),
        (CONNECT, "27 00000000", ProtocolViolation, 0x82),
        (SUBSCRIBE, "0b 00", ProtocolViolation, 0x82),
        (PUBLISH, "23 0000", TopicAliasInvalid, 0x94),  # [MQTT5-3.3.2-8]
        (PUBLISH, "0b 01", ProtocolViolation, 0x82),  # [MQTT5-3.3.4-6]
        (DISCONNECT, "1c 0001 61", ProtocolViolation, 0x82),
        (PUBLISH, "08 0000", InvalidTopic, 0x90),
        (PUBLISH, "08 0001 2b", InvalidTopic, 0x90),  # [MQTT5-3.3.2-14]
        (WILL, "08 0003 612f23", InvalidTopic, 0x90),
        (PUBLISH, "03 0001 00", MalformedPacket, 0x81),  # [MQTT5-1.5.4-2]
        (PUBLISH, "26 0001 ff 0000", MalformedPacket, 0x81),  # [MQTT5-1.5.7-1]
        (PUBLISH, "26 0000 0003 eda080", MalformedPacket, 0x81),
        (SUBSCRIBE, "0b 8000", MalformedPacket, 0x81),  # [MQTT5-1.5.5-1]
        (SUBSCRIBE, "0b 8080808001", MalformedPacket, 0x81),
        (PUBLISH, "8100 01", MalformedPacket, 0x81),
    ],
)
def test_a_value_that_is_excluded_is_refused(packet_type: int, encoded: str, error: type[MqttError], code: int) -> None:
    data = bytes.fromhex(encoded)
    with pytest.raises(error) as caught:
        decode_properties(packet_type, bytes((len(data),)) + data, 0)
    assert caught.value.code == code


@pytest.mark.parametrize("encoded", ["", "80", "8000", "01", "ffffffff7f", "05 0101"])
def test_a_wrong_length_is_malformed(encoded: str) -> None:
    with pytest.raises(MalformedPacket):
        decode_properties(PUBLISH, bytes.fromhex(encoded), 0)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        0x01: st.integers(0, 1),
        0x02: st.integers(0, 0xFFFFFFFF),
        0x03: TEXT,
        0x08: st.text(st.characters(exclude_characters="+#", exclude_categories=["Cs", "Cc", "Cn"]), min_size=1),
        0x09: st.binary(max_size=300),
        0x26: PAIRS,
    },
)


@given(MESSAGE)
def test_properties_survive_the_round_trip(stated: dict[int, Any]) -> None:
    body = wire.properties(stated)
    assert decode_properties(PUBLISH, body, 0) == (stated, len(body))
    assert encode_properties(stated) == body
    rest = {identifier: value for identifier, value in stated.items() if identifier != 0x02}
    assert forwarded(stated) == wire.property_fields(rest)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            0x12: TEXT,
            0x13: st.integers(0, 65_535),
            0x1A: TEXT,
            0x1C: TEXT,
            0x1F: TEXT,
            0x21: st.integers(1, 65_535),
            0x22: st.integers(0, 65_535),
            0x24: st.integers(0, 1),
            0x25: st.integers(0, 1),
            0x26: PAIRS,
            0x27: st.integers(1, 0xFFFFFFFF),
            0x28: st.integers(0, 1),
            0x29: st.integers(0, 1),
            0x2A: st.integers(0, 1),
        },
    )
)
def test_what_the_server_tells_is_read_by_a_client(told: dict[int, Any]) -> None:
    encoded = encode_properties(told)
    assert wire.read_properties(encoded) == (told, len(encoded))


@given(st.sampled_from(sorted(EVERYWHERE)), st.binary(max_size=60))
def test_random_bytes_are_properties_or_refused(packet_type: int, body: bytes) -> None:
    try:
        _, at = decode_properties(packet_type, body, 0)
    except MqttError:
        return
    assert at <= len(body)
