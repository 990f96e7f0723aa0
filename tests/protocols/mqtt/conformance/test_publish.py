"""PUBLISH in both versions: retained messages, DUP, forwarding, overlapping subscriptions (3.3)."""

import pytest
from mqtt_bench import BOTH, Bench, kinds, messages, refusal
from mqtt_wire import packet, string

from protocols.contract import Grant


@BOTH
@pytest.mark.parametrize(("qos", "wanted"), [(sent, granted) for sent in range(3) for granted in range(3)])
def test_a_message_arrives_at_the_lower_of_both_qos(level: int, qos: int, wanted: int) -> None:
    """3.1.1: 3.8.4-6 3.3.4-1 3.3.2-3. 5.0: 3.8.4-8 3.3.4-1 3.3.2-3 3.2.2-10."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    assert reader.subscribe(("a/+", wanted))[0].codes == (wanted,)
    writer.publish("a/b", b"x", qos, 7)
    [seen] = reader.take()
    assert (seen.topic, seen.payload, seen.qos, seen.dup, seen.retain) == (
        "a/b",
        b"x",
        min(qos, wanted),
        False,
        False,
    )
    assert kinds(writer.take()) == [[], ["PUBACK"], ["PUBREC"]][qos]


@BOTH
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_is_not_passed_on(level: int, qos: int) -> None:
    """3.1.1: 3.3.1-3. 5.0: 3.3.1-3."""
    bench = Bench()
    reader = bench.client("reader", level)
    reader.subscribe(("a", 2))
    bench.client("writer", level).publish("a", b"x", qos, 7, dup=True)
    assert [seen.dup for seen in reader.take()] == [False]


@BOTH
@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_a_new_subscription_gets_what_is_retained_with_its_flag_and_qos(level: int, kept: int, wanted: int) -> None:
    """3.1.1: 3.3.1-5 3.3.1-6 3.3.1-8. 5.0: 3.3.1-5 3.3.1-9 3.8.4-8."""
    bench = Bench()
    writer = bench.client("writer", level)
    writer.publish("a/b", b"old", 2, 1, retain=True)
    writer.publish("a/b", b"new", kept, 2, retain=True)
    writer.publish("c", b"another", retain=True)
    [suback, seen] = bench.client("reader", level).subscribe(("a/#", wanted))
    assert suback.kind == "SUBACK"
    assert (seen.topic, seen.payload, seen.qos, seen.retain) == ("a/b", b"new", min(kept, wanted), True)


@BOTH
def test_an_established_subscription_gets_retain_0(level: int) -> None:
    """3.1.1: 3.3.1-9. 5.0: 3.3.1-12."""
    bench = Bench()
    reader = bench.client("reader", level)
    reader.subscribe(("a", 1))
    for qos in (0, 1):
        bench.client("writer", level).publish("a", b"x", qos, retain=True)
    assert [seen.retain for seen in reader.take()] == [False, False]


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_retained_message_is_delivered_and_removes_the_stored_one(level: int, qos: int) -> None:
    """3.1.1: 3.3.1-10 3.3.1-11. 5.0: 3.3.1-6 3.3.1-7."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    reader.subscribe(("a", 0))
    writer.publish("a", b"x", 0, retain=True).publish("a", b"", qos, 1, retain=True)
    assert [(seen.payload, seen.retain) for seen in reader.take()] == [(b"x", False), (b"", False)]
    assert kinds(bench.client("late", level).subscribe(("a", 2), ("#", 2))) == ["SUBACK"]


@BOTH
def test_a_message_without_retain_neither_stores_nor_removes(level: int) -> None:
    """3.1.1: 3.3.1-12. 5.0: 3.3.1-8."""
    bench = Bench()
    writer = bench.client("writer", level)
    writer.publish("a", b"kept", retain=True).publish("a", b"other", 1, 1).publish("a", b"", 1, 2)
    writer.publish("b", b"never")
    assert [seen.payload for seen in bench.client("late", level).subscribe(("#", 0))[1:]] == [b"kept"]


