"""QoS 1 and 2 in both directions, across connections."""

import mqtt_wire as wire
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.mqtt.limits import Limits


def subscriber(broker, qos: int = 2, **options: object) -> wire.Peer:
    peer = wire.joined(broker, "sub", clean=False, **options).send(wire.subscribe(("#", qos)))
    peer.received()
    return peer


def back(broker) -> tuple[wire.Peer, list[wire.Received]]:
    """Connect the subscriber again; return what it is sent after its CONNACK."""
    peer = wire.Peer(broker).send(wire.connect("sub", clean=False))
    first, *rest = peer.received()
    assert first == wire.connack(present=True)
    return peer, rest


def heads(found: list[wire.Received]) -> list[int]:
    return [head for head, _ in found]


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_message_is_delivered_at_the_lower_qos(published: int, granted: int) -> None:
    broker = wire.broker()  # [MQTT-3.8.4-6]
    peer = subscriber(broker, granted)
    wire.joined(broker, "pub").send(wire.publish("a", b"x", published))
    [found] = peer.received()
    assert wire.message(found)[:3] == ("a", b"x", min(published, granted))


def test_an_unacknowledged_qos_1_message_is_sent_again_with_dup() -> None:
    broker = wire.broker()  # [MQTT-4.4.0-1] [MQTT-3.3.1-1]
    peer = subscriber(broker)
    wire.joined(broker, "pub").send(wire.publish("a", b"x", 1))
    [(head, body)] = peer.received()
    assert head == 0x32
    peer.connection.close("connection lost")
    _, again = back(broker)
    assert again == [(0x3A, body)]


def test_an_acknowledged_message_is_not_sent_again() -> None:
    broker = wire.broker()
    peer = subscriber(broker)
    wire.joined(broker, "pub").send(wire.publish("a", b"x", 1))
    [found] = peer.received()
    peer.send(wire.puback(wire.message(found)[3]))
    peer.connection.close("connection lost")
    assert back(broker)[1] == []


def test_qos_2_goes_on_from_where_it_was() -> None:  # (4.3.3)
    broker = wire.broker()
    peer = subscriber(broker)
    wire.joined(broker, "pub").send(wire.publish("a", b"x", 2))
    [(head, body)] = peer.received()
    assert head == 0x34
    peer.connection.close("connection lost")
    peer, again = back(broker)
    assert again == [(0x3C, body)], "no PUBREC came: the PUBLISH again, with DUP"
    packet_id = wire.message(again[0])[3]
    peer.send(wire.pubrec(packet_id))
    assert heads(peer.received()) == [0x62]
    peer.connection.close("connection lost")
    peer, again = back(broker)
    assert again == [(0x62, packet_id.to_bytes(2, "big"))], "a PUBREC came: PUBREL again"
    peer.send(wire.pubrec(packet_id))
    assert heads(peer.received()) == [0x62]
    peer.send(wire.pubcomp(packet_id))
    peer.connection.close("connection lost")
    assert back(broker)[1] == []


def test_redelivery_keeps_the_order_of_messages_and_of_releases() -> None:
    broker = wire.broker()  # [MQTT-4.6.0-1] [MQTT-4.6.0-4]
    peer = subscriber(broker)
    publisher = wire.joined(broker, "pub")
    for number in range(5):
        publisher.send(wire.publish("a", bytes([number]), 2, number + 1))
    sent = [wire.message(found) for found in peer.received()]
    assert [payload for _, payload, _, _ in sent] == [bytes([number]) for number in range(5)]
    ids = [packet_id for *_, packet_id in sent]
    peer.send(wire.pubrec(ids[3]), wire.pubrec(ids[1]))
    peer.connection.close("connection lost")
    _, again = back(broker)
    assert [wire.message(found)[3] for found in again[:3]] == [ids[0], ids[2], ids[4]]
    assert [found[1] for found in again[3:]] == [ids[3].to_bytes(2, "big"), ids[1].to_bytes(2, "big")]


