"""Chapters 1 and 2 of both versions: strings, numbers, the fixed header and packet identifiers."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import BOTH, Bench, kinds, refusal
from mqtt_client import CONTENT_TYPE, USER, Will
from mqtt_wire import packet, string

ILL_FORMED = [b"a\xff", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xc3"]
ILL_IDS = ["byte", "first surrogate", "last surrogate", "overlong", "above U+10FFFF", "cut"]


@BOTH
@pytest.mark.parametrize("bad", [*ILL_FORMED, b"a\0b"], ids=[*ILL_IDS, "U+0000"])
def test_a_string_that_is_not_utf_8_closes_the_connection_wherever_it_stands(level: int, bad: bytes) -> None:
    """3.1.1: 1.5.3-1 1.5.3-2 3.3.2-1 3.8.3-1 3.10.3-1 4.7.3-2.

    5.0: 1.5.4-1 1.5.4-2 3.3.2-1 3.8.3-1 3.10.3-1 4.7.3-2.
    """
    bench = Bench()
    for number, wrong in enumerate(
        [mqtt.publish(level, bad), mqtt.subscribe(level, (bad, 0)), mqtt.unsubscribe(level, bad)]
    ):
        client = bench.client(f"c{number}", level).send(wrong)
        assert client.closed_with() == refusal(level, 0x81)


@BOTH
@pytest.mark.parametrize("bad", [*ILL_FORMED, b"a\0b"], ids=[*ILL_IDS, "U+0000"])
def test_a_string_of_connect_that_is_not_utf_8_lets_nobody_in(level: int, bad: bytes) -> None:
    """3.1.1: 3.1.3-4 3.1.3-10 3.1.3-11 3.1.4-1. 5.0: 3.1.3-4 3.1.3-11 3.1.3-12 3.1.4-1."""
    bench = Bench()
    for wrong in (
        mqtt.connect(bad, level),
        mqtt.connect("c", level, username=bad),
        mqtt.connect("c", level, will=Will(bad)),
    ):
        client = bench.knock(wrong, level=level)
        assert client.closed
        assert kinds(client.take()) in ([], ["CONNACK"] if level == 5 else [])
        assert client.peer.connection.client is None


@BOTH
def test_a_byte_order_mark_is_part_of_the_string(level: int) -> None:
    """3.1.1: 1.5.3-3. 5.0: 1.5.4-3."""
    bench = Bench()
    reader = bench.client("reader", level)
    reader.subscribe(("\ufeffa", 0))
    bench.client("writer", level).publish("a", b"without").publish("\ufeffa", b"with")
    assert [(seen.topic, seen.payload) for seen in reader.take()] == [("\ufeffa", b"with")]


@pytest.mark.parametrize(
    "values",
    [
        string(b"\xff") + string("v"),
        string("k") + string(b"\xed\xa0\x80"),
        string("k\0") + string("v"),
        string("k") + string("v\0"),
    ],
)
def test_both_strings_of_a_pair_are_checked(values: bytes) -> None:
    """5.0: 1.5.7-1."""
    client = Bench().client()
    body = bytes((USER,)) + values
    client.send(packet(0x30, string("a") + bytes((len(body),)) + body))
    assert client.closed_with() == 0x81


@pytest.mark.parametrize("length", [b"\x80\x00", b"\x80\x80\x00", b"\x80\x80\x80\x80\x00"])
def test_a_property_length_that_is_longer_than_it_needs_to_be_is_malformed(length: bytes) -> None:
    """5.0: 1.5.5-1."""
    client = Bench().client()
    assert client.send(packet(0x30, string("a") + length)).closed_with() == 0x81


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 70_000])
@BOTH
def test_lengths_are_written_in_as_few_bytes_as_they_need(level: int, size: int) -> None:
    """5.0: 1.5.5-1."""
    bench = Bench()
    client = bench.client("c", level)
    client.subscribe(("a", 0))
    client.publish("a", bytes(size))
    data = client.peer.connection.outbox.take()
    body = 3 + (1 if level == 5 else 0) + size
    assert data[: 1 + len(mqtt.varint(body))] == b"\x30" + mqtt.varint(body)


HEADS = [kind << 4 | flags for kind in range(16) for flags in range(16)]
PUBLISHES = [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3A, 0x3B, 0x3C, 0x3D]
ALLOWED = [0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, *PUBLISHES]


@BOTH
def test_a_first_byte_with_other_flags_than_the_listed_ones_closes_the_connection(level: int) -> None:
    """3.1.1: 2.2.2-1 2.2.2-2 3.3.1-2 3.3.1-4 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1 4.8.0-1.

    5.0: 2.1.3-1 3.3.1-2 3.3.1-4 3.6.1-1 3.8.1-1 3.10.1-1 3.14.1-1 3.15.1-1 4.13.1-1.
    """
    bench = Bench()
    allowed = ALLOWED if level == 4 else [*ALLOWED, 0xF0]
    for head in HEADS:
        if head in allowed or head == 0x10:
            continue
        client = bench.client("c", level).send(bytes((head, 0)))
        assert client.closed, f"0x{head:02x}"
        assert client.closed_with() in ((0x81, 0x82) if level == 5 else (None,)), f"0x{head:02x}"


WITH_AN_IDENTIFIER = [
    lambda level, number: mqtt.publish(level, "a", b"", 1, number),
    lambda level, number: mqtt.publish(level, "a", b"", 2, number),
    lambda level, number: mqtt.subscribe(level, ("a", 0), packet_id=number),
    lambda level, number: mqtt.unsubscribe(level, "a", packet_id=number),
    lambda level, number: mqtt.answer("PUBREL", number),
]


@BOTH
@pytest.mark.parametrize("encode", WITH_AN_IDENTIFIER, ids=["QoS 1", "QoS 2", "SUBSCRIBE", "UNSUBSCRIBE", "PUBREL"])
def test_an_identifier_of_zero_closes_the_connection(level: int, encode) -> None:
    """3.1.1: 2.3.1-1. 5.0: 2.2.1-3."""
    client = Bench().client("c", level).send(encode(level, 0))
    assert client.closed
    assert client.closed_with() in ((0x81, 0x82) if level == 5 else (None,))


@BOTH
@pytest.mark.parametrize("number", [1, 2, 255, 256, 65_535])
def test_answers_repeat_the_identifier(level: int, number: int) -> None:
    """3.1.1: 2.3.1-6 2.3.1-7 3.8.4-2 3.10.4-4. 5.0: 2.2.1-5 2.2.1-6 3.8.4-2 3.10.4-5 4.3.2-4 4.3.3-8 4.3.3-11."""
    client = Bench().client("c", level)
    client.send(*(encode(level, number) for encode in WITH_AN_IDENTIFIER[:4]), mqtt.answer("PUBREL", number))
    assert [(seen.kind, seen.packet_id) for seen in client.take()] == [
        ("PUBACK", number),
        ("PUBREC", number),
        ("SUBACK", number),
        ("UNSUBACK", number),
        ("PUBCOMP", number),
    ]


@BOTH
def test_a_qos_0_message_has_no_identifier_and_no_dup(level: int) -> None:
    """3.1.1: 2.3.1-5 3.3.1-2 4.3.1-1. 5.0: 2.2.1-2 2.2.2-1 3.3.1-2 4.3.1-1."""
    bench = Bench()
    client = bench.client("c", level)
    client.subscribe(("a", 2))
    client.publish("a", b"xy")
    no_properties = b"\0" if level == 5 else b""
    assert client.peer.received() == [(0x30, b"\0\x01a" + no_properties + b"xy")]


def test_every_answer_has_a_property_length_or_may_leave_it_out() -> None:
    """5.0: 2.2.2-1."""
    client = Bench().client()
    client.send(mqtt.subscribe(5, ("a", 0), packet_id=9), mqtt.unsubscribe(5, "a", packet_id=10))
    assert client.peer.received() == [(0x90, b"\0\x09\0\0"), (0xB0, b"\0\x0a\0\0")]


def test_a_packet_without_its_property_length_is_malformed() -> None:
    """5.0: 2.2.2-1 3.1.4-1."""
    bench = Bench()
    body = string("MQTT") + b"\x05\x02\0\0"
    assert bench.knock(packet(0x10, body)).closed
    assert bench.client().send(packet(0x30, string("a"))).closed_with() == 0x81
    assert bench.client().send(packet(0x82, b"\0\x01")).closed_with() in (0x81, 0x82)
    assert bench.client().publish("a", properties={CONTENT_TYPE: "x" * 200}).closed is False


@BOTH
def test_the_servers_identifiers_are_never_zero_and_never_in_use(level: int) -> None:
    """3.1.1: 2.3.1-4 4.3.2-1 4.3.3-1. 5.0: 2.2.1-4 4.3.2-1 4.3.3-1."""
    bench = Bench(inflight=65_535)
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    reader.subscribe(("a", 2))
    seen = []
    for qos in [1, 2] * 200:
        writer.publish("a", b"x", qos, 1).send(mqtt.answer("PUBREL", 1))
        seen += reader.take()
        if len(seen) % 7 == 0:  # some are acknowledged, most stay in use
            done = seen.pop(0)
            reader.answer("PUBACK" if done.qos == 1 else "PUBREC", done.packet_id)
            reader.answer("PUBCOMP", done.packet_id) if done.qos == 2 else None
            assert kinds(reader.take()) in ([], ["PUBREL"])
    numbers = [one.packet_id for one in seen]
    assert 0 not in numbers
    assert len(set(numbers)) == len(numbers)
