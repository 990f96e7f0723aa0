"""What waits for its commit, and what is refused while nothing can be stored."""

import mqtt_wire as wire
import pytest
from test_mqtt_durable import EXPIRY, Keeper

from protocols.contract import Refused
from protocols.mqtt.client import NOT_STORED


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def heads(peer: wire.Peer) -> list[int]:
    return [head for head, _ in peer.received()]


def writing(broker, level: int, **options) -> wire.Peer:
    """Return a client with a durable session that has read its CONNACK."""
    stated = EXPIRY if level == 5 else None
    return wire.joined(broker, "w", clean=False, level=level, stated=stated, **options)


@pytest.mark.parametrize("level", [4, 5])
def test_a_duplicate_is_not_acknowledged_before_the_first_one_is_committed(keeper: Keeper, level: int) -> None:
    broker = wire.broker(keeper=keeper)  # [MQTT-4.3.3-2] [MQTT5-4.3.3-8]
    writing(broker, level).send(wire.publish("z", b"x", 2, 7, level=level)).connection.close("connection lost")
    writer = writing(broker, level).send(wire.publish("z", b"x", 2, 7, dup=True, level=level))
    assert heads(writer) == []
    keeper.commit()
    assert heads(writer) == [0x50]


def test_a_durable_clients_message_of_qos_2_is_refused_whoever_it_is_for(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("z", 2)))
    writer = writing(broker, 5)
    keeper.commit()
    keeper.accepting = False
    assert heads(watcher) == [0x90]
    writer.send(wire.publish("z", b"x", 2, 7, level=5), wire.publish("z", b"y", 1, 8, level=5))
    assert [(head, body[:3]) for head, body in writer.received()] == [(0x50, b"\0\7\x97"), (0x40, b"\0\x08")]
    assert [wire.message(one)[1] for one in watcher.received()] == [b"y"], "only it would have to be remembered"


def test_a_durable_client_of_3_1_1_sends_its_message_of_qos_2_again(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)
    writer = writing(broker, 4)
    keeper.commit()
    keeper.accepting = False
    assert heads(writer.send(wire.publish("z", b"x", 2, 7), wire.PINGREQ)) == [0xD0]
    keeper.accepting = True
    assert writer.connection.overdue(1.0) == NOT_STORED


@pytest.mark.parametrize("level", [4, 5])
def test_a_handshake_that_has_begun_goes_on_while_nothing_can_be_stored(keeper: Keeper, level: int) -> None:
    broker = wire.broker(keeper=keeper)
    writer = writing(broker, level).send(wire.publish("z", b"x", 2, 7, level=level))
    keeper.commit()
    assert heads(writer) == [0x50]
    keeper.accepting = False
    again = wire.publish("z", b"x", 2, 7, dup=True, level=level)
    assert [(head, body[2:3]) for head, body in writer.send(again).received()] == [(0x50, b"")]


SHARED, IDENTIFIED = {"topic_filter": "$share/g/a"}, {"topic_filter": "a", "stated": {0x0B: 7}}


@pytest.mark.parametrize("subscribed", [{"topic_filter": "a"}, SHARED, IDENTIFIED], ids=["plain", "shared", "special"])
@pytest.mark.parametrize("through", ["mqtt", "hub"])
def test_what_a_durable_subscriber_should_get_is_refused(keeper: Keeper, subscribed: dict, through: str) -> None:
    broker = wire.broker(keeper=keeper)
    reader = wire.joined(broker, "d", clean=False, level=5, stated=EXPIRY)
    reader.send(wire.subscribe((subscribed["topic_filter"], 1), level=5, stated=subscribed.get("stated")))
    keeper.commit()
    keeper.accepting = False
    assert heads(reader) == [0x90]
    if through == "mqtt":
        writer = wire.joined(broker, "w", level=5).send(wire.publish("a", b"x", 1, 1, level=5))
        assert [(head, body[:3]) for head, body in writer.received()] == [(0x40, b"\0\1\x97")]
    else:
        with pytest.raises(Refused, match="cannot be stored now") as refused:
            broker.hold_for_hub([("z", b"x", 1, False), ("a", b"x", 1, False)])
        assert refused.value.field == "messages/1/room"
    assert reader.received() == []


def test_a_message_that_waits_for_its_commit_teaches_no_alias_to_those_that_overtake_it(keeper: Keeper) -> None:
    broker = wire.broker(keeper=keeper)  # [MQTT5-3.3.2-7]
    reader = wire.joined(broker, "d", clean=False, level=5, stated={**EXPIRY, 0x22: 5})
    reader.send(wire.subscribe(("plant/#", 2), level=5))
    keeper.commit()
    assert heads(reader) == [0x90]
    writer = wire.joined(broker, "w")
    writer.send(wire.publish("plant/line1", b"slow", 2, 1), wire.publish("plant/line1", b"fast"))
    [fast] = reader.received()
    assert wire.message(fast)[:2] == ("plant/line1", b"\x03\x23\0\x01fast")
    keeper.commit()
    [slow] = reader.received()
    assert wire.message(slow)[:2] == ("plant/line1", b"\0slow")
