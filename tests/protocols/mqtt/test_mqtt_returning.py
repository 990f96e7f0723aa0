"""What a client finds when it comes back to its session, and what comes of a session that nobody comes back to."""

import mqtt_wire as wire
import pytest
from test_mqtt_durable import Keeper

from protocols.contract import Grant
from protocols.mqtt.keeping import EXPIRES_NEVER, Stored, StoredSession
from protocols.mqtt.limits import Limits

HOUR = {0x11: 3_600}
WILL = ("w", b"gone", 0, False)
SESSION_EXPIRY, WILL_DELAY, RECEIVE_MAXIMUM, MAXIMUM_PACKET, USER = 0x11, 0x18, 0x21, 0x27, 0x26


def durable(broker, client_id: str = "d", level: int = 5, now: float = 0.0, **options) -> wire.Peer:
    """Return a client whose session is kept for an hour, or as it states; its CONNACK is not read."""
    options = {"stated": HOUR, **options} if level == 5 else options
    return wire.Peer(broker, now=now).send(wire.connect(client_id, clean=False, level=level, **options), now=now)


def watching(broker, topic_filter: str = "w") -> wire.Peer:
    peer = wire.joined(broker, "watcher", "bob").send(wire.subscribe((topic_filter, 2)))
    peer.received()
    return peer


def payloads(peer: wire.Peer, level: int = 4) -> list[bytes]:
    """Return what the messages carry that came; those of 5.0 must come without properties."""
    found = [wire.message(one)[1] for one in peer.received() if one[0] >> 4 == 3]
    assert level == 4 or all(one[:1] == b"\0" for one in found), "a message of 5.0 begins with its properties"
    return found if level == 4 else [one[1:] for one in found]


# --- as another one than it was


@pytest.mark.parametrize(("first", "then"), [(4, 5), (5, 4)])
@pytest.mark.parametrize("writes", [4, 5])
def test_who_comes_back_in_the_other_version_need_not_subscribe_again(first: int, then: int, writes: int) -> None:
    broker = wire.broker()
    writer = wire.joined(broker, "writer", level=writes)
    durable(broker, level=first).send(wire.subscribe(("a", 0), level=first)).connection.close("connection lost")
    writer.send(wire.publish("a", b"nobody", level=writes))  # and knows the way from now on
    peer = durable(broker, level=then)
    peer.received()
    writer.send(wire.publish("a", b"x", level=writes))
    assert payloads(peer, then) == [b"x"]


def test_who_comes_back_with_a_maximum_packet_size_need_not_subscribe_again() -> None:
    broker = wire.broker()  # [MQTT5-3.1.2-24]
    writer = wire.joined(broker, "writer")
    durable(broker).send(wire.subscribe(("a", 0), level=5)).connection.close("connection lost")
    writer.send(wire.publish("a", b"nobody"))
    peer = durable(broker, stated={**HOUR, MAXIMUM_PACKET: 50})
    peer.received()
    writer.send(wire.publish("a", bytes(100)), wire.publish("a", b"small"))
    assert payloads(peer, 5) == [b"small"]


def test_what_is_too_large_for_who_comes_back_leaves_its_place_to_others() -> None:
    keeper = Keeper()
    broker = wire.broker(keeper=keeper)  # [MQTT5-3.1.2-25]
    peer = durable(broker, stated={**HOUR, RECEIVE_MAXIMUM: 1}).send(wire.subscribe(("a", 1), level=5))
    writer = wire.joined(broker, "writer").send(
        wire.publish("a", bytes(100), 1, 1), wire.publish("a", bytes(100), 1, 2), wire.publish("a", b"small", 1, 3)
    )
    keeper.commit()
    assert len(writer.received()) == 3
    assert len(payloads(peer, 5)) == 1, "the window has room for one"
    peer.connection.close("connection lost")
    keeper.log.clear()
    peer = durable(broker, stated={**HOUR, RECEIVE_MAXIMUM: 1, MAXIMUM_PACKET: 50})
    assert payloads(peer, 5) == [b"small"]
    assert peer.connection.take_dropped() == 2
    assert [one for one in keeper.log if ": no " in one] == ["d: no 1", "d: no 0"], "nor are they kept in the store"


def test_a_session_that_is_to_last_shorter_than_before_ends_earlier() -> None:
    broker = wire.broker()  # [MQTT5-3.1.2-23]
    durable(broker).connection.close("connection lost")
    durable(broker, stated={SESSION_EXPIRY: 10}).connection.close("connection lost")
    broker.sweep(9.9)
    assert broker.sessions.stored == 1
    broker.sweep(10.0)
    assert broker.sessions.stored == 0


