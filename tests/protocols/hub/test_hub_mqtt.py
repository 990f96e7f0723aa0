"""What MQTT clients publish is heard by the hub, and MQTT clients get what others publish; without sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from protocols.contract import Grant, Refused
from protocols.hub.runs import WIDTH
from protocols.mqtt.broker import Broker
from protocols.mqtt.keeping import NoKeeper, Stored
from protocols.mqtt.limits import Limits
from tests.protocols.hub.hub_bed import Ear, anything
from tests.protocols.mqtt import mqtt_wire as wire

EXPIRY, ALIAS = 0x02, 0x23


@pytest.fixture
def broker() -> Broker:
    found = wire.broker()
    found.hub.connect(found.publish_for_hub, found.hold_for_hub, lambda: None)
    return found


@pytest.fixture
def ear(broker: Broker) -> Ear:
    found = Ear()
    broker.hub.listen(["#"], found, anything)
    return found


@pytest.fixture(params=[4, 5])
def level(request: pytest.FixtureRequest) -> Iterator[int]:
    yield request.param


def told(broker: Broker, ear: Ear) -> list[tuple[str, bytes, bool, int]]:
    broker.hub.settle()
    found = [message[1:5] for message in ear.messages]
    ear.messages.clear()
    return found


def test_every_message_of_a_run_is_heard(broker: Broker, ear: Ear, level: int) -> None:
    peer = wire.joined(broker, level=level)
    packets = [wire.publish(topic, b"%d" % number, level=level) for topic in ("a", "b/c") for number in range(5)]
    peer.send(*packets, *packets[:2])
    expected = [(topic, b"%d" % number, False, 1) for topic in ("a", "b/c") for number in range(5)]
    assert told(broker, ear) == [*expected, *expected[:2]]


@pytest.mark.parametrize("watcher_level", [None, 4, 5])
def test_runs_are_heard_beside_subscribers(broker: Broker, ear: Ear, level: int, watcher_level: int | None) -> None:
    if watcher_level:
        wire.joined(broker, "watcher", "bob", level=watcher_level).send(
            wire.subscribe(("#", 1), level=watcher_level)
        ).received()
    wire.joined(broker, level=level).send(*[wire.publish("a", b"x" * 200, level=level)] * 3)
    assert told(broker, ear) == [("a", b"x" * 200, False, 1)] * 3


@pytest.mark.parametrize("qos", [1, 2])
def test_acknowledged_messages_are_heard(broker: Broker, ear: Ear, level: int, qos: int) -> None:
    peer = wire.joined(broker, username="bob", level=level)
    peer.send(wire.publish("a", b"1", qos, 5, level=level), wire.publish("a", b"2", qos, 6, level=level))
    peer.send(wire.publish("a", b"1", qos, 5, dup=True, level=level))
    once = [("a", b"1", False, 2), ("a", b"2", False, 2)]
    assert told(broker, ear) == (once if qos == 2 else [*once, once[0]]), "as subscribers get them"


def test_retained_messages_and_their_deletion_are_heard(broker: Broker, ear: Ear, level: int) -> None:
    peer = wire.joined(broker, level=level)
    peer.send(wire.publish("a", b"1", retain=True, level=level), wire.publish("a", b"", retain=True, level=level))
    peer.send(wire.publish("a", b"2", 1, retain=True, level=level))
    assert told(broker, ear) == [("a", b"1", True, 1), ("a", b"", True, 1), ("a", b"2", True, 1)]


def test_a_will_is_heard_from_whom_it_is(broker: Broker, ear: Ear, level: int) -> None:
    peer = wire.joined(broker, username="bob", will=("w", b"gone", 1, False), level=level)
    peer.connection.close("connection lost")
    assert told(broker, ear) == [("w", b"gone", False, 2)]


def test_topic_aliases_and_expiry(broker: Broker, ear: Ear) -> None:
    peer = wire.joined(broker, level=5)
    peer.send(
        wire.publish("a", b"1", level=5, stated={ALIAS: 1}),
        wire.publish("", b"2", level=5, stated={ALIAS: 1, EXPIRY: 0}),
    )
    assert told(broker, ear) == [("a", b"1", False, 1), ("a", b"2", False, 1)]
    assert broker.hub.get("a") is None, "expired"
    peer.send(wire.publish("a", b"3", level=5, stated={EXPIRY: 100}))
    assert broker.hub.get("a") is not None


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_what_may_not_be_published_is_not_heard(broker: Broker, ear: Ear, level: int, qos: int, retain: bool) -> None:
    broker.authenticate.answers["ada"] = Grant(1, "ada", publish=("mine/#", "$SYS/#"))  # type: ignore[attr-defined]
    peer = wire.joined(broker, level=level)
    for number, topic in enumerate(("secret", "$SYS/x", "mine"), 1):
        peer.send(wire.publish(topic, b"x", qos, number, retain=retain, level=level))
    assert told(broker, ear) == [("mine", b"x", retain, 1)]


def test_permissions_that_change_are_held_to_at_once(broker: Broker, ear: Ear) -> None:
    peer = wire.joined(broker).send(wire.publish("a", b"1"))
    broker.permit({1: Grant(1, "ada", publish=())})
    peer.send(wire.publish("a", b"2"))
    broker.permit({1: Grant(1, "ada")})
    peer.send(wire.publish("a", b"3"))
    assert [payload for _, payload, *_ in told(broker, ear)] == [b"1", b"3"]


def test_long_topics_and_many_topics(broker: Broker, ear: Ear) -> None:
    topics = ["x" * 1_000, *map(str, range(600)), "x" * 1_000]
    peer = wire.joined(broker)
    for _ in range(2):
        peer.send(*[wire.publish(topic, b"1") for topic in topics])
        assert [topic for topic, *_ in told(broker, ear)] == topics


def test_what_arrived_is_not_kept_for_long(broker: Broker) -> None:
    peer = wire.joined(broker)
    packets = b"".join(wire.publish(str(number), bytes(100)) for number in range(1_000))
    for _ in range(100):
        peer.send(packets)
        assert broker.hub.waiting <= broker.hub.most_waiting + len(packets)


@pytest.mark.parametrize("level", [4, 5])
def test_of_a_long_run_only_what_is_wanted_stays(broker: Broker, level: int) -> None:
    peer = wire.joined(broker, level=level)
    payloads = [b"%05d" % number for number in range(9_000)]
    packets = [wire.publish("a", payload, level=level) for payload in payloads]
    peer.send(*packets, *packets[:2_000])
    assert broker.hub.waiting < 10_000
    found = broker.hub.history("a", 1_000)
    assert [message.payload for message in found] == payloads[1_900:2_000]


def test_what_came_with_a_long_run_does_not_keep_it(broker: Broker) -> None:
    peer = wire.joined(broker)
    for _ in range(3):
        peer.send(*[wire.publish("a", b"%05d" % number) for number in range(9_000)], wire.publish("b", b"1"))
    held = {id(data): len(data) for data in broker.hub.heard[1::WIDTH]}
    assert sum(held.values()) <= broker.hub.waiting < 10_000
    assert [message.payload for message in broker.hub.history("b", 9)] == [b"1"] * 3


def test_what_had_to_wait_for_a_slow_subscriber_is_not_kept_for_long(broker: Broker) -> None:
    slow = wire.joined(broker, "slow").send(wire.subscribe(("#", 0)))
    publisher = wire.joined(broker).connection
    burst = wire.publish("a", b"12345") * 200_000
    publisher.feed(burst, 0.0)
    publisher.feed(burst[:500_000], 0.0)
    assert publisher.held
    slow.connection.outbox.take()
    slow.connection.drained()
    publisher.feed(b"", 0.0)
    assert not publisher.held
    held = {id(data): len(data) for data in broker.hub.heard[1::WIDTH]}
    assert sum(held.values()) <= broker.hub.waiting < 10_000


@pytest.mark.parametrize("qos", [0, 1])
def test_of_large_messages_only_the_last_stay(broker: Broker, level: int, qos: int) -> None:
    peer = wire.joined(broker, level=level)
    payloads = [b"%05d" % number * 5_000 for number in range(200)]
    for payload in payloads:
        peer.send(wire.publish("a", payload, qos, 1, level=level))
    held = {id(data): len(data) for data in broker.hub.heard[1::WIDTH]}
    assert sum(held.values()) <= broker.hub.waiting < 1_000_000
    found = [message.payload for message in broker.hub.history("a", 1_000)]
    assert len(found) > 30 and found == payloads[-len(found) :]


def test_a_long_run_and_large_messages_on_a_new_topic_are_heard_whole(broker: Broker, ear: Ear) -> None:
    peer = wire.joined(broker).send(*[wire.publish("a", b"%05d" % number) for number in range(9_000)])
    for number in range(99):
        peer.send(wire.publish("b", b"%05d" % number * 5_000))
    heard = [payload for _, payload, *_ in told(broker, ear)]
    assert heard == [b"%05d" % number for number in range(9_000)] + [b"%05d" % number * 5_000 for number in range(99)]


# --- the other way


def test_mqtt_clients_get_what_is_published_by_others(broker: Broker, level: int) -> None:
    peer = wire.joined(broker, level=level).send(wire.subscribe(("#", 1), level=level))
    peer.received()
    broker.hub.publish("a", b"0", integration_id=9)
    broker.hub.publish("a", b"1", qos=1, retain=True, integration_id=9)
    heads = [head for head, _ in peer.received()]
    assert heads == [0x30, 0x32]
    assert broker.retained.get("a") is not None
    found = broker.hub.get("a")
    assert found is not None
    assert found[1:5] == ("a", b"1", True, 9)


def test_deleting_deletes_the_retained_message(broker: Broker) -> None:
    wire.joined(broker).send(wire.publish("a", b"1", retain=True))
    assert broker.hub.delete("a")
    assert broker.retained.get("a") is None


def test_a_durable_session_gets_it_later(broker: Broker) -> None:
    wire.joined(broker, clean=False).send(wire.subscribe(("#", 1))).connection.close("gone")
    broker.hub.publish("a", b"1", qos=1)
    peer = wire.Peer(broker).send(wire.connect(clean=False))
    assert [wire.message(one)[:2] for one in peer.received()[1:]] == [("a", b"1")]


def test_the_hub_takes_over_what_the_broker_has_retained(broker: Broker) -> None:
    for topic, payload in (("a", b"1"), ("b", b"2"), ("c", b"3")):
        broker.hub.publish(topic, payload, retain=True)
    stored = Stored(retained=[message for message in broker.retained.find("#") if message is not None])
    other = wire.broker()
    other.hub.publish("b", b"newer")
    other.hub.publish("c", b"older", retain=True)
    other.restore(stored, 0.0)
    found = {one.topic: one.payload for one in other.hub.values("", None, 9, anything).messages}
    assert found == {"a": b"1", "b": b"newer", "c": b"3"}


def test_what_cannot_be_kept_is_refused() -> None:
    broker = joined_to_hub(Limits(retained_messages=1))
    broker.hub.publish("a", b"1", retain=True)
    with pytest.raises(Refused, match="no room for another retained message"):
        broker.hub.publish("b", b"1", retain=True)
    assert broker.hub.get("b") is None
    broker.hub.publish("a", b"2", retain=True)
    assert broker.hub.delete("a")


def joined_to_hub(limits: Limits) -> Broker:
    broker = wire.broker(limits)
    broker.hub.connect(broker.publish_for_hub, broker.hold_for_hub, lambda: None)
    return broker


FULL = ("a", b"", 0, True), ("b", b"1", 1, True)  # what makes room, and what takes it


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ([("x", b"1", 0, False), ("b", b"1", 1, True)], "messages/1/room"),
        ([*FULL, ("c", b"1", 0, True)], "messages/2/room"),
        ([("b", b"1", 0, True), FULL[0]], "messages/0/room"),
        ([("a", b"2", 1, True), ("x", b"1", 0, False), ("a/" * 128, b"1", 1, True)], "messages/2/topic"),
    ],
)
def test_of_several_of_which_one_cannot_be_retained_none_is_published(
    wanted: list[tuple[str, bytes, int, bool]], fault: str
) -> None:
    broker = joined_to_hub(Limits(retained_messages=1, topic_levels=128))
    broker.hub.publish("a", b"1", retain=True)
    number = broker.hub.number
    with pytest.raises(Refused) as refused:
        broker.hub.publish_all(wanted)
    assert refused.value.field == fault
    assert broker.hub.number == number and broker.retained.names("#") == ["a"]


def test_room_that_a_message_makes_is_there_for_those_behind_it() -> None:
    broker = joined_to_hub(Limits(retained_messages=1))
    broker.hub.publish("a", b"1", retain=True)
    broker.hub.publish_all([*FULL, ("b", b"2", 0, True)])
    assert broker.retained.names("#") == ["b"] and broker.retained.refused == 0


def test_of_several_of_which_one_cannot_be_stored_none_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = joined_to_hub(Limits())
    wire.joined(broker, clean=False).send(wire.subscribe(("d", 1))).connection.close("gone")
    monkeypatch.setattr(NoKeeper, "accepting", False)
    with pytest.raises(Refused) as refused:
        broker.hub.publish_all([("a", b"1", 1, False), ("d", b"1", 0, False), ("d", b"1", 1, False)])
    assert refused.value.field == "messages/2/room" and broker.hub.get("a") is None
    broker.hub.publish_all([("a", b"1", 1, False), ("d", b"1", 0, False)])
    assert broker.hub.get("a") is not None
