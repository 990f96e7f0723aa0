"""Routing, retained messages, Wills, permissions and bounds of what is stored."""

import mqtt_wire as wire
import pytest

from protocols.contract import Grant
from protocols.mqtt.limits import Limits


def topics(peer: wire.Peer) -> list[str]:
    return [wire.message(found)[0] for found in peer.received()]


def test_a_suback_has_a_code_for_each_filter_in_order() -> None:  # [MQTT-3.8.4-5]
    broker = wire.broker()
    broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("a/#",))
    peer = wire.joined(broker)
    peer.send(wire.subscribe(("a/b", 2), ("b", 1), ("a/+", 0), ("#", 0), packet_id=9))
    assert peer.received() == [(0x90, b"\x00\x09\x02\x80\x00\x80")]
    wire.joined(broker, "pub", "bob").send(wire.publish("a/b"), wire.publish("b"))
    assert topics(peer) == ["a/b"]


def test_a_message_on_a_topic_that_is_not_permitted_is_acknowledged_and_dropped() -> None:
    broker = wire.broker()  # [MQTT-3.3.5-2]
    broker.authenticate.answers["ada"] = Grant(1, "ada", publish=("a/#", "b/+"))
    watcher = wire.joined(broker, "watcher", "bob").send(wire.subscribe(("#", 2)))
    watcher.received()
    peer = wire.joined(broker)
    for _ in range(2):
        peer.send(wire.publish("secret", b"x"), wire.publish("b/c/d", b"x", 1, 7))
        peer.send(wire.publish("secret", b"x", retain=True), wire.publish("secret", b"x", 2, 8))
        peer.send(wire.publish("a", b"y"), wire.publish("b/c", b"y", 1, 9))
    assert [head for head, _ in peer.received()] == [0x40, 0x50, 0x40] * 2
    assert topics(watcher) == ["a", "b/c"] * 2
    assert broker.retained.count == 0


def test_clients_never_publish_below_a_dollar() -> None:
    broker = wire.broker()
    everything = Grant(1, "ada", publish=("#", "$SYS/#"), subscribe=("#", "$SYS/#"))
    broker.authenticate.answers["ada"] = everything
    peer = wire.joined(broker).send(wire.subscribe(("$SYS/#", 0), ("#", 0)))
    peer.received()
    peer.send(wire.publish("$SYS/x", b"x"), wire.publish("$SYS/x", b"x", 0, retain=True))
    assert topics(peer) == []
    assert broker.retained.count == 0


def test_dollar_topics_are_not_to_be_read_by_default() -> None:
    peer = wire.joined(wire.broker()).send(wire.subscribe(("$SYS/#", 0)))
    assert peer.received() == [(0x90, b"\x00\x01\x80")]


def test_overlapping_filters_deliver_once_at_the_highest_qos() -> None:  # [MQTT-3.3.5-1]
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.subscribe(("a/#", 0), ("a/b", 2), ("+/b", 1)))
    peer.received()
    wire.joined(broker, "pub").send(wire.publish("a/b", b"x", 2))
    [found] = peer.received()
    assert wire.message(found)[2] == 2


def test_a_subscription_is_replaced_and_its_retained_messages_come_again() -> None:
    broker = wire.broker()  # [MQTT-3.8.4-3]
    wire.joined(broker, "pub").send(wire.publish("a", b"kept", 1, retain=True))
    peer = wire.joined(broker)
    for qos in (0, 1):
        _, (head, body) = peer.send(wire.subscribe(("a", qos))).received()
        assert head == 0x31 | qos << 1
        assert wire.message((head, body))[1] == b"kept"
    wire.joined(broker, "pub").send(wire.publish("a", b"live", 1, retain=True))
    [(head, _)] = peer.received()
    assert head == 0x32  # [MQTT-3.3.1-9] not retained for who was subscribed already


def test_unsubscribe_ends_exactly_its_filters() -> None:  # [MQTT-3.10.4-1] [MQTT-3.10.4-5]
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.subscribe(("a", 0), ("+", 0), ("b", 0)))
    peer.received()
    peer.send(wire.unsubscribe("+", "a", "never", packet_id=3))
    assert peer.received() == [(0xB0, b"\x00\x03")]
    wire.joined(broker, "pub").send(wire.publish("a"), wire.publish("b"), wire.publish("c"))
    assert topics(peer) == ["b"]


def test_an_empty_retained_message_deletes_and_is_delivered() -> None:  # [MQTT-3.3.1-10]
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("#", 0)))
    watcher.received()
    publisher = wire.joined(broker, "pub")
    publisher.send(wire.publish("a", b"x", retain=True), wire.publish("a", b"", retain=True))
    assert [wire.message(found)[1] for found in watcher.received()] == [b"x", b""]
    late = wire.joined(broker, "late").send(wire.subscribe(("#", 0)))
    assert len(late.received()) == 1, "only a SUBACK"


def test_retained_messages_go_to_who_subscribes_and_to_nobody_else() -> None:
    broker = wire.broker()
    wire.joined(broker, "pub").send(wire.publish("a", b"1", retain=True), wire.publish("b", b"2", retain=True))
    other = wire.joined(broker, "other")
    peer = wire.joined(broker).send(wire.subscribe(("a", 0)))
    assert len(peer.received()) == 2
    assert other.received() == []


