"""QoS 1 and 2 in both versions: both directions, redelivery, order (4.3, 4.4, 4.6)."""

import mqtt_wire as wire
import pytest
from mqtt_bench import BOTH, Bench, Client, kinds, read_all

from protocols.mqtt.keeping import NoKeeper


def pair(level: int, qos: int = 2, **limits: object) -> tuple[Bench, Client, Client]:
    """Return a bench with a durable subscriber and a publisher."""
    bench = Bench(**limits)
    reader = bench.client("reader", level, durable=True)
    reader.subscribe(("a", qos))
    return bench, reader, bench.client("writer", level, durable=True)


def back(client: Client, client_id: str = "reader") -> Client:
    """Lose a connection and come back."""
    client.lose()
    return client.bench.client(client_id, client.level, durable=True)


@BOTH
def test_qos_1_is_sent_again_with_dup_until_puback(level: int) -> None:
    """3.1.1: 3.3.1-1 4.3.2-1 4.4.0-1. 5.0: 3.3.1-1 4.3.2-2 4.3.2-3 4.4.0-1."""
    bench, reader, writer = pair(level)
    writer.publish("a", b"x", 1)
    [first] = reader.take()
    assert (first.qos, first.dup) == (1, False)
    for _ in range(3):
        reader = back(reader)
        assert [(seen.packet_id, seen.payload, seen.dup) for seen in reader.early] == [(first.packet_id, b"x", True)]
    reader.answer("PUBACK", first.packet_id)
    assert back(reader).early == []


@BOTH
def test_nothing_is_sent_again_on_an_open_connection(level: int) -> None:
    """3.1.1: 4.4.0-1. 5.0: 4.4.0-1."""
    bench, reader, writer = pair(level)
    writer.publish("a", b"x", 1, 1).publish("a", b"y", 2, 2)
    assert len(reader.take()) == 2
    for _ in range(10):
        bench.wait(60)
    assert reader.take() == []


@BOTH
def test_qos_2_goes_on_from_where_it_was(level: int) -> None:
    """3.1.1: 3.3.1-1 4.3.3-1 4.4.0-1. 5.0: 3.3.1-1 4.3.3-2 4.3.3-3 4.3.3-4 4.3.3-5 4.3.3-6 4.4.0-1."""
    bench, reader, writer = pair(level)
    writer.publish("a", b"x", 2)
    [first] = reader.take()
    assert (first.qos, first.dup) == (2, False)
    reader = back(reader)
    assert [(seen.kind, seen.packet_id, seen.dup) for seen in reader.early] == [("PUBLISH", first.packet_id, True)]
    released = [("PUBREL", first.packet_id, 0)]
    reader.answer("PUBREC", first.packet_id)
    assert [(seen.kind, seen.packet_id, seen.reason) for seen in reader.take()] == released
    for _ in range(3):
        reader = back(reader)
        assert [(seen.kind, seen.packet_id, seen.reason) for seen in reader.early] == released
    reader.answer("PUBREC", first.packet_id)
    assert [(seen.kind, seen.packet_id, seen.reason) for seen in reader.take()] == released
    reader.answer("PUBCOMP", first.packet_id)
    assert back(reader).early == []


@BOTH
@pytest.mark.parametrize("again", ["at once", "after a reconnection"])
def test_an_incoming_qos_2_message_is_delivered_once(level: int, again: str) -> None:
    """3.1.1: 4.3.3-2. 5.0: 4.3.3-8 4.3.3-10 4.3.3-11 4.3.3-12."""
    bench, reader, writer = pair(level, 0)
    writer.publish("a", b"x", 2, 9)
    assert [(seen.kind, seen.packet_id, seen.reason) for seen in writer.take()] == [("PUBREC", 9, 0)]
    if again != "at once":
        writer = back(writer, "writer")
        assert writer.early == []
    for _ in range(3):
        writer.publish("a", b"x", 2, 9, dup=True)
        assert [(seen.kind, seen.packet_id) for seen in writer.take()] == [("PUBREC", 9)]
    writer.answer("PUBREL", 9)
    assert [(seen.kind, seen.packet_id, seen.reason) for seen in writer.take()] == [("PUBCOMP", 9, 0)]
    assert reader.payloads() == [b"x"]
    writer.publish("a", b"a new one", 2, 9)
    assert kinds(writer.take()) == ["PUBREC"]
    assert reader.payloads() == [b"a new one"]


@BOTH
def test_after_puback_an_identifier_is_a_new_messages_whatever_dup_says(level: int) -> None:
    """3.1.1: 4.3.2-2. 5.0: 4.3.2-4 4.3.2-5."""
    bench, reader, writer = pair(level, 0)
    for dup in (False, True, False):
        writer.publish("a", b"x", 1, 5, dup=dup)
        assert [(seen.kind, seen.packet_id, seen.reason) for seen in writer.take()] == [("PUBACK", 5, 0)]
    assert reader.payloads() == [b"x", b"x", b"x"]


