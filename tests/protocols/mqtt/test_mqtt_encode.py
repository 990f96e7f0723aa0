"""What the server sends, as bytes."""

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt import encode, properties
from protocols.mqtt.packets import Message

EXPLAINED = {"reason_string": "why", "level": 5}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encode.connack(0), "20020000"),
        (encode.connack(0, session_present=True), "20020100"),
        (encode.connack(5), "20020005"),
        (encode.puback(258), "40020102"),
        (encode.pubrec(1), "50020001"),
        (encode.pubrel(1), "62020001"),
        (encode.pubcomp(65_535), "7002ffff"),
        (encode.suback(7, b"\x00\x01\x80"), "90050007000180"),
        (encode.unsuback(7), "b0020007"),
        (encode.PINGRESP_PACKET, "d000"),
        (encode.publish(Message("a", b"x")), "300400016178"),
        (encode.publish(Message("a", b"x", 1, True), 2, dup=True), "3b06000161000278"),
    ],
)
def test_an_answer_is_encoded(data: bytes, expected: str) -> None:
    assert data.hex() == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encode.connack(level=5), "2003 00 00 00"),
        (encode.connack(0x86, level=5), "2003 00 86 00"),
        (
            encode.connack(session_present=True, level=5, properties={properties.RECEIVE_MAXIMUM: 20}),
            "2006 01 00 03 21 0014",
        ),
        (encode.puback(1, level=5), "4002 0001"),  # the short form
        (encode.puback(1, 0x10, level=5), "4003 0001 10"),
        (encode.pubrec(1, 0x87, level=5), "5003 0001 87"),
        (encode.pubrel(1, 0x92, level=5), "6203 0001 92"),
        (encode.pubcomp(1, 0x92, level=5), "7003 0001 92"),
        (encode.puback(1, 0x87, **EXPLAINED), "400a 0001 87 06 1f 0003 776879"),
        (encode.puback(1, 0x87, limit=12, **EXPLAINED), "400a 0001 87 06 1f 0003 776879"),
        (encode.puback(1, 0x87, limit=11, **EXPLAINED), "4004 0001 87 00"),  # [MQTT5-3.4.2-2]
        (encode.puback(1, 0x10), "4002 0001"),  # reasons are for 5.0
        (encode.suback(7, b"\x00\x87", level=5), "9005 0007 00 00 87"),
        (encode.suback(7, b"\x97", **EXPLAINED), "900a 0007 06 1f 0003 776879 97"),
        (encode.suback(7, b"\x97", limit=11, **EXPLAINED), "9004 0007 00 97"),
        (encode.unsuback(7, b"\x00\x11", level=5), "b005 0007 00 00 11"),
        (encode.unsuback(7, b"\x00\x11"), "b002 0007"),
        (encode.disconnect(0x8E), "e001 8e"),
        (encode.disconnect(0x8E, "why"), "e008 8e 06 1f 0003 776879"),
        (encode.disconnect(0x8E, "why", limit=9), "e002 8e 00"),
    ],
)
def test_an_answer_of_version_5_is_encoded(data: bytes, expected: str) -> None:
    assert data.hex() == expected.replace(" ", "")


def test_the_length_of_a_long_suback_takes_two_bytes() -> None:
    assert encode.suback(1, bytes(200))[:3].hex() == "90ca01"


NAMES = st.text(
    st.characters(exclude_characters="\0+#", exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=50
)


@given(
    NAMES,
    st.binary(max_size=300),
    st.integers(0, 2),
    st.booleans(),
    st.none() | st.integers(0, 0xFFFFFFFF),
    st.lists(st.integers(1, 268_435_455), max_size=3),
    st.integers(0, 65_535),
    st.lists(st.tuples(NAMES, NAMES), max_size=3),
)
def test_a_message_reaches_a_client_of_version_5(topic, payload, qos, retain, expiry, identifiers, alias, pairs):
    message = Message(topic, payload, qos, retain, wire.property_fields({0x26: pairs}))
    data = encode.publish(message, 9, level=5, expiry=expiry, identifiers=identifiers, alias=alias, bare=alias > 0)
    [(head, body)], rest = wire.split(data)
    assert (head, rest) == (0x30 | qos << 1 | retain, b"")
    name, at = body[2 : 2 + int.from_bytes(body[:2], "big")], 2 + int.from_bytes(body[:2], "big")
    assert name.decode() == ("" if alias else topic)
    if qos:
        assert body[at : at + 2] == b"\0\x09"
        at += 2
    seen, at = wire.read_properties(body, at)
    assert body[at:] == payload
    expected = {0x0B: identifiers, 0x23: alias, 0x26: pairs}
    expected = {identifier: value for identifier, value in expected.items() if value}
    assert seen == expected | ({} if expiry is None else {0x02: expiry})


def test_a_message_without_properties_has_their_length_alone() -> None:
    assert encode.publish(Message("a", b"x"), level=5).hex() == "30050001610078"
