"""5.0: receive maximum and maximum packet size in both directions (3.1.2.11, 3.2.2.3, 3.3.4, 4.9)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import Bench, Client, kinds, messages, read_all
from mqtt_client import ALIAS_MAXIMUM, MAXIMUM_PACKET, RECEIVE_MAXIMUM, SESSION_EXPIRY, USER
from mqtt_wire import PINGREQ

# --- receive maximum: to the client


def windowed(maximum: int, qos: int = 2) -> tuple[Bench, Client, Client]:
    """Return a durable subscriber with so small a window, and a publisher."""
    bench = Bench()
    reader = bench.client("reader", durable=True, properties={RECEIVE_MAXIMUM: maximum})
    reader.subscribe(("a", qos))
    return bench, reader, bench.client("writer")


@pytest.mark.parametrize("maximum", [1, 2, 7])
@pytest.mark.parametrize("qos", [1, 2])
def test_no_more_is_under_way_to_a_client_than_its_receive_maximum(maximum: int, qos: int) -> None:
    """5.0: 3.3.4-9 4.9.0-1 4.9.0-2."""
    bench, reader, writer = windowed(maximum)
    for number in range(1, 21):
        writer.publish("a", bytes([number]), qos, number).answer("PUBREL", number)
    assert read_all(reader, maximum) == list(range(1, 21))


def test_a_pubrec_that_refuses_frees_its_place_and_one_that_accepts_does_not() -> None:
    """5.0: 3.3.4-9 4.9.0-2 4.4.0-2 4.3.3-4."""
    bench, reader, writer = windowed(1)
    for number in (1, 2, 3):
        writer.publish("a", bytes([number]), 2, number)
    [first] = reader.take()
    [second] = reader.answer("PUBREC", first.packet_id, 0x97).take()
    assert (second.kind, second.payload) == ("PUBLISH", b"\x02")
    assert kinds(reader.answer("PUBREC", second.packet_id).take()) == ["PUBREL"]
    assert [seen.payload for seen in reader.answer("PUBCOMP", second.packet_id).take()] == [b"\x03"]


def test_nothing_else_waits_for_a_full_window() -> None:
    """5.0: 3.3.4-10 4.9.0-3 3.3.4-8."""
    bench, reader, writer = windowed(1)
    reader.subscribe(("q0", 0))
    writer.publish("a", b"one", 1, 1).publish("a", b"two", 1, 2)
    [first] = reader.take()
    writer.publish("q0", b"qos 0 passes")
    reader.send(PINGREQ, mqtt.subscribe(5, ("c", 0)), mqtt.unsubscribe(5, "c"))
    reader.publish("d", b"", 1, 1).publish("d", b"", 2, 2).answer("PUBREL", 2)
    assert kinds(reader.take()) == ["PUBLISH", "PINGRESP", "SUBACK", "UNSUBACK", "PUBACK", "PUBREC", "PUBCOMP"]
    assert [seen.payload for seen in reader.answer("PUBACK", first.packet_id).take()] == [b"two"]


def test_a_resumed_session_is_held_to_the_new_receive_maximum() -> None:
    """5.0: 3.3.4-9 4.9.0-1 4.4.0-1."""
    bench, reader, writer = windowed(10, 1)
    for number in range(1, 6):
        writer.publish("a", bytes([number]), 1, number)
    assert len(reader.take()) == 5
    reader.lose()
    reader = bench.client("reader", durable=True, properties={RECEIVE_MAXIMUM: 2})
    found, seen = [], messages(reader.early)
    while seen:
        assert len(seen) <= 2
        found += [(one.payload[0], one.dup) for one in seen]
        for one in seen:
            reader.answer("PUBACK", one.packet_id)
        seen = messages(reader.take())
    assert found == [(number, True) for number in range(1, 6)]


def test_a_window_is_that_of_its_connection() -> None:
    """5.0: 4.9.0-1."""
    bench, reader, writer = windowed(1, 1)
    for number in range(1, 6):
        writer.publish("a", bytes([number]), 1, number)
    assert len(reader.take()) == 1
    reader.lose()
    reader = bench.client("reader", durable=True)
    assert [one.payload[0] for one in reader.early] == [1, 2, 3, 4, 5]


# --- receive maximum: from the client


def test_a_client_that_sends_more_than_it_was_told_is_closed() -> None:
    """5.0: 3.3.4-7."""
    bench = Bench(receive_maximum=3)
    client = bench.client("c")
    assert client.connack.properties[RECEIVE_MAXIMUM] == 3
    for number in (1, 2, 3):
        client.publish("a", b"", 2, number)
    client.publish("a", b"", 2, 1, dup=True)
    assert kinds(client.take()) == ["PUBREC"] * 4
    assert kinds(client.answer("PUBREL", 2).publish("a", b"", 2, 4).take()) == ["PUBCOMP", "PUBREC"]
    assert client.publish("a", b"", 2, 5).closed_with() == 0x93


def test_acknowledged_messages_do_not_count() -> None:
    """5.0: 3.3.4-7."""
    client = Bench(receive_maximum=1).client("c")
    for number in range(1, 50):
        client.publish("a", b"", 1, number)
        client.publish("a", b"", 2, number).answer("PUBREL", number)
    assert kinds(client.take()) == ["PUBACK", "PUBREC", "PUBCOMP"] * 49


# --- maximum packet size: to the client


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("aliases", [0, 5])
def test_a_message_too_large_for_a_client_is_discarded_as_if_it_were_delivered(qos: int, aliases: int) -> None:
    """5.0: 3.1.2-24 3.1.2-25."""
    bench = Bench()
    limit = 60
    small = bench.client("small", durable=True, properties={MAXIMUM_PACKET: limit, ALIAS_MAXIMUM: aliases})
    other, writer = bench.client("other"), bench.client("writer")
    for client in (small, other):
        client.subscribe(("plant/line", 2))
    sizes = [10, 100, limit - 2 - 12 - 1 - (2 if qos else 0), limit, 5]
    for number, size in enumerate(sizes, 1):
        writer.publish("plant/line", bytes(size), qos, number)
    seen = messages(small.take())
    assert all(one.size <= limit for one in seen)
    assert [len(one.payload) for one in seen] in ([10, sizes[2], 5], [10, 5] if aliases else None)
    assert [len(one.payload) for one in other.take()] == sizes
    assert not small.closed
    for one in seen:
        small.answer("PUBACK" if qos == 1 else "PUBREC", one.packet_id) if qos else None
        small.answer("PUBCOMP", one.packet_id) if qos == 2 else None
    small.lose()
    assert bench.client("small", durable=True).early == [], "what was discarded is not sent later"


def test_what_is_too_large_only_for_a_later_connection_is_discarded_then() -> None:
    """5.0: 3.1.2-24 3.1.2-25."""
    bench = Bench()
    client = bench.client("c", durable=True)
    client.subscribe(("a", 1))
    writer = bench.client("writer").publish("a", bytes(100), 1, 1)
    assert len(client.take()) == 1
    client.lose()
    writer.publish("a", bytes(100), 1, 2).publish("a", b"small", 1, 3).publish("a", bytes(100), 0)
    client = bench.client("c", durable=True, properties={MAXIMUM_PACKET: 60})
    assert [seen.payload for seen in client.early] == [b"small"]
    assert client.subscribe(("a", 1))[0].codes == (1,)


def test_a_retained_message_too_large_for_a_client_is_left_out() -> None:
    """5.0: 3.1.2-24 3.1.2-25."""
    bench = Bench()
    bench.client("writer").publish("a/1", bytes(100), 1, 1, retain=True).publish("a/2", b"x", 1, 2, retain=True)
    client = bench.client("c", properties={MAXIMUM_PACKET: 60})
    assert [seen.topic for seen in client.subscribe(("a/#", 1))[1:]] == ["a/2"]


def test_the_properties_of_a_message_count() -> None:
    """5.0: 3.1.2-24."""
    bench = Bench()
    client = bench.client("c", properties={MAXIMUM_PACKET: 60})
    client.subscribe(("a", 0))
    bench.client("writer").publish("a", b"x", properties={USER: [("k", "v" * 60)]}).publish("a", b"y")
    assert client.payloads() == [b"y"]


@pytest.mark.parametrize("limit", [20, 30, 60])
def test_no_answer_is_larger_than_the_client_takes(limit: int) -> None:
    """5.0: 3.1.2-24 3.9.2-1 3.9.2-2 3.11.2-1 3.11.2-2."""
    filters = [(f"a/{number}", 1) for number in range(100)]
    for request in (mqtt.subscribe(5, *filters), mqtt.unsubscribe(5, *(wanted for wanted, _ in filters))):
        client = Bench().client("c", properties={MAXIMUM_PACKET: limit}).send(request)
        seen = client.take()
        assert all(one.size <= limit for one in seen), [one.kind for one in seen]
        assert client.closed, "there is no other way to say that it was not done"


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 10, 15])
def test_a_client_that_takes_hardly_anything_is_sent_nothing_larger(limit: int) -> None:
    """5.0: 3.1.2-24 3.2.2-19 3.2.2-20."""
    bench = Bench(max_keep_alive=60)
    client = bench.knock(mqtt.connect("", properties={MAXIMUM_PACKET: limit, SESSION_EXPIRY: 10}))
    client.send(b"\x00\x00")
    assert all(one.size <= limit for one in client.take())


# --- maximum packet size: from the client


@pytest.mark.parametrize("over", [0, 1, 1_000_000])
def test_a_packet_larger_than_the_server_takes_closes_the_connection_at_its_length(over: int) -> None:
    """5.0: 3.2.2-15."""
    client = Bench(max_packet=1_000).client("c")
    assert client.connack.properties[MAXIMUM_PACKET] == 1_000
    data = mqtt.publish(5, "a", bytes(1_000 - 3 - 4 + over), 0)
    assert len(data) >= 1_000 + over
    client.send(data if not over else data[:10])
    if over:
        assert client.closed_with() == 0x95
    else:
        assert (client.closed, client.take()) == (False, [])