@BOTH
def test_both_directions_have_identifiers_of_their_own(level: int) -> None:
    """3.1.1: 2.3.1-4. 5.0: 2.2.1-4."""
    bench, reader, writer = pair(level)
    writer.publish("a", b"x", 2, 1)
    [seen] = reader.take()
    reader.publish("a", b"own", 2, seen.packet_id)
    assert sorted(kinds(reader.take())) == ["PUBLISH", "PUBREC"]
    assert kinds(reader.answer("PUBREL", seen.packet_id).take()) == ["PUBCOMP"]
    assert kinds(reader.answer("PUBREC", seen.packet_id).take()) == ["PUBREL"]


@BOTH
def test_redelivery_keeps_the_order_of_messages_and_of_releases(level: int) -> None:
    """3.1.1: 4.6.0-1 4.6.0-4 4.6.0-6. 5.0: 4.6.0-5 4.4.0-1."""
    bench, reader, writer = pair(level)
    for number in range(1, 8):
        writer.publish("a", bytes([number]), 2, number)
    first = reader.take()
    ids = [seen.packet_id for seen in first]
    reader.answer("PUBREC", ids[4])
    reader.answer("PUBREC", ids[2])
    assert [seen.packet_id for seen in reader.take()] == [ids[4], ids[2]]
    reader = back(reader)
    again = reader.early
    assert [seen.payload[0] for seen in again if seen.kind == "PUBLISH"] == [1, 2, 4, 6, 7]
    assert [seen.packet_id for seen in again if seen.kind == "PUBREL"] == [ids[4], ids[2]]
    assert [seen.packet_id for seen in again if seen.kind == "PUBLISH"] == [ids[0], ids[1], ids[3], ids[5], ids[6]]


@BOTH
def test_messages_that_waited_follow_those_that_are_sent_again(level: int) -> None:
    """3.1.1: 4.6.0-1 4.6.0-6 3.1.2-5. 5.0: 4.6.0-5 3.1.2-23."""
    bench, reader, writer = pair(level, 1)
    for number in (1, 2, 3):
        writer.publish("a", bytes([number]), 1, number)
    [one, _, _] = reader.take()
    reader.answer("PUBACK", one.packet_id).lose()
    for number in (4, 5):
        writer.publish("a", bytes([number]), 1, number)
    reader = bench.client("reader", level, durable=True)
    assert [(seen.payload[0], seen.dup) for seen in reader.early] == [(2, True), (3, True), (4, False), (5, False)]


@BOTH
def test_the_window_bounds_what_is_under_way_and_nothing_overtakes(level: int) -> None:
    """3.1.1: 4.6.0-6. 5.0: 4.6.0-5 4.9.0-1 4.9.0-2."""
    bench, reader, writer = pair(level, 2, inflight=3)
    for number in range(1, 11):
        writer.publish("a", bytes([number]), 1 + number % 2, number).answer("PUBREL", number)
    assert read_all(reader, 3) == list(range(1, 11))


@BOTH
def test_acknowledgements_of_nothing_do_no_harm(level: int) -> None:
    """3.1.1: 2.3.1-6. 5.0: 3.6.2-1 3.7.2-1."""
    client = Bench().client("c", level)
    client.answer("PUBACK", 5).answer("PUBCOMP", 5).answer("PUBREC", 6).answer("PUBREL", 7)
    missing = 0 if level == 4 else 0x92
    assert [(seen.kind, seen.packet_id, seen.reason) for seen in client.take()] == [
        ("PUBREL", 6, missing),
        ("PUBCOMP", 7, missing),
    ]
    assert not client.closed


@BOTH
def test_a_publisher_that_comes_back_with_a_clean_session_begins_anew(level: int) -> None:
    """3.1.1: 3.1.2-6 4.3.3-2. 5.0: 3.1.2-4 4.3.3-12."""
    bench, reader, writer = pair(level, 0)
    writer.publish("a", b"x", 2, 9).lose()
    bench.client("writer", level).publish("a", b"y", 2, 9)
    assert reader.payloads() == [b"x", b"y"]


def test_a_message_of_3_1_1_that_cannot_be_stored_is_not_acknowledged_and_its_connection_closed() -> None:
    """3.1.1: 4.8.0-2."""
    bench = Bench()
    keeper = NoKeeper()
    keeper.accepting = False
    bench.broker = wire.broker(bench.broker.limits, keeper)
    client = bench.client("c", 4).publish("a", b"x", 1, 1, retain=True)
    bench.wait(60)
    assert (client.take(), client.closed) == ([], False)
    keeper.accepting = True
    bench.wait(1)
    assert (client.take(), client.closed) == ([], True)
    client = bench.client("c", 4).publish("a", b"x", 1, 1, retain=True, dup=True)
    assert kinds(client.take()) == ["PUBACK"]