def test_a_session_that_never_expires_does_not_after_a_restart_either() -> None:
    broker = wire.broker()
    broker.restore(Stored([StoredSession(Grant(1, "ada"), "d", 4, EXPIRES_NEVER, None)]), 0.0)
    broker.sweep(1e10)
    assert broker.sessions.stored == 1


# --- its Will


@pytest.mark.parametrize("level", [4, 5])
def test_who_comes_back_without_a_will_has_none(level: int) -> None:
    broker = wire.broker()  # [MQTT5-3.1.3-9]
    watcher = watching(broker)
    durable(broker, will=WILL, will_stated={WILL_DELAY: 10}).connection.close("connection lost")
    durable(broker, level=level, now=3.0).connection.close("connection lost")
    broker.sweep(1_000.0)
    assert payloads(watcher) == []


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("ends", ["clean start", "deleted", "its time"])
def test_a_will_that_was_published_does_not_come_again_with_the_end_of_its_session(level: int, ends: str) -> None:
    broker = wire.broker()  # [MQTT-3.1.2-10] [MQTT5-3.1.2-10]
    watcher = watching(broker)
    durable(broker, level=level, will=WILL).connection.close("connection lost")
    assert payloads(watcher) == [b"gone"]
    if ends == "clean start":
        wire.joined(broker, "d")
    elif ends == "deleted":
        broker.sessions.disconnect([1], "deleted", forget=True)
    broker.sweep(10_000.0)
    assert payloads(watcher) == []


def test_the_delayed_will_of_a_deleted_integration_is_not_published() -> None:
    broker = wire.broker()
    watcher = watching(broker)
    durable(broker, will=WILL, will_stated={WILL_DELAY: 50}).connection.close("connection lost")
    broker.sessions.disconnect([1], "deleted", forget=True)
    broker.sweep(1_000.0)
    assert (broker.sessions.stored, payloads(watcher)) == (0, [])


def test_a_delayed_will_is_recorded_as_published() -> None:
    keeper = Keeper()
    broker = wire.broker(keeper=keeper)
    watcher = watching(broker)
    durable(broker, will=WILL, will_stated={WILL_DELAY: 10}).connection.close("connection lost")
    keeper.log.clear()
    broker.sweep(10.0)
    assert payloads(watcher) == [b"gone"]
    assert keeper.log == ["session d"], "else it would come again after a restart"


def test_rights_that_change_while_a_client_is_away_are_recorded() -> None:
    keeper = Keeper()
    broker = wire.broker(keeper=keeper)
    durable(broker).connection.close("connection lost")
    keeper.log.clear()
    broker.permit({1: Grant(1, "ada", subscribe=("b",))})
    assert keeper.log == ["session d"]


# --- what waits for it


def test_a_full_queue_lets_go_of_what_has_expired_before_it_drops_what_has_not() -> None:
    keeper = Keeper()
    broker = wire.broker(Limits(queue_messages=2), keeper)  # [MQTT5-3.3.2-5]
    durable(broker).send(wire.subscribe(("a", 1), level=5)).connection.close("connection lost")
    writer = wire.joined(broker, "writer", level=5)
    for number, expiry in ((1, 5), (2, 60)):
        writer.send(wire.publish("a", b"%d" % number, 1, number, level=5, stated={0x02: expiry}))
    keeper.log.clear()
    writer.send(wire.publish("a", b"3", 1, 3, level=5), wire.publish("a", b"4", 1, 4, level=5), now=6.0)
    assert keeper.log == ["d: no 0", "d: 3 queued 0"]
    [session] = [one for one in broker.sessions if one.client_id == "d"]
    assert (session.queued, session.dropped) == (2, 1)
    peer = durable(broker, now=6.0)
    found = [one[1] for one in peer.received() if one[0] >> 4 == 3]
    assert [one[-1:] for one in found] == [b"2", b"3"]


def test_what_has_expired_is_let_go_of_by_a_sweep_also_in_the_store() -> None:
    keeper = Keeper()
    broker = wire.broker(keeper=keeper)  # [MQTT5-3.3.2-5]
    durable(broker).send(wire.subscribe(("a", 1), level=5)).connection.close("connection lost")
    writer = wire.joined(broker, "writer", level=5)
    writer.send(wire.publish("a", b"1", 1, 1, level=5, stated={0x02: 5}))
    writer.send(wire.publish("a", b"2", 1, 2, level=5, retain=True, stated={0x02: 5}))
    keeper.log.clear()
    broker.sweep(100.0)
    assert keeper.log == ["not retained a", "d: no 0", "d: no 0"]
    assert (broker.retained.count, broker.common.pool.size) == (0, 0)