def test_the_window_bounds_what_is_unacknowledged_and_the_queue_follows_in_order() -> None:
    broker = wire.broker(Limits(inflight=3))
    peer = subscriber(broker)
    publisher = wire.joined(broker, "pub")
    for number in range(10):
        publisher.send(wire.publish("a", bytes([number]), 1, number + 1))
    seen = []
    while found := peer.received():
        assert len(found) <= 3
        for one in found:
            _, payload, _, packet_id = wire.message(one)
            seen.append(payload[0])
            peer.send(wire.puback(packet_id))
    assert seen == list(range(10))


def test_a_full_queue_drops_and_counts_what_does_not_fit() -> None:
    broker = wire.broker(Limits(inflight=1, queue_messages=3))
    peer = subscriber(broker)
    peer.connection.close("connection lost")
    publisher = wire.joined(broker, "pub")
    for number in range(6):
        publisher.send(wire.publish("a", bytes([number]), 1, number + 1))
    peer, found = back(broker)
    seen = []
    while found:
        _, payload, _, packet_id = wire.message(found[0])
        seen.append(payload[0])
        found = peer.send(wire.puback(packet_id)).received()
    assert seen == [0, 1, 2]
    assert peer.connection.take_dropped() == 3
    assert peer.connection.take_dropped() == 0


def test_a_queue_is_bounded_in_bytes_but_takes_one_large_message() -> None:
    broker = wire.broker(Limits(queue_bytes=1_000))
    peer = subscriber(broker)
    peer.connection.close("connection lost")
    wire.joined(broker, "pub").send(wire.publish("a", bytes(5_000), 1, 1), wire.publish("a", b"more", 1, 2))
    _, found = back(broker)
    assert [len(wire.message(one)[1]) for one in found] == [5_000]


def test_a_received_qos_2_message_is_routed_once() -> None:  # [MQTT-4.3.3-2]
    broker = wire.broker()
    peer = subscriber(broker, 0)
    publisher = wire.joined(broker, "pub", clean=False)
    publisher.send(wire.publish("a", b"x", 2, 9), wire.publish("a", b"x", 2, 9, dup=True))
    assert heads(publisher.received()) == [0x50, 0x50]
    publisher.connection.close("connection lost")
    publisher = wire.joined(broker, "pub", clean=False)
    publisher.send(wire.publish("a", b"x", 2, 9, dup=True), wire.pubrel(9))
    assert heads(publisher.received()) == [0x50, 0x70]
    publisher.send(wire.publish("a", b"next", 2, 9))
    assert [wire.message(found)[1] for found in peer.received()] == [b"x", b"next"]


def test_a_pubrel_is_always_answered() -> None:
    peer = wire.joined(wire.broker()).send(wire.pubrel(77))
    assert peer.received() == [(0x70, b"\x00\x4d")]


def test_acknowledgements_of_nothing_do_no_harm() -> None:
    peer = wire.joined(wire.broker())
    peer.send(wire.puback(5), wire.pubcomp(5), wire.pubrec(6))
    assert peer.received() == [(0x62, b"\x00\x06")]


@pytest.mark.parametrize(
    ("qos", "wrong", "fact"),
    [
        (2, wire.puback, "PUBACK for a QoS 2 message"),
        (1, wire.pubrec, "PUBREC for a QoS 1 message"),
        (2, wire.pubcomp, "PUBCOMP before PUBREC"),
    ],
)
def test_an_acknowledgement_of_the_wrong_kind_is_a_violation(qos, wrong, fact) -> None:
    broker = wire.broker()
    peer = subscriber(broker)
    wire.joined(broker, "pub").send(wire.publish("a", b"x", qos))
    [found] = peer.received()
    peer.send(wrong(wire.message(found)[3]))
    assert peer.closed and fact in str(peer.error)


