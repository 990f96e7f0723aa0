"""Bounds of clients and integrations, what counts them, and the figures of connections."""

import mqtt_wire as wire
import pytest

from protocols.contract import Traffic, Wait
from protocols.mqtt import figures
from protocols.mqtt.crowd import Crowd
from protocols.mqtt.limits import Limits
from protocols.mqtt.meters import Meter
from protocols.mqtt.outbox import Flow, Outbox, share_out


def exceeded(broker) -> dict[str, int]:
    return {one.name: one.exceeded for one in figures.usage(broker) if one.exceeded}


@pytest.mark.parametrize(("level", "code"), [(4, 3), (5, 0x97)])
def test_an_integration_has_a_bounded_number_of_connections(level: int, code: int) -> None:
    broker = wire.broker(Limits(max_connections_per_integration=2))
    first, _ = wire.joined(broker, "c1"), wire.joined(broker, "c2")
    peer = wire.Peer(broker).send(wire.connect("c3", level=level))
    assert peer.closed and wire.split(peer.connection.outbox.take())[0][0][1][1] == code
    assert exceeded(broker) == {"MQTT_MAX_CONNECTIONS_PER_INTEGRATION": 1}
    wire.joined(broker, "c1"), wire.joined(broker, "c3", "bob")
    assert first.closed, "a take-over needs no room"
    wire.joined(broker, "c2").send(wire.DISCONNECT)
    wire.joined(broker, "c3")


def test_stored_sessions_are_no_connections() -> None:
    broker = wire.broker(Limits(max_connections_per_integration=1))
    for number in range(3):
        wire.joined(broker, f"c{number}", clean=False).send(wire.DISCONNECT)
    assert broker.sessions.count(1) == 0 and broker.sessions.stored == 3