@BOTH
def test_a_retained_qos_0_message_replaces_the_stored_one(level: int) -> None:
    """3.1.1: 3.3.1-7. 5.0: 3.3.1-5."""
    bench = Bench()
    bench.client("w", level).publish("a", b"one", 2, 1, retain=True).publish("a", b"two", 0, retain=True)
    assert [(seen.payload, seen.qos) for seen in bench.client("late", level).subscribe(("a", 2))[1:]] == [(b"two", 0)]


@BOTH
@pytest.mark.parametrize("topic", ["", "#", "+", "a/#", "a/+", "a+b", "a#b", "+/a"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_topic_name_that_is_empty_or_has_a_wildcard_closes_the_connection(level: int, topic: str, qos: int) -> None:
    """3.1.1: 3.3.2-2 4.7.1-1 4.7.3-1. 5.0: 3.3.2-2 4.7.0-1 4.7.3-1."""
    bench = Bench()
    reader = bench.client("reader", level)
    reader.subscribe(("#", 0))
    client = bench.client("writer", level).publish(topic, b"x", qos)
    assert client.closed
    assert client.closed_with() in ((0x81, 0x82, 0x90) if level == 5 else (None,))
    assert reader.take() == []


@BOTH
def test_a_publish_that_ends_in_its_topic_name_closes_the_connection(level: int) -> None:
    """3.1.1: 3.3.2-1. 5.0: 3.3.2-1."""
    for wrong in (b"", b"\0", b"\0\x05abc", string("a") + b"\0"):
        client = Bench().client("writer", level).send(packet(0x32, wrong))
        assert client.closed_with() == refusal(level, 0x81)


@BOTH
def test_overlapping_filters_deliver_at_the_highest_qos(level: int) -> None:
    """3.1.1: 3.3.5-1. 5.0: 3.3.4-2."""
    bench = Bench()
    reader = bench.client("reader", level)
    reader.subscribe(("a/#", 1), ("a/+", 2), ("a/b", 0), ("+/b", 1))
    for qos in (2, 1, 0):
        bench.client("writer", level).publish("a/b", b"x", qos, 1)
    assert [seen.qos for seen in reader.take()] == [2, 1, 0]


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publish_that_is_not_permitted_reaches_nobody_and_is_answered(level: int, qos: int) -> None:
    """3.1.1: 3.3.5-2. 5.0: 3.3.4-1 3.4.2-1 3.5.2-1."""
    bench = Bench()
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada", publish=("own/#",))
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    reader.subscribe(("#", 0))
    writer.publish("other", b"x", qos, 7, retain=True)
    assert [(seen.kind, seen.packet_id, seen.reason) for seen in writer.take()] == [
        [],
        [("PUBACK", 7, 0 if level == 4 else 0x87)],
        [("PUBREC", 7, 0 if level == 4 else 0x87)],
    ][qos]
    writer.publish("own/x", b"y")
    assert [seen.topic for seen in messages(reader.take())] == ["own/x"]
    assert len(bench.client("late", level).subscribe(("other", 0))) == 1


@BOTH
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_one_client_arrive_in_their_order(level: int, qos: int) -> None:
    """3.1.1: 4.6.0-2 4.6.0-3 4.6.0-5 4.6.0-6. 5.0: 4.6.0-5 4.6.0-6."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    reader.subscribe(("a/#", qos))
    seen = []
    for number in range(1, 101):
        writer.publish(f"a/{number % 3}", bytes([number]), qos, number)
        if number % 10 == 0:
            for one in messages(reader.take()):
                seen.append(one.payload[0])
                reader.answer("PUBACK" if qos == 1 else "PUBREC", one.packet_id) if qos else None
            answers = reader.take()
            for one in answers:
                if one.kind == "PUBREL":
                    reader.answer("PUBCOMP", one.packet_id)
    assert seen == list(range(1, 101))
    assert [one.packet_id for one in writer.take()] == (list(range(1, 101)) if qos else [])


@BOTH
def test_a_longest_topic_name_is_taken_as_it_is(level: int) -> None:
    """3.1.1: 4.7.3-3 4.7.3-4. 5.0: 4.7.3-3 4.7.3-4."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    name = "é" * 32_767 + "x"
    assert reader.subscribe((name, 0), ("#", 0))[0].codes == (0, 0)
    writer.publish(name, b"x")
    assert [len(seen.topic.encode()) for seen in reader.take()] == [65_535]
