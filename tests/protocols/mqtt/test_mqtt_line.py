"""How single clients are spoken to: topic aliases, sizes, expiry, and packets of the other protocol level."""

from __future__ import annotations

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.common import Common
from protocols.mqtt.gate import Gate
from protocols.mqtt.keeping import NoKeeper
from protocols.mqtt.limits import Limits
from protocols.mqtt.line import Line
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.packets import Message, frames
from protocols.mqtt.translate import to_level_3_1_1, to_level_5


class Link:
    def __init__(self, common: Common) -> None:
        self.outbox = Outbox(common.limits.outbound_bytes, common.flow, lambda: None)
        self.gate = Gate(self.outbox, common.keeper, lambda: None)

    def close(self, reason: str, *, gently: bool = False, code: int | None = None) -> None:
        raise AssertionError(reason)


def line(level: int = 5, *, limits: Limits | None = None, **stated: int) -> Line:
    common = Common(limits or Limits(), NoKeeper())
    return Line(common, Link(common), level, **stated)


def offered(one: Line, *topics: str) -> list[tuple[str, int]]:
    """Send on these topics; return topic and alias of each packet."""
    for topic in topics:
        one.offer(Message(topic, b"x"))
    found = []
    for _, body in wire.split(one.outbox.take())[0]:
        end = 2 + int.from_bytes(body[:2], "big")
        stated, _ = wire.read_properties(body, end)
        found.append((body[2:end].decode(), stated.get(0x23, 0)))
    return found


def test_a_topic_is_sent_once_and_then_its_alias() -> None:
    assert offered(line(aliases=5), "plant/line1", "plant/line1", "plant/line2", "plant/line1") == [
        ("plant/line1", 1),
        ("", 1),
        ("plant/line2", 2),
        ("", 1),
    ]


def test_the_alias_of_the_topic_sent_longest_ago_is_used_again() -> None:
    one = line(aliases=2)
    assert offered(one, "topic/a", "topic/b", "topic/a", "topic/c") == [
        ("topic/a", 1),
        ("topic/b", 2),
        ("", 1),
        ("topic/c", 2),
    ]
    assert offered(one, "topic/b", "topic/c") == [("topic/b", 1), ("", 2)]


def test_short_topics_and_clients_that_take_none_get_no_aliases() -> None:
    assert offered(line(aliases=5), "a/b", "a/b") == [("a/b", 0)] * 2
    assert offered(line(), "plant/line1", "plant/line1") == [("plant/line1", 0)] * 2


def test_a_dropped_message_teaches_no_alias() -> None:
    one = line(aliases=5, limits=Limits(outbound_bytes=100))
    one.outbox.send(bytes(90))
    one.offer(Message("plant/line1", bytes(50)))
    one.outbox.take()
    assert offered(one, "plant/line1") == [("plant/line1", 1)]


def test_a_message_that_is_too_large_teaches_no_alias() -> None:
    one = line(aliases=5, max_packet=40)
    assert one.encode(Message("plant/line1", bytes(50))) is None
    assert offered(one, "plant/line1") == [("plant/line1", 1)]


def test_what_may_be_overtaken_uses_no_alias() -> None:
    one = line(aliases=5)
    data = one.encode(Message("plant/line1", b"x", 2), 1, in_order=False)
    assert data is not None and b"plant/line1" in data
    assert offered(one, "plant/line1") == [("plant/line1", 1)]


@given(st.lists(st.sampled_from(["topic/a", "topic/b", "topic/c", "topic/d", "topic/large"])), st.integers(1, 4))
def test_a_client_always_knows_the_topic(topics: list[str], aliases: int) -> None:
    one, known, heard = line(aliases=aliases, max_packet=60), {}, []
    for topic in topics:
        one.offer(Message(topic, bytes(60) if topic == "topic/large" else b"x"))
    for topic, alias in offered(one):
        assert alias <= aliases
        if topic:
            known[alias] = topic
        heard.append(known[alias])
    assert heard == [topic for topic in topics if topic != "topic/large"]


def test_what_expires_counts_down_and_is_not_sent_afterwards() -> None:
    one = line()
    message = Message("a", b"x", 1, expires_at=10.0)
    for now, left in ((0.0, 10), (3.5, 7), (9.9, 1)):
        one._common.now = now
        data = one.encode(message, 1)
        assert data is not None
        [(_, body)] = wire.split(data)[0]
        assert wire.read_properties(body, 5)[0] == {0x02: left}
    one._common.now = 10.5
    assert one.encode(message, 1) is None
    assert one.encode(message, 1, dup=True) is not None, "once sent, it is sent again"


@pytest.mark.parametrize("stated", [{"aliases": 3}, {"max_packet": 100}])
def test_a_client_with_wishes_is_not_sent_what_others_are(stated: dict[str, int]) -> None:
    assert line().is_simple and not line(**stated).is_simple
    assert line(max_packet=0xFFFFFFFF).is_simple, "it takes whatever comes"


def test_the_window_is_the_smaller_of_both_sides() -> None:
    limits = Limits(inflight=20, topic_aliases=10)
    assert line(limits=limits).window == 20
    assert line(limits=limits, window=5).window == 5
    assert line(limits=limits, aliases=60_000).aliases == 10


SIZES = st.integers(0, 300) | st.integers(16_370, 16_390)


@given(st.text("ab/", min_size=1, max_size=130), SIZES, st.integers(1, 4))
def test_a_burst_is_translated_between_the_levels(topic: str, size: int, count: int) -> None:
    payloads = [bytes([number]) * size for number in range(count)]
    old = b"".join(wire.publish(topic, payload) for payload in payloads)
    new = b"".join(wire.publish(topic, payload, level=5) for payload in payloads)
    [(_, start, body, end, found)] = frames(old, 0, 1 << 20, 4)
    assert found == count and to_level_5(old, start, body, end, count) == new
    [(_, start, body, end, found)] = frames(new, 0, 1 << 20, 5)
    assert found == count and to_level_3_1_1(new, start, body, end, count) == old
