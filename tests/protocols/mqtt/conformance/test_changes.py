"""What a connection changes for those that were there before: its version, its limits, its subscriptions."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import BOTH, Bench, kinds
from mqtt_client import ALIAS_MAXIMUM, MAXIMUM_PACKET, SUBSCRIPTION_ID, USER

from protocols.contract import Grant


@pytest.mark.parametrize(("first", "then"), [(4, 5), (5, 4)])
@pytest.mark.parametrize("writes", [4, 5])
def test_a_subscriber_that_comes_back_in_the_other_version_is_spoken_to_in_it(
    first: int, then: int, writes: int
) -> None:
    """3.1.1: 3.1.2-4 7.0.0-2. 5.0: 3.1.2-5."""
    bench = Bench()
    writer = bench.client("writer", writes)
    for level in (first, then, first):
        reader = bench.client("reader", level, durable=True)
        reader.subscribe(("a", 0))
        for payload in (b"one", b"two"):
            writer.publish("a", payload)
        assert reader.payloads() == [b"one", b"two"]
        reader.lose()
        writer.publish("a", b"nobody")


@pytest.mark.parametrize("stated", [{MAXIMUM_PACKET: 50}, {ALIAS_MAXIMUM: 3}, {MAXIMUM_PACKET: 50, ALIAS_MAXIMUM: 3}])
def test_a_subscriber_that_comes_back_with_other_limits_is_held_to_them(stated: dict) -> None:
    """5.0: 3.1.2-24 3.1.2-26 3.1.2-27 3.3.2-7."""
    bench = Bench()
    writer = bench.client("writer")
    name = "plant/line1"
    for values in ({}, stated, {}, stated):
        reader = bench.client("reader", durable=True, properties=values)
        reader.subscribe((name, 0))
        for size in (10, 100):
            writer.publish(name, bytes(size))
        seen = reader.take()
        assert [len(one.payload) for one in seen] == ([10] if MAXIMUM_PACKET in values else [10, 100])
        assert seen[0].topic == name
        assert all(one.properties.get(mqtt.ALIAS, 0) <= values.get(ALIAS_MAXIMUM, 0) for one in seen)
        reader.lose()


@BOTH
def test_a_change_of_subscriptions_reaches_who_published_before(level: int) -> None:
    """3.1.1: 3.8.4-3 3.10.4-2. 5.0: 3.8.4-3 3.10.4-2."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    for qos in (0, 1, 2, 0):
        for number in range(2):
            writer.publish("a/b", bytes([number]), 2, 1).answer("PUBREL", 1)
        reader.subscribe(("a/+", qos))
        writer.publish("a/b", b"x", 2, 1).answer("PUBREL", 1)
        assert [seen.qos for seen in reader.take() if seen.payload == b"x"] == [qos]
    reader.unsubscribe("a/+")
    writer.publish("a/b", b"x", 2, 1)
    assert reader.take() == []


def test_bursts_reach_every_kind_of_subscriber_alike() -> None:
    """5.0: 3.3.4-3 3.3.2-17 4.6.0-5. 3.1.1: 4.6.0-6."""
    bench = Bench()
    readers = {
        "3.1.1": bench.client("old", 4),
        "5.0": bench.client("new"),
        "aliases": bench.client("aliases", properties={ALIAS_MAXIMUM: 2}),
        "small": bench.client("small", properties={MAXIMUM_PACKET: 500}),
        "acknowledged": bench.client("acknowledged"),
        "identified": bench.client("identified"),
        "alone": bench.client("alone"),
    }
    for name, reader in readers.items():
        values = {SUBSCRIPTION_ID: 7} if name == "identified" else None
        wanted = "$share/g/plant/+" if name == "alone" else "plant/+"
        reader.subscribe((wanted, 1 if name == "acknowledged" else 0), properties=values)
    expected = []
    for level in (4, 5):
        writer = bench.client("writer", level)
        burst = [mqtt.publish(level, "plant/line1", bytes([number])) for number in range(5)]
        if level == 5:
            burst.insert(2, mqtt.publish(5, "plant/line1", b"p", properties={USER: [("k", "v")]}))
            burst.insert(4, mqtt.publish(5, "plant/line1", b"q", 1, 1))
        writer.send(b"".join(burst))
        expected += [b"\x00", b"\x01", *([b"p"] if level == 5 else []), b"\x02"]
        expected += [*([b"q"] if level == 5 else []), b"\x03", b"\x04"]
    for name, reader in readers.items():
        seen = reader.take()
        assert [one.payload for one in seen] == expected, name
        assert {one.qos for one in seen} <= ({0, 1} if name == "acknowledged" else {0})
        if name == "identified":
            assert {tuple(one.properties[SUBSCRIPTION_ID]) for one in seen} == {(7,)}
        if name != "3.1.1":
            assert [one.payload for one in seen if USER in one.properties] == [b"p"]


def test_a_right_withdrawn_in_the_middle_of_a_handshake_does_not_break_it() -> None:
    """5.0: 4.3.3-10 4.3.3-11."""
    bench = Bench()
    reader, writer = bench.client("reader", username="bob"), bench.client("writer")
    reader.subscribe(("a", 0))
    writer.publish("a", b"x", 2, 9)
    bench.broker.permit({1: Grant(1, "ada", publish=("own",))})
    writer.publish("a", b"x", 2, 9, dup=True).answer("PUBREL", 9).publish("a", b"y", 2, 9)
    assert [(seen.kind, seen.reason) for seen in writer.take()] == [
        ("PUBREC", 0),
        ("PUBREC", 0),
        ("PUBCOMP", 0),
        ("PUBREC", 0x87),
    ]
    assert reader.payloads() == [b"x"]


@BOTH
def test_a_right_to_read_that_is_withdrawn_ends_and_comes_back_with_it(level: int) -> None:
    """3.1.1: 3.8.4-5. 5.0: 3.8.4-7."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level, username="bob")
    assert reader.subscribe(("a", 1), ("own/#", 1))[0].codes == (1, 1)
    bench.broker.permit({1: Grant(1, "ada", subscribe=("own/#",))})
    writer.publish("a", b"no").publish("own/a", b"yes")
    assert reader.payloads() == [b"yes"]
    assert kinds(reader.subscribe(("a", 1))) == ["SUBACK"]
    bench.broker.permit({1: Grant(1, "ada")})
    reader.subscribe(("a", 1))
    writer.publish("a", b"again")
    assert reader.payloads() == [b"again"]
