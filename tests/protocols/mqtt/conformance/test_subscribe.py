"""SUBSCRIBE and UNSUBSCRIBE in both versions, and which filters match (3.8 to 3.11, 4.7)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import BOTH, Bench, kinds, refusal
from mqtt_wire import packet, string

from protocols.contract import Grant
from protocols.hub.runs import Source
from protocols.mqtt.packets import Message

FORBIDDEN = {4: 0x80, 5: 0x87}


@BOTH
def test_suback_has_a_code_for_each_filter_in_order(level: int) -> None:
    """3.1.1: 3.8.4-1 3.8.4-2 3.8.4-4 3.8.4-5 3.9.3-1 3.9.3-2.

    5.0: 3.8.4-1 3.8.4-2 3.8.4-5 3.8.4-6 3.8.4-7 3.9.3-1 3.9.3-2.
    """
    bench = Bench()
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("own/#",))
    client = bench.client("c", level)
    seen = client.subscribe(("own/a", 2), ("other", 1), ("own/b", 0), ("#", 1), ("own/+", 1), packet_id=515)
    refused = FORBIDDEN[level]
    assert [(one.kind, one.packet_id, one.codes) for one in seen] == [
        ("SUBACK", 515, (2, refused, 0, refused, 1)),
    ]
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada")
    bench.client("writer", level).publish("other", b"x")
    assert client.take() == []


@BOTH
def test_wildcards_are_supported(level: int) -> None:
    """3.1.1: 3.8.3-2. 5.0: 3.8.4-7."""
    client = Bench().client("c", level)
    assert client.subscribe(("#", 0), ("+/+", 1), ("a/+/#", 2))[0].codes == (0, 1, 2)


@BOTH
@pytest.mark.parametrize("head", [0x82, 0xA2])
def test_a_request_without_a_filter_closes_the_connection(level: int, head: int) -> None:
    """3.1.1: 3.8.3-3 3.10.3-2. 5.0: 3.8.3-2 3.10.3-2."""
    client = Bench().client("c", level).send(packet(head, b"\0\x01" + (b"\0" if level == 5 else b"")))
    assert client.closed
    assert client.closed_with() in ((0x81, 0x82) if level == 5 else (None,))


@BOTH
@pytest.mark.parametrize("options", [3, 0x40, 0x80, 0xC1, 0xFF])
def test_options_that_are_reserved_close_the_connection(level: int, options: int) -> None:
    """3.1.1: 3.8.3-4. 5.0: 3.8.3-5."""
    client = Bench().client("c", level).send(mqtt.subscribe(level, ("a", 0), ("b", options)))
    assert client.closed
    assert client.closed_with() in ((0x81, 0x82) if level == 5 else (None,))


def test_the_options_of_5_0_are_reserved_in_3_1_1() -> None:
    """3.1.1: 3.8.3-4."""
    for options in (0x04, 0x08, 0x10, 0x20):
        client = Bench().client("c", 4).send(mqtt.subscribe(4, ("a", options)))
        assert (client.closed, client.take()) == (True, [])


BAD_FILTERS = ["", "a#", "#/", "a/#/b", "##", "a+", "+a/b", "a/b+", "a/+b/#", "/#/", "++"]


@BOTH
@pytest.mark.parametrize("bad", BAD_FILTERS)
def test_a_filter_with_a_misplaced_wildcard_closes_the_connection_or_is_refused(level: int, bad: str) -> None:
    """3.1.1: 4.7.1-2 4.7.1-3 4.7.3-1. 5.0: 4.7.1-1 4.7.1-2 4.7.3-1."""
    client = Bench().client("c", level)
    seen = client.subscribe(("good", 0), (bad, 0))
    if client.closed:
        assert [one.reason for one in seen] in ([], [0x81], [0x8F])
    else:
        assert seen[0].codes == (0, 0x8F if level == 5 else 0x80)


@BOTH
def test_the_same_filter_again_replaces_the_subscription_and_retained_messages_come_again(level: int) -> None:
    """3.1.1: 3.8.4-3. 5.0: 3.8.4-3 3.8.4-4."""
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    writer.publish("a", b"kept", 1, retain=True)
    assert [seen.qos for seen in reader.subscribe(("a", 0))[1:]] == [0]
    assert [seen.qos for seen in reader.subscribe(("a", 1))[1:]] == [1]
    writer.publish("a", b"x", 1)
    assert [(seen.payload, seen.qos) for seen in reader.take()] == [(b"x", 1)]
    reader.subscribe(("a", 0))
    writer.publish("a", b"y", 1)
    assert [(seen.payload, seen.qos) for seen in reader.take()] == [(b"y", 0)]


@BOTH
def test_what_waits_is_not_lost_when_a_subscription_is_replaced(level: int) -> None:
    """3.1.1: 3.8.4-3. 5.0: 3.8.4-4."""
    bench = Bench(inflight=1)
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    reader.subscribe(("a", 1))
    for number in (1, 2, 3):
        writer.publish("a", bytes([number]), 1, number)
    [first] = reader.take()
    assert kinds(reader.subscribe(("a", 1))) == ["SUBACK"]
    found = [first.payload]
    while first.packet_id:
        seen = reader.answer("PUBACK", first.packet_id).take()
        found += [one.payload for one in seen]
        first = seen[0] if seen else mqtt.Seen("")
    assert found == [b"\x01", b"\x02", b"\x03"]


MATCHES = [  # the examples of the standards first
    ("sport/tennis/player1/#", "sport/tennis/player1", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
    ("sport/#", "sport", True),
    ("sport/tennis/+", "sport/tennis/player1", True),
    ("sport/tennis/+", "sport/tennis/player1/ranking", False),
    ("sport/+", "sport", False),
    ("sport/+", "sport/", True),
    ("+/+", "/finance", True),
    ("/+", "/finance", True),
    ("+", "/finance", False),
    ("a", "A", False),
    ("a", "a/", False),
    ("/a", "a", False),
    ("a//b", "a/b", False),
    ("é", "e\u0301", False),
    ("a ", "a", False),
    ("a/+/c", "a//c", True),
    ("#", "a/$b", True),
]


@BOTH
@pytest.mark.parametrize(("wanted", "name", "expected"), MATCHES)
def test_a_filter_matches_as_the_standards_say(level: int, wanted: str, name: str, expected: bool) -> None:
    """3.1.1: 3.3.2-3 4.7.1-2 4.7.1-3 4.7.3-4. 5.0: 3.3.2-3 4.7.1-1 4.7.1-2 4.7.3-4."""
    bench = Bench()
    early, writer = bench.client("early", level), bench.client("writer", level)
    early.subscribe((wanted, 0))
    writer.publish(name, b"x", retain=True)
    late = bench.client("late", level).subscribe((wanted, 0))[1:]
    assert [seen.topic for seen in early.take()] == [name] * expected
    assert [seen.topic for seen in late] == [name] * expected


@BOTH
@pytest.mark.parametrize("wanted", ["#", "+/x", "+/#", "+/+", "$x/#", "$x/+", "$x/x"])
def test_leading_wildcards_match_no_topic_that_begins_with_a_dollar(level: int, wanted: str) -> None:
    """3.1.1: 4.7.2-1. 5.0: 4.7.2-1."""
    bench = Bench()
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("#", "$x/#"))
    early = bench.client("early", level)
    assert early.subscribe((wanted, 0))[0].codes == (0,)
    bench.broker.publish(Message("$x/x", b"x", retain=True), Source(0, retain=True))  # no client may
    late = bench.client("late", level).subscribe((wanted, 0))[1:]
    expected = ["$x/x"] * wanted.startswith("$")
    assert [seen.topic for seen in early.take()] == expected
    assert [seen.topic for seen in late] == expected


# --- UNSUBSCRIBE


@BOTH
def test_unsubscribe_ends_exactly_its_filters_and_is_always_answered(level: int) -> None:
    """3.1.1: 3.10.4-1 3.10.4-2 3.10.4-4 3.10.4-5 3.10.4-6.

    5.0: 3.10.4-1 3.10.4-2 3.10.4-4 3.10.4-5 3.10.4-6 3.11.3-1 3.11.3-2.
    """
    bench = Bench()
    reader, writer = bench.client("reader", level), bench.client("writer", level)
    reader.subscribe(("a/+", 0), ("a/b", 0), ("c", 0))
    [seen] = reader.unsubscribe("a/#", "a/b", "A/+", "c", "a/b", packet_id=517)
    expected = (0x11, 0, 0x11, 0, 0x11) if level == 5 else ()
    assert (seen.kind, seen.packet_id, seen.codes) == ("UNSUBACK", 517, expected)
    writer.publish("c", b"no").publish("a/b", b"by a/+")
    assert reader.payloads() == [b"by a/+"]
    [seen] = reader.unsubscribe("a/+")
    writer.publish("a/b", b"no")
    assert reader.take() == []


@BOTH
def test_what_has_begun_is_delivered_after_unsubscribe(level: int) -> None:
    """3.1.1: 3.10.4-2 3.10.4-3. 5.0: 3.10.4-2 3.10.4-3."""
    bench = Bench()
    reader, writer = bench.client("reader", level, durable=True), bench.client("writer", level)
    reader.subscribe(("a", 2))
    writer.publish("a", b"one", 1, 1).publish("a", b"two", 2, 2)
    [one, two] = reader.take()
    assert kinds(reader.unsubscribe("a")) == ["UNSUBACK"]
    assert kinds(reader.answer("PUBREC", two.packet_id).take()) == ["PUBREL"]
    reader.lose()
    reader = bench.client("reader", level, durable=True)
    assert [(seen.kind, seen.packet_id) for seen in reader.early] == [
        ("PUBLISH", one.packet_id),
        ("PUBREL", two.packet_id),
    ]
    writer.publish("a", b"three", 1, 3)
    assert reader.take() == []


@BOTH
@pytest.mark.parametrize("bad", BAD_FILTERS)
def test_unsubscribing_from_no_filter_does_no_harm(level: int, bad: str) -> None:
    """3.1.1: 3.10.3-1. 5.0: 3.10.3-1."""
    client = Bench().client("c", level)
    seen = client.unsubscribe(bad)
    if client.closed:
        assert [one.reason for one in seen] in ([], [refusal(level, 0x8F)], [refusal(level, 0x81)])
    else:
        assert seen[0].codes in ((), (0x8F,), (0x11,))


@BOTH
def test_a_cut_filter_closes_the_connection(level: int) -> None:
    """3.1.1: 3.8.3-1 3.8.3-3 3.10.3-1. 5.0: 3.8.3-1 3.8.3-2 3.10.3-1."""
    start = b"\0\x01" + (b"\0" if level == 5 else b"")
    for head, rest in ((0x82, b"\0\x05abc"), (0x82, string("a")), (0xA2, b"\0\x05abc"), (0xA2, b"\0")):
        client = Bench().client("c", level).send(packet(head, start + rest))
        assert client.closed_with() == refusal(level, 0x81)
