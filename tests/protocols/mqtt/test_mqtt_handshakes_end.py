"""Messages under way whose handshake ends in another way than by success, and what that gives back."""

import mqtt_wire as wire
import pytest
from test_mqtt_durable import Keeper

from protocols.contract import Grant
from protocols.mqtt.backlog import SENT, Entry
from protocols.mqtt.keeping import EXPIRES_NEVER, Stored, StoredSession
from protocols.mqtt.limits import Limits
from protocols.mqtt.packets import Filter, Message

REFUSED = 0x83
ACKNOWLEDGE = {1: wire.puback, 2: wire.pubrec}


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def durable(broker, qos: int = 1, window: int = 65_535) -> wire.Peer:
    """Return a client with a durable session that subscribes to everything."""
    values = {0x11: 3_600, 0x21: window}
    return wire.joined(broker, "d", clean=False, level=5, stated=values).send(wire.subscribe(("#", qos), level=5))


def messages(peer: wire.Peer) -> list[tuple[str, int]]:
    """Return topic and packet identifier of each message that came."""
    found = [wire.message(one) for one in peer.received() if one[0] >> 4 == 3]
    return [(topic, packet_id) for topic, _, _, packet_id in found]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_that_is_refused_is_forgotten_and_makes_room_for_the_next(keeper: Keeper, qos: int) -> None:
    broker = wire.broker(keeper=keeper)  # [MQTT5-4.3.3-4] [MQTT5-4.9.0-2]
    peer = durable(broker, qos, window=1)
    keeper.commit()
    for number, topic in enumerate(("one", "two"), 1):
        wire.joined(broker, "w", "bob").send(wire.publish(topic, b"x", qos, number))
    keeper.commit()
    [(_, packet_id)] = messages(peer)
    keeper.log.clear()
    peer.send(ACKNOWLEDGE[qos](packet_id, REFUSED))
    keeper.commit()
    assert [topic for topic, _ in messages(peer)] == ["two"]
    assert keeper.log == [f"d: no {packet_id}", f"d: x sent {packet_id + 1}"]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_is_under_way_while_its_right_is_withdrawn_is_acknowledged_as_usual(keeper: Keeper, qos: int) -> None:
    broker = wire.broker(keeper=keeper)
    peer = durable(broker, qos)
    keeper.commit()
    wire.joined(broker, "w", "bob").send(wire.publish("a", b"x", qos, 1))
    keeper.commit()
    [(_, packet_id)] = messages(peer)
    keeper.log.clear()
    broker.permit({1: Grant(1, "ada", subscribe=("b",))})
    peer.send(ACKNOWLEDGE[qos](packet_id))
    keeper.commit()
    released = [] if qos == 1 else [(0x62, packet_id.to_bytes(2, "big"))]
    assert (peer.received(), keeper.log) == (
        released,
        ["session d", f"d: no {packet_id}" if qos == 1 else f"d:  released {packet_id}"],
    )


@pytest.mark.parametrize("sent", [False, True])
def test_what_may_not_be_read_any_more_is_not_kept_in_the_store_either(keeper: Keeper, sent: bool) -> None:
    broker = wire.broker(keeper=keeper)
    peer = durable(broker)
    if not sent:
        peer.connection.close("connection lost")
    wire.joined(broker, "w", "bob").send(wire.publish("a", b"x", 1, 1), wire.publish("b", b"x", 1, 2))
    peer.connection.close("connection lost")
    keeper.log.clear()
    broker.permit({1: Grant(1, "ada", subscribe=("b",))})
    assert keeper.log == [f"d: no {int(sent)}", "session d"]


def test_a_large_message_under_way_is_counted_again_after_a_restart() -> None:
    broker = wire.broker(Limits(queue_bytes=100_000))
    entry = Entry(Message("a", bytes(90_000), 1))
    entry.state, entry.packet_id = SENT, 5
    filters = [(Filter("a", 1), 0)]
    session = StoredSession(Grant(1, "ada"), "d", 4, EXPIRES_NEVER, None, subscriptions=filters, entries=[entry])
    broker.restore(Stored([session]), 0.0)
    assert broker.common.pool.size == 90_000
    peer = wire.joined(broker, "d", clean=False)
    peer.send(wire.puback(5))
    assert broker.common.pool.size == 0


def test_a_duplicate_is_acknowledged_though_the_receive_maximum_is_reached() -> None:
    broker = wire.broker(Limits(receive_maximum=2))  # [MQTT5-3.3.4-7]
    writer = wire.joined(broker, "w", clean=False, level=5, stated={0x11: 60})
    packets = [wire.publish("a", b"x", 2, number, level=5) for number in (1, 2)]
    writer.send(*packets).connection.close("connection lost")
    writer = wire.joined(broker, "w", clean=False, level=5, stated={0x11: 60})
    writer.send(*[wire.publish("a", b"x", 2, number, dup=True, level=5) for number in (1, 2)])
    assert [head for head, _ in writer.received()] == [0x50, 0x50] and not writer.closed
    writer.send(wire.publish("a", b"x", 2, 3, level=5))
    assert writer.closed and writer.error is not None and writer.error.code == 0x93
