"""Keep alive, holds and bounds of one connection, without sockets."""

import mqtt_wire as wire
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.mqtt import connection as connections
from protocols.mqtt.client import KEEP_ALIVE_TIMED_OUT
from protocols.mqtt.connection import NO_CONNECT
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import frames

SMALL = Limits(outbound_bytes=4_000, inflight=2, queue_messages=8)


def flood(publisher: wire.Peer, count: int, qos: int = 0, size: int = 100) -> None:
    for number in range(count):
        payload = bytes(size + number % 2)  # of two sizes, so that a burst is not one frame
        publisher.send(wire.publish("a", payload, qos, number % 60_000 + 1))


def listener(broker, client_id: str = "sub", qos: int = 0) -> wire.Peer:
    peer = wire.joined(broker, client_id).send(wire.subscribe(("a", qos)))
    peer.received()
    return peer


def test_keep_alive_is_enforced_at_one_and_a_half_times() -> None:  # [MQTT-3.1.2-24]
    peer = wire.joined(wire.broker(), keep_alive=10)
    assert peer.connection.overdue(15.0) is None
    assert peer.connection.overdue(15.1) == KEEP_ALIVE_TIMED_OUT
    peer.send(wire.PINGREQ, now=15.0)
    assert peer.received() == [wire.PINGRESP]  # [MQTT-3.12.4-1]
    assert peer.connection.overdue(30.0) is None
    assert peer.connection.overdue(30.1) == KEEP_ALIVE_TIMED_OUT


def test_a_keep_alive_of_zero_allows_any_silence() -> None:
    assert wire.joined(wire.broker()).connection.overdue(1e9) is None


def test_a_dribble_of_bytes_is_no_sign_of_life_but_a_large_packet_under_way_is() -> None:
    peer = wire.joined(wire.broker(), keep_alive=10)
    large = wire.publish("a", bytes(10_000))
    peer.send(large[:5], now=14.0)
    peer.send(large[5:6], now=15.0)
    assert peer.connection.overdue(16.0) == KEEP_ALIVE_TIMED_OUT
    peer.send(large[6:2_000], now=15.0)
    assert peer.connection.overdue(16.0) is None


def test_a_connect_that_takes_too_long_is_overdue_whatever_dribbles_in() -> None:
    peer = wire.Peer(wire.broker(Limits(connect_timeout=5)))
    whole = wire.connect("c" * 5_000)
    peer.send(whole[:2_000], now=4.0)
    assert peer.connection.overdue(5.0) is None
    assert peer.connection.overdue(5.1) == NO_CONNECT


def test_a_large_packet_before_the_login_is_refused_by_its_length() -> None:
    peer = wire.Peer(wire.broker(Limits(max_connect_packet=1_000)))
    peer.send(wire.connect("c" * 1_000)[:3])
    assert peer.closed and "1,000 are allowed" in str(peer.error)


def test_a_large_packet_after_the_login_is_refused_by_its_length() -> None:
    peer = wire.joined(wire.broker(Limits(max_packet=1_000)))
    peer.send(wire.publish("a", bytes(1_000))[:3])
    assert peer.closed and "1,000 are allowed" in str(peer.error)


def test_a_publisher_waits_for_a_subscriber_that_falls_behind_and_nothing_is_lost() -> None:
    broker = wire.broker(SMALL)
    peer, publisher = listener(broker), wire.joined(broker, "pub")
    flood(publisher, 100)
    assert publisher.connection.held
    assert peer.connection.outbox.size < 4_000
    found = []
    while more := peer.received():
        found += more
        publisher.send()
    assert len(found) == 100
    assert not publisher.connection.held
    assert peer.connection.take_dropped() == 0


def test_a_burst_in_one_piece_is_held_too() -> None:
    broker = wire.broker(SMALL)
    peer, publisher = listener(broker), wire.joined(broker, "pub")
    pieces = [wire.publish("a", bytes([number]) * (number + 1)) for number in range(200)]
    publisher.send(b"".join(pieces))
    assert publisher.connection.held
    found = []
    while more := peer.received():
        found += more
        publisher.send()
    assert [wire.message(one)[1][0] for one in found] == list(range(200))


def test_who_waits_beside_others_is_not_read_again_before_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(connections, "frames", lambda data, *rest: looks.append(len(data)) or frames(data, *rest))
    broker = wire.broker(SMALL)
    peer = listener(broker)
    publishers = [wire.joined(broker, f"pub{number}") for number in range(20)]
    for publisher in publishers:
        flood(publisher, 20)
    looks.clear()
    found = []
    while more := peer.received():
        found += more
        for publisher in publishers:
            publisher.send()
    assert len(found) == 400 and not any(publisher.connection.held for publisher in publishers)
    assert len(looks) < 100, "most of those that are let go on find that others have been quicker"


