"""Clients that are sent what they publish themselves."""

import mqtt_wire as wire
import pytest

from protocols.mqtt.limits import Limits


@pytest.mark.parametrize("qos", [0, 1])
def test_who_does_not_take_its_own_messages_is_not_read_and_loses_none(qos: int) -> None:
    broker = wire.broker(Limits(outbound_bytes=4_000))
    peer = wire.joined(broker).send(wire.subscribe(("a", 0)))
    peer.received()
    for number in range(1, 101):
        peer.send(wire.publish("a", bytes([number]) * 200, qos, number))
    assert peer.connection.held and peer.connection.outbox.size < 4_000
    found: list[int] = []
    while more := peer.received():
        found += [wire.message(one)[1][0] for one in more if one[0] >> 4 == 3]
        peer.send()
    assert found == list(range(1, 101))
    assert not peer.connection.held and peer.connection.take_dropped() == 0