def test_publishing_too_fast_is_slowed_down_and_nothing_is_lost() -> None:
    broker = wire.broker(Limits(publish_rate=10))
    watcher = wire.joined(broker, "w", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    peer = wire.joined(broker)
    peer.send(*[wire.publish("a", bytes([number]) * (number + 1)) for number in range(30)])
    found, now = watcher.received(), 0.0
    assert len(found) == 10 and peer.connection.held
    while len(found) < 30:
        assert (seconds := peer.connection.due_in) is not None
        now += seconds
        peer.connection.go_on(now)
        peer.send(now=now)
        found += watcher.received()
    assert [wire.message(one)[1][0] for one in found] == list(range(30))
    assert 1.8 < now < 2.2
    assert 0 < exceeded(broker)["MQTT_PUBLISH_RATE"] <= 20
    other = wire.joined(broker, "o", "bob").send(wire.publish("a"))
    assert not other.connection.held


def test_a_meter_allows_a_burst_of_one_second() -> None:
    meter = Meter(100, 0.0)
    meter.take(1_000)
    assert meter.wait(0.0) == pytest.approx(9.01)
    assert meter.wait(9.01) == 0.0
    assert meter.wait(1_000.0) == 0.0
    meter.take(100)
    assert meter.wait(1_000.0) == pytest.approx(0.01)


def test_the_queues_of_all_sessions_together_are_bounded() -> None:
    broker = wire.broker(Limits(queue_total_bytes=1_500, queue_reserve=0))
    for name in ("c1", "c2", "c3"):
        wire.joined(broker, name, clean=False).send(wire.subscribe(("a", 1)), wire.DISCONNECT)
    writer = wire.joined(broker, "w")
    writer.send(wire.publish("a", bytes(400), 1))
    assert broker.common.pool.size == 1_402
    assert exceeded(broker) == {"MQTT_QUEUE_TOTAL_BYTES": 1}
    [one] = [one for one in figures.usage(broker) if one.name == "MQTT_QUEUE_TOTAL_BYTES"]
    assert (one.used, one.limit) == (1_402, 1_500)
    wire.joined(broker, "c1")
    assert broker.common.pool.size == 701, "a session that ends gives its room back"
    peer = wire.Peer(broker).send(wire.connect("c2", clean=False))
    peer.received()
    assert broker.common.pool.size == 0


def test_every_setting_is_a_limit_with_a_name() -> None:
    names = [one.name for one in figures.usage(wire.broker())]
    assert len(names) == len(set(names))
    assert {"MQTT_CONNECT_TIMEOUT", "MQTT_MAX_CONNECTIONS", "MQTT_PUBLISH_RATE", "MQTT_OUTBOUND_BYTES"} <= set(names)


def test_refusals_are_counted_by_limit() -> None:
    broker = wire.broker(
        Limits(subscriptions=1, queue_messages=1, retained_messages=1, max_packet=500, stored_sessions=1)
    )
    peer = wire.joined(broker, clean=False).send(wire.subscribe(("a", 1), ("b", 1)))
    peer.connection.close("connection lost")
    writer = wire.joined(broker, "w")
    for number in range(3):
        writer.send(wire.publish("a", b"x", 1, number + 1), wire.publish(f"r/{number}", b"x", retain=True))
    writer.send(wire.publish("a", bytes(600)))
    wire.joined(broker, "other", clean=False).send(wire.DISCONNECT)
    late = wire.Peer(broker)
    late.connection.expel(late.connection.overdue(100.0))
    assert exceeded(broker) == {
        "MQTT_SUBSCRIPTIONS": 1,
        "MQTT_QUEUE_MESSAGES": 2,
        "MQTT_RETAINED_MESSAGES": 2,
        "MQTT_MAX_PACKET": 1,
        "MQTT_STORED_SESSIONS": 1,
        "MQTT_CONNECT_TIMEOUT": 1,
    }


def test_a_full_window_is_counted_once_for_all_that_wait() -> None:
    broker = wire.broker(Limits(inflight=2))
    reader = wire.joined(broker).send(wire.subscribe(("a", 1)))
    writer = wire.joined(broker, "w")
    for number in range(2):
        writer.send(wire.publish("a", b"x", 1, number + 1))
    assert exceeded(broker) == {}
    for number in range(2, 7):
        writer.send(wire.publish("a", b"x", 1, number + 1))
    assert exceeded(broker) == {"MQTT_INFLIGHT": 1}
    reader.connection.close("connection lost")
    assert exceeded(broker) == {"MQTT_INFLIGHT": 1}


def test_messages_for_a_client_that_is_away_do_not_count_as_a_full_window() -> None:
    broker = wire.broker(Limits(inflight=2))
    wire.joined(broker, clean=False).send(wire.subscribe(("a", 1)), wire.DISCONNECT)
    writer = wire.joined(broker, "w")
    for number in range(5):
        writer.send(wire.publish("a", b"x", 1, number + 1))
    assert exceeded(broker) == {}


@pytest.mark.parametrize(
    ("limit", "packets"),
    [
        ("receive_maximum", [wire.publish("a", b"x", 2, number, level=5) for number in (1, 2)]),
        ("topic_aliases", [wire.publish("a", level=5, stated={0x23: 2})]),
    ],
)
def test_what_5_0_is_told_to_keep_to_is_counted(limit: str, packets: list[bytes]) -> None:
    broker = wire.broker(Limits(**{limit: 1}))
    peer = wire.joined(broker, level=5).send(*packets)
    assert peer.closed and exceeded(broker) == {f"MQTT_{limit.upper()}": 1}


def test_a_keep_alive_that_is_brought_down_is_counted() -> None:
    broker = wire.broker(Limits(max_keep_alive=60))
    wire.joined(broker, "c1", level=5, keep_alive=60)
    assert exceeded(broker) == {}
    wire.joined(broker, "c2", level=5, keep_alive=61)
    assert exceeded(broker) == {"MQTT_MAX_KEEP_ALIVE": 1}


def test_a_connection_is_described() -> None:
    broker = wire.broker()
    peer = wire.joined(broker, "c1", clean=False).send(wire.subscribe(*[(f"a/{n}", n % 3) for n in range(150)]))
    peer.received()
    wire.joined(broker, "w", "bob").send(wire.publish("a/0", b"x") * 3, wire.publish("a/1", b"x", 1))
    peer.received()
    peer.send(wire.publish("z"))
    info = figures.describe(peer.connection.client, peer.connection)
    assert (info.connection_id, info.client_id) == ("1", "c1")
    assert (info.messages_in, info.messages_out, info.queued, info.dropped) == (1, 4, 0, 0)
    assert info.subscription_count == 150 and info.subscriptions[:2] == (("a/0", 0), ("a/1", 1))
    assert len(info.subscriptions) == 100
    assert info.bytes_in == peer.connection.bytes_in > 1_000 and info.bytes_out > 150


def test_traffic_is_told_once_and_not_lost_with_its_connection() -> None:
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.subscribe(("a", 0)), wire.publish("a", b"x") * 2)
    peer.received()
    size = peer.connection.bytes_in
    peer.connection.client.report(size)
    first = broker.tally.take()
    assert first == {1: Traffic(2, 2, size, first[1].bytes_out)}
    peer.connection.client.report(size)
    assert broker.tally.take() == {}
    peer.send(wire.publish("a", b"x"), wire.DISCONNECT)
    assert broker.tally.take()[1].messages_in == 1