def test_packet_identifiers_wrap_around_those_in_use() -> None:  # [MQTT-2.3.1-4]
    broker = wire.broker()
    peer = subscriber(broker)
    publisher = wire.joined(broker, "pub")
    publisher.send(wire.publish("a", b"held", 1))
    [held] = peer.received()
    held_id = wire.message(held)[3]
    used = set()
    for _ in range(65_540):
        publisher.send(wire.publish("a", b"x", 1))
        [found] = peer.received()
        packet_id = wire.message(found)[3]
        used.add(packet_id)
        peer.send(wire.puback(packet_id))
    assert used == set(range(1, 65_536)) - {held_id}


@settings(max_examples=60)
@given(st.integers(1, 2), st.lists(st.integers(0, 5), min_size=5, max_size=60))
def test_whatever_breaks_everything_arrives_in_order_and_qos_2_once(qos: int, steps: list[int]):
    """Publish, lose connections and acknowledge in any order; then drain."""
    broker = wire.broker(Limits(inflight=3))
    publisher = wire.joined(broker, "pub")
    peer, fresh, waiting, known, sent = subscriber(broker, qos), [], [], set(), 0
    seen: list[int] = []

    def take(found: list[wire.Received]) -> None:
        for head, body in found:
            if head >> 4 != 3:
                waiting.append(wire.pubcomp(int.from_bytes(body, "big")))
                known.discard(int.from_bytes(body, "big"))
                continue
            _, payload, _, packet_id = wire.message((head, body))
            if qos == 1 or packet_id not in known:
                seen.append(payload[0])
            if qos == 2:
                known.add(packet_id)
            waiting.append(wire.puback(packet_id) if qos == 1 else wire.pubrec(packet_id))

    for step in steps:
        if step < 3:
            sent += 1
            publisher.send(wire.publish("a", bytes([sent]), qos, sent))
            publisher.send(wire.pubrel(sent))
        elif step == 3:
            peer.connection.close("connection lost")
            waiting.clear()
            peer, fresh = back(broker)
            take(fresh)
        else:
            take(peer.received())
            for answer in waiting[:2]:
                peer.send(answer)
            del waiting[:2]
    take(peer.received())
    while waiting:
        answers, waiting[:] = list(waiting), []
        take(peer.send(*answers).received())
    everything = list(range(1, sent + 1))
    if qos == 2:
        assert seen == everything
    else:
        first = [number for at, number in enumerate(seen) if number not in seen[:at]]
        assert first == everything


@pytest.mark.parametrize("taken", [False, True])
def test_a_new_message_never_overtakes_what_waits_for_room(taken: bool) -> None:  # [MQTT-4.6.0-6]
    broker = wire.broker(Limits(outbound_bytes=4_000))
    peer = subscriber(broker, 1)
    publisher = wire.joined(broker, "pub")
    for number in range(8):
        publisher.send(wire.publish("a", bytes([number]) * 600, 1, number + 1))
    data = peer.connection.outbox.take() if taken else b""  # room, which nobody was told of yet
    publisher.send(wire.publish("a", b"\x08" * 600, 1, 9))
    peer.connection.drained()
    found = wire.split(data)[0] + peer.received()
    assert [wire.message(one)[1][0] for one in found] == list(range(9))


def test_a_new_message_never_overtakes_redelivery() -> None:  # [MQTT-4.6.0-1]
    broker = wire.broker(Limits(outbound_bytes=4_000))
    peer = subscriber(broker, 1)
    publisher = wire.joined(broker, "pub")
    for number in range(8):
        publisher.send(wire.publish("a", bytes([number]) * 600, 1, number + 1))
        peer.received()
    peer.connection.close("connection lost")
    peer = wire.Peer(broker).send(wire.connect("sub", clean=False))
    data = peer.connection.outbox.take()
    publisher.send(wire.publish("a", b"new", 1, 9))
    peer.connection.drained()
    found = wire.split(data)[0][1:] + peer.received()
    assert [wire.message(one)[1][:1] for one in found] == [bytes([n]) for n in range(8)] + [b"n"]