@pytest.mark.parametrize("reason", ["connection lost", "keep alive timed out", "kicked"])
def test_a_will_is_published_however_the_connection_ends(reason: str) -> None:  # [MQTT-3.1.2-8]
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("#", 1)))
    watcher.received()
    peer = wire.joined(broker, will=("w", b"gone", 1, True))
    peer.connection.close(reason)
    peer.connection.close("again")
    assert [wire.message(found)[:2] for found in watcher.received()] == [("w", b"gone")]
    assert broker.retained.get("w").payload == b"gone"  # [MQTT-3.1.2-17]
    assert broker.presence.events[-1] == ("disconnected", "2", reason)


def test_a_will_is_not_published_after_disconnect() -> None:  # [MQTT-3.14.4-3]
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("#", 1)))
    watcher.received()
    peer = wire.joined(broker, will=("w", b"gone", 1, True))
    peer.send(wire.DISCONNECT, wire.publish("after"))
    assert peer.closed and peer.gently
    assert watcher.received() == []
    assert broker.presence.events[-1] == ("disconnected", "2", "client disconnected")


def test_a_broken_packet_publishes_the_will() -> None:
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("w", 0)))
    watcher.received()
    wire.joined(broker, will=("w", b"gone", 0, False)).send(b"\xf0\x00")
    assert topics(watcher) == ["w"]


def test_a_kick_closes_all_of_an_integration_and_nobody_else() -> None:
    broker = wire.broker()
    mine = [wire.joined(broker, f"c{number}", clean=False) for number in range(3)]
    other = wire.joined(broker, "c0", "bob")
    broker.sessions.disconnect([1], "kicked", forget=False)
    assert all(peer.closed and not peer.gently for peer in mine)
    assert not other.closed
    assert [event[2] for event in broker.presence.events if event[0] == "disconnected"] == ["kicked"] * 3
    found = wire.Peer(broker).send(wire.connect("c0", clean=False)).received()
    assert found == [wire.connack(present=True)], "its session is kept"


def test_forget_drops_open_and_stored_sessions() -> None:
    broker = wire.broker()
    wire.joined(broker, "stored", clean=False).send(wire.subscribe(("a", 1)), wire.DISCONNECT)
    wire.joined(broker, "open", clean=False).send(wire.subscribe(("a", 1)))
    wire.joined(broker, "clean").send(wire.subscribe(("a", 1)))
    broker.sessions.disconnect([1, 99], "deleted", forget=True)
    assert broker.subscriptions.route("a").is_empty
    for name in ("stored", "open"):
        found = wire.Peer(broker).send(wire.connect(name, clean=False)).received()
        assert found == [wire.connack(present=False)]


def test_stored_sessions_are_bounded_and_the_longest_unused_one_goes() -> None:
    broker = wire.broker(Limits(stored_sessions=2))
    online = wire.joined(broker, "online", clean=False)
    for name in ("one", "two", "one", "three"):
        wire.joined(broker, name, clean=False).send(wire.DISCONNECT)
    present = {}
    for name in ("one", "two", "three"):
        [(_, body)] = wire.Peer(broker).send(wire.connect(name, clean=False)).received()
        present[name] = bool(body[0])
    assert present == {"one": True, "two": False, "three": True}
    assert not online.closed


def test_subscriptions_of_a_session_are_bounded() -> None:
    broker = wire.broker(Limits(subscriptions=2, topic_levels=4))
    peer = wire.joined(broker)
    peer.send(wire.subscribe(("a", 0), ("b", 0), ("c", 0), ("a", 1)))
    assert peer.received() == [(0x90, b"\x00\x01\x00\x00\x80\x01")]
    peer.send(wire.unsubscribe("a"), wire.subscribe(("a/b/c/d/e", 0), ("a/b/c/d", 0)))
    assert peer.received()[1] == (0x90, b"\x00\x01\x80\x00")


def test_a_topic_of_ten_thousand_levels_is_routed_and_not_kept() -> None:
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.subscribe(("#", 0)))
    peer.received()
    deep = "/" * 9_999
    peer.send(wire.publish(deep, b"x", retain=True), wire.publish("t" * 65_535, b"y"))
    assert topics(peer) == [deep, "t" * 65_535]
    assert broker.retained.count == 0


def test_a_change_of_subscriptions_reaches_who_published_before() -> None:
    broker = wire.broker()
    publisher = wire.joined(broker, "pub").send(wire.publish("a"))
    peer = wire.joined(broker).send(wire.subscribe(("a", 0)))
    peer.received()
    publisher.send(wire.publish("a"))
    assert topics(peer) == ["a"]
    peer.send(wire.unsubscribe("a")).received()
    publisher.send(wire.publish("a"))
    assert topics(peer) == []


def test_a_burst_reaches_its_subscribers_as_the_very_same_bytes() -> None:
    broker = wire.broker()
    peers = [wire.joined(broker, f"s{number}").send(wire.subscribe(("a", 2))) for number in (1, 2)]
    for peer in peers:
        peer.received()
    burst = wire.publish("a", b"1") * 3 + wire.publish("a", b"22") + wire.publish("b", b"1")
    wire.joined(broker, "pub").send(burst)
    for peer in peers:
        assert [wire.message(found)[1] for found in peer.received()] == [b"1", b"1", b"1", b"22"]