def test_large_packets_in_parts_are_bounded_for_all_clients_together() -> None:
    broker = wire.broker(Limits(unfinished_packets=250_000))
    first, second, small = (wire.joined(broker, name) for name in ("c1", "c2", "c3"))
    large = wire.publish("a", bytes(200_000))
    first.send(large[:150_000])
    small.send(large[:60_000])
    assert broker.unfinished_packets == 150_000
    second.send(large[:150_000])
    assert second.closed and second.error is not None and second.error.code == 0x97
    first.send(large[150_000:])
    small.connection.close("connection lost")
    assert not first.closed and (broker.unfinished_packets, broker.unfinished) == (0, 0)


def test_a_connect_that_waits_counts_among_the_unfinished_ones() -> None:
    broker = wire.broker(Limits(unfinished_connects=1_500))
    peers = []
    for name in ("c" * 1_000, "d" * 1_000):
        broker.authenticate.waits.append(Wait(1))
        peers.append(wire.Peer(broker).send(wire.connect(name)))
    assert not peers[0].closed and peers[1].closed
    peers[0].connection.go_on(1.0)
    peers[0].send(now=1.0)
    assert broker.unfinished == 0


@pytest.mark.parametrize("qos", [1, 2])
def test_large_messages_under_way_are_bounded_in_bytes(qos: int) -> None:
    broker = wire.broker(Limits(queue_bytes=200_000, outbound_bytes=10_000_000))
    peer = wire.joined(broker, clean=False).send(wire.subscribe(("a", qos)))
    peer.received()
    writer = wire.joined(broker, "w", "bob")
    for number in range(5):
        writer.send(wire.publish("a", bytes([number]) * 100_000, 1 if qos == 1 else 2, number + 1))
    found = peer.received()
    assert len(found) == 2 and broker.common.pool.size > 200_000
    seen = []
    while found:
        for one in found:
            _, payload, _, packet_id = wire.message(one)
            seen.append(payload[0])
            peer.send(wire.puback(packet_id) if qos == 1 else wire.pubrec(packet_id) + wire.pubcomp(packet_id))
        found = [one for one in peer.received() if one[0] >> 4 == 3]
    assert seen[:3] == [0, 1, 2], "the others did not fit into the queue"
    assert broker.common.pool.size == 0


def test_large_messages_under_way_count_for_all_sessions_together_until_they_end() -> None:
    broker = wire.broker(Limits(queue_total_bytes=150_000))
    for name in ("c1", "c2"):
        wire.joined(broker, name, clean=False).send(wire.subscribe((name, 1)))
        wire.joined(broker, "w", "bob").send(wire.publish(name, bytes(100_000), 1))
    assert broker.common.pool.size == 200_000
    for name in ("c1", "c2"):
        wire.joined(broker, name, clean=True)
    assert broker.common.pool.size == 0


def test_readers_that_fall_behind_together_get_less_room_each() -> None:
    flow = Flow()
    outboxes = [Outbox(1_000_000, flow, lambda: None) for _ in range(10)]
    for outbox in outboxes[:8]:
        outbox.offer(bytes(500_000), 1)
    assert share_out(outboxes, 1_000_000, 2_400_000) == 4_000_000
    assert {outbox.limit for outbox in outboxes} == {300_000}
    assert not outboxes[0].offer(b"more", 1) and outboxes[9].offer(b"more", 1)
    for outbox in outboxes[:6]:
        outbox.take()
    share_out(outboxes, 1_000_000, 2_400_000)
    assert {outbox.limit for outbox in outboxes} == {1_000_000}


def test_addresses_of_one_ipv6_network_count_together() -> None:
    crowd = Crowd(Limits(max_connections_per_address=2))
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2::7%eth0"]
    for address in addresses:
        crowd.opened(address)
    assert crowd.exceeded(addresses[0]) == "max_connections_per_address"
    crowd.opened("2001:db8:1:3::1")
    assert crowd.exceeded("2001:db8:1:3::1") == ""
    for address in ("::ffff:192.0.2.1", "192.0.2.1", "unknown"):
        crowd.opened(address)
    assert crowd.networks.counts["192.0.2.1"] == 2
    for address in [*addresses, "2001:db8:1:3::1", "::ffff:192.0.2.1", "192.0.2.1", "unknown"]:
        crowd.closed(address)
    assert crowd.networks.counts == {} and crowd.connections == 0


