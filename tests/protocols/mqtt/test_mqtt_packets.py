"""Bytes cut into packets."""

import sys

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.errors import MalformedPacket, PacketTooLarge
from protocols.mqtt.inbox import Inbox
from protocols.mqtt.packets import frames, packet_end

LIMIT = 1 << 20


def cut(data: bytes, limit: int = LIMIT, level: int = 4) -> list[tuple[int, int, int, int, int]]:
    return list(frames(data, 0, limit, level))


@pytest.mark.parametrize(
    ("length", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
        (268_435_455, "ffffff7f"),
    ],
)
def test_a_remaining_length_is_read_as_in_table_2_4(length: int, encoded: str) -> None:
    header = bytes.fromhex("30" + encoded)
    assert packet_end(header, 0, 1 << 30) == len(header) + length


@pytest.mark.parametrize("data", [b"\x30", b"\x30\x80", b"\x30\xff\xff", b"\x30\xff\xff\xff"])
def test_a_length_that_has_not_arrived_yet_is_waited_for(data: bytes) -> None:
    assert packet_end(data, 0, LIMIT) == 0
    assert cut(data) == []


def test_a_length_of_five_bytes_is_malformed() -> None:  # [MQTT-2.2.3]
    with pytest.raises(MalformedPacket, match="four bytes"):
        cut(b"\x30\x80\x80\x80\x80\x01")


def test_a_length_above_the_limit_is_refused_before_the_body_arrives() -> None:
    with pytest.raises(PacketTooLarge, match="1,003 bytes; 1,002 are allowed"):
        cut(wire.packet(0x30, bytes(1_000))[:3], limit=1_002)
    assert cut(wire.packet(0x30, bytes(1_000)), limit=1_003)


LEGAL_HEADS = {0x10, 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0} | {
    0x30 | dup << 3 | qos << 1 | retain for dup, qos in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)] for retain in (0, 1)
}


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("head", range(256))
def test_only_the_first_bytes_of_clients_are_let_in(head: int, level: int) -> None:
    # [MQTT-2.2.2-2] [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
    # [MQTT5-2.1.3-1] [MQTT5-3.3.1-2] [MQTT5-3.3.1-4] [MQTT5-3.6.1-1] [MQTT5-3.8.1-1] [MQTT5-3.10.1-1] [MQTT5-3.15.1-1]
    if head in LEGAL_HEADS or (head == 0xF0 and level == 5):
        assert [frame[0] for frame in cut(bytes((head, 0)), level=level)] == [head]
    else:
        with pytest.raises(MalformedPacket, match=f"0x{head:02x}"):
            cut(bytes((head,)), level=level)


@pytest.mark.parametrize("encoded", ["8000", "ff00", "808000", "80808000"])
def test_a_length_in_more_bytes_than_it_needs_is_malformed_in_version_5(encoded: str) -> None:  # [MQTT5-1.5.5-1]
    data = b"\x30" + bytes.fromhex(encoded)
    with pytest.raises(MalformedPacket, match="more bytes than it needs"):
        cut(data, level=5)
    assert packet_end(data + bytes(200), 0, LIMIT)


def test_a_burst_on_one_topic_is_one_frame() -> None:
    one = wire.publish("a/b", b"1234")
    other = wire.publish("a/c", b"1234")
    found = cut(one * 3 + other * 2 + wire.PINGREQ * 2 + one)
    assert [(head, count) for head, _, _, _, count in found] == [
        (0x30, 3),
        (0x30, 2),
        (0xC0, 1),
        (0xC0, 1),
        (0x30, 1),
    ]


def test_a_burst_of_version_5_is_one_frame_unless_it_has_properties() -> None:
    plain = wire.publish("a/b", b"1234", level=5)
    stated = wire.publish("a/b", b"12", level=5, stated={0x01: 1})
    assert len(plain) == len(stated)
    found = cut(plain * 3 + stated * 2 + plain * 2 + wire.publish("a/b", b"12345", level=5), level=5)
    assert [count for _, _, _, _, count in found] == [3, 1, 1, 2, 1]


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("body", [b"", b"\0", b"\0\1", b"\0\1a", b"\0\2a", b"\xff\xffa"])
def test_a_burst_without_a_whole_topic_or_properties_is_left_to_the_decoder(body: bytes, level: int) -> None:
    one = wire.packet(0x30, body)
    assert sum(frame[4] for frame in cut(one * 3, level=level)) == 3


def test_acknowledged_and_retained_messages_are_never_joined() -> None:
    for one in (wire.publish("a", b"x", 1), wire.publish("a", b"x", retain=True)):
        assert len(cut(one * 3)) == 3


@pytest.mark.parametrize(("topic", "other"), [("ab", "a"), ("a/x", "b/x"), ("a/x", "a/y")])
def test_a_topic_that_begins_or_ends_like_another_is_not_joined_with_it(topic: str, other: str) -> None:
    size = max(len(topic), len(other)) + 1
    assert len(cut(b"".join(wire.publish(one, b"c" * (size - len(one))) for one in (topic, other)))) == 2


PACKETS = st.lists(
    st.one_of(
        st.builds(wire.publish, st.sampled_from(["a", "ab", "a/b"]), st.binary(max_size=300)),
        st.builds(wire.publish, st.sampled_from(["a", "b"]), st.binary(max_size=9), st.just(1)),
        st.just(wire.PINGREQ),
        st.builds(wire.puback, st.integers(1, 65_535)),
    ),
    max_size=12,
)


@given(PACKETS, st.data())
def test_packets_are_the_same_however_the_stream_is_cut(packets: list[bytes], data: st.DataObject):
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    inbox, found = Inbox(), b""
    count = 0
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        behind = stream[start:end]
        while True:
            part, behind = inbox.add(behind)
            position = 0
            for _, begin, _, position, many in frames(part, 0, LIMIT):
                found += part[begin:position]
                count += many
            if part:
                inbox.keep(part[position:], LIMIT)
            if not behind:
                break
    assert found == stream
    assert count == len(packets)
    assert inbox.is_empty


def test_a_packet_sent_byte_by_byte_costs_its_size_once() -> None:
    inbox, whole = Inbox(), wire.publish("a", bytes(50_000))
    inbox.keep(inbox.add(whole[:4])[0], LIMIT)
    for at in range(4, len(whole) - 1):
        assert inbox.add(whole[at : at + 1]) == (b"", b"")
    assert sum(map(sys.getsizeof, inbox._parts)) < 1.2 * len(whole)
    assert inbox.add(whole[-1:]) == (whole, b"")


def test_a_large_packet_comes_by_itself() -> None:
    inbox, whole, next_one = Inbox(), wire.publish("a", bytes(100_000)), wire.publish("b", b"next")
    inbox.keep(inbox.add(whole[:60_000])[0], LIMIT)
    assert inbox.add(whole[60_000:] + next_one) == (whole, next_one)
    assert inbox.is_empty and inbox.size == 0


@given(st.binary(max_size=200))
def test_random_bytes_are_cut_or_malformed(data: bytes) -> None:
    try:
        found = cut(data, limit=100)
    except MalformedPacket:
        return
    assert all(start < body <= end <= len(data) for _, start, body, end, _ in found)