def test_nobody_waits_for_long_and_then_qos_0_is_dropped_and_counted() -> None:
    broker = wire.broker(SMALL)
    peer, other = listener(broker), listener(broker, "other")
    publisher = wire.joined(broker, "pub")
    flood(publisher, 100)
    other.received()
    broker.flow.give_up(10.0, patience=1.0)  # noticed
    assert publisher.connection.held
    broker.flow.give_up(10.9, patience=1.0)
    assert publisher.connection.held
    broker.flow.give_up(11.0, patience=1.0)
    assert not publisher.connection.held
    found = 0
    for _ in range(100):
        publisher.send()
        found += len(other.received())
    assert not publisher.connection.held
    assert peer.connection.outbox.size <= 4_000
    assert found > 50, "the one that reads is not disturbed"
    peer.received()
    assert peer.connection.take_dropped() > 0
    other.connection.close("connection lost")
    flood(publisher, 40)
    assert publisher.connection.held, "it has caught up: it is waited for again"
    assert peer.connection.take_dropped() == 0


def test_a_qos_1_publisher_waits_for_acknowledgements_and_nothing_is_lost() -> None:
    broker = wire.broker(SMALL)
    peer, publisher = listener(broker, qos=1), wire.joined(broker, "pub")
    flood(publisher, 50, qos=1, size=1)
    assert publisher.connection.held
    count = 0
    while found := peer.received():
        count += len(found)
        peer.send(*[wire.puback(wire.message(one)[3]) for one in found])
        publisher.send()
    assert count == 50
    assert peer.connection.take_dropped() == 0


def test_a_client_never_waits_for_its_own_acknowledgements() -> None:
    broker = wire.broker(SMALL)
    peer = listener(broker, qos=1)
    for number in range(30):
        peer.send(wire.publish("a", b"x", 1, number + 1))
    assert not peer.connection.held


def test_a_publisher_that_waits_is_not_timed_out() -> None:
    broker = wire.broker(SMALL)
    listener(broker)
    publisher = wire.joined(broker, "pub", keep_alive=10)
    flood(publisher, 100)
    assert publisher.connection.held
    assert publisher.connection.overdue(100.0) is None


def test_closing_the_slow_one_lets_the_publisher_go_on() -> None:
    broker = wire.broker(SMALL)
    peer, publisher = listener(broker), wire.joined(broker, "pub")
    flood(publisher, 100)
    peer.connection.close("connection lost")
    assert not publisher.connection.held
    assert not broker.flow.congested


def test_who_does_not_read_its_answers_is_not_read_either() -> None:
    peer = wire.joined(wire.broker(SMALL), keep_alive=10)
    peer.send(wire.PINGREQ * 100_000)
    assert peer.connection.held
    assert peer.connection.outbox.size < 4_100
    assert peer.connection.overdue(100.0) == KEEP_ALIVE_TIMED_OUT
    count = 0
    while found := peer.received():
        count += len(found)
        peer.send()
    assert count == 100_000


def test_retained_messages_come_at_the_pace_of_the_reader() -> None:
    broker = wire.broker(Limits(outbound_bytes=4_000))
    publisher = wire.joined(broker, "pub")
    for number in range(300):
        publisher.send(wire.publish(f"r/{number}", bytes(500), retain=True))
    peer = wire.joined(broker).send(wire.subscribe(("#", 0), ("r/#", 0)))
    assert peer.connection.outbox.size < 4_000
    assert len(peer.received()) == 1 + 600
    assert peer.connection.take_dropped() == 0


def test_retained_messages_at_qos_1_respect_the_window() -> None:
    broker = wire.broker(SMALL)
    publisher = wire.joined(broker, "pub")
    for number in range(50):
        publisher.send(wire.publish(f"r/{number}", b"x", 1, retain=True))
    peer = wire.joined(broker).send(wire.subscribe(("r/#", 1)))
    [_, *found] = peer.received()
    count = 0
    while found:
        assert len(found) <= 2
        count += len(found)
        found = peer.send(*[wire.puback(wire.message(one)[3]) for one in found]).received()
    assert count == 50


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans())
def test_random_bytes_close_their_own_connection_at_most(parts: list[bytes], logged_in: bool):
    broker = wire.broker()
    bystander = listener(broker)
    peer = wire.joined(broker, "evil") if logged_in else wire.Peer(broker)
    for part in parts:
        peer.send(part)
    assert not bystander.closed
    wire.joined(broker, "pub").send(wire.publish("a", b"still here"))
    assert wire.message(bystander.received()[-1])[1] == b"still here"


@pytest.mark.parametrize("length", range(1, 40))
def test_a_connect_cut_anywhere_waits_and_then_works(length: int) -> None:
    whole = wire.connect("client", keep_alive=60)
    peer = wire.Peer(wire.broker()).send(whole[:length])
    assert not peer.closed
    assert peer.send(whole[length:]).received() == [wire.connack()]