@pytest.mark.parametrize("qos", [1, 2])
def test_a_retained_message_without_room_is_refused_and_the_old_value_stays(qos: int) -> None:
    broker = wire.broker(Limits(retained_messages=1))
    peer = wire.joined(broker, level=5)
    watcher = wire.joined(broker, "w", level=5).send(wire.subscribe(("#", 0), level=5))
    watcher.received()
    peer.send(wire.publish("a", b"old", retain=True, level=5))
    peer.send(wire.publish("b", b"new", qos=qos, packet_id=7, retain=True, level=5))
    [(head, body)] = peer.received()
    assert (head, body[:3]) == (0x40 if qos == 1 else 0x50, b"\0\x07\x97")
    assert len(watcher.received()) == 1, "what is refused goes to nobody"
    assert exceeded(broker) == {"MQTT_RETAINED_MESSAGES": 1}
    peer.send(wire.publish("a", b"newer", qos=qos, packet_id=7, retain=True, level=5))
    assert peer.received()[0][1][2:3] != b"\x97", "a topic that has a value has room for another"
    assert broker.retained.get("a").payload == b"newer"


def test_a_client_of_3_1_1_without_room_reaches_those_who_listen() -> None:
    broker = wire.broker(Limits(retained_messages=1))
    watcher = wire.joined(broker, "w").send(wire.subscribe(("#", 0)))
    watcher.received()
    wire.joined(broker).send(
        wire.publish("a", b"1", retain=True), wire.publish("b", b"2", qos=1, packet_id=1, retain=True)
    )
    assert len(watcher.received()) == 2
    assert broker.retained.get("b") is None


def test_each_limit_of_subscriptions_is_counted_under_its_own_name() -> None:
    broker = wire.broker(Limits(subscriptions=2, topic_levels=3, subscription_characters=600))
    peer = wire.joined(broker)
    peer.send(wire.subscribe(("a/b/c/d", 0), ("$share/g/a/b/c/d", 0)))
    assert exceeded(broker) == {"MQTT_TOPIC_LEVELS": 2}
    peer.send(wire.subscribe(("a" * 400, 0), ("b" * 400, 0)))
    assert exceeded(broker) == {"MQTT_TOPIC_LEVELS": 2, "MQTT_SUBSCRIPTION_CHARACTERS": 1}
    peer.send(wire.subscribe(("b", 0), ("c", 0)))
    assert exceeded(broker)["MQTT_SUBSCRIPTIONS"] == 1


def test_what_is_too_much_before_a_login_is_counted() -> None:
    broker = wire.broker(Limits(max_connect_packet=1_000, unfinished_connects=1_500))
    assert wire.Peer(broker).send(wire.connect("c" * 2_000)).closed
    assert exceeded(broker) == {"MQTT_MAX_CONNECT_PACKET": 1}
    first, second = (wire.Peer(broker).send(wire.connect(name * 900)[:-1]) for name in "ab")
    assert second.closed and not first.closed
    assert exceeded(broker) == {"MQTT_MAX_CONNECT_PACKET": 1, "MQTT_UNFINISHED_CONNECTS": 1}
    (used,) = [usage.used for usage in figures.usage(broker) if usage.name == "MQTT_UNFINISHED_CONNECTS"]
    assert 900 < used < 1_000


def test_what_is_too_much_after_a_login_is_counted() -> None:
    broker = wire.broker(Limits(unfinished_packets=250_000, max_packet=300_000))
    first, second = (wire.joined(broker, name) for name in ("c1", "c2"))
    for peer in (first, second):
        peer.send(wire.publish("a", bytes(200_000))[:150_000])
    assert exceeded(broker) == {"MQTT_UNFINISHED_PACKETS": 1}
    wire.joined(broker, "c3").send(wire.publish("a", bytes(400_000)))
    assert exceeded(broker) == {"MQTT_UNFINISHED_PACKETS": 1, "MQTT_MAX_PACKET": 1}


def test_a_slow_reader_whom_nobody_waits_for_any_longer_is_counted() -> None:
    broker = wire.broker(Limits(patience=1.0))
    outbox = Outbox(100, broker.flow, lambda: None)
    outbox.offer(bytes(50), 1)
    for now in (0.0, 0.5):
        broker.sweep(now)
    assert exceeded(broker) == {}
    broker.sweep(1.0)
    assert exceeded(broker) == {"MQTT_PATIENCE": 1}
