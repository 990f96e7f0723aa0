"""One integration against another, and against decisions of the portal: nothing is reached, nothing outlasts them."""

import mqtt_wire as wire
import pytest
import uvloop
from test_mqtt_hostile import connections, is_served
from test_mqtt_server import eventually

from protocols.contract import Grant, Wait
from protocols.mqtt.limits import Limits

LEVELS = (4, 5)
UVLOOP = pytest.mark.parametrize("start", [uvloop.new_event_loop], indirect=True, ids=["uvloop"])


def messages(peer: wire.Peer) -> list[bytes]:
    return [wire.message(one)[1] for one in peer.received() if one[0] >> 4 == 3]


# --- other integrations


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("clean", [True, False])
def test_a_client_identifier_takes_nothing_of_another_integration(level: int, clean: bool) -> None:
    broker = wire.broker()
    victim = wire.joined(broker, "same", "bob", clean=False, will=("w", b"gone", 0, False))
    victim.send(wire.subscribe(("mail", 1))).received()
    away = wire.joined(broker, "away", "bob", clean=False).send(wire.subscribe(("mail", 1)), wire.DISCONNECT)
    assert away.closed
    wire.joined(broker, "w", "bob").send(wire.publish("mail", b"secret", 1))
    for client_id in ("same", "away"):
        thief = wire.Peer(broker).send(wire.connect(client_id, "ada", clean=clean, level=level))
        [(_, body)] = thief.received()
        assert body[:2] == b"\0\0", "no session is there"
        thief.send(wire.puback(1), wire.unsubscribe("mail", level=level), wire.DISCONNECT)
    assert not victim.closed and messages(victim) == [b"secret"]
    back = wire.Peer(broker).send(wire.connect("away", "bob", clean=False))
    assert messages(back) == [b"secret"]


def test_an_assigned_identifier_cannot_be_stated_by_somebody_else() -> None:
    broker = wire.broker()
    nameless = wire.joined(broker, "", level=4)
    assert nameless.connection.client.session.client_id.startswith("\0")
    peer = wire.Peer(broker).send(wire.connect(nameless.connection.client.session.client_id))
    assert peer.closed and not nameless.closed


@pytest.mark.parametrize("wanted", ["$SYS/#", "$SYS/broker/+", "+/broker/#", "$share/g/$SYS/#", "$other/x", "$share"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_topics_of_the_server_are_not_read_without_permission(wanted: str, level: int) -> None:
    broker = wire.broker()
    peer = wire.joined(broker, "c", level=level).send(wire.subscribe((wanted, 0), level=level))
    code = peer.received()[-1][1][-1]
    assert code == 0 if wanted == "+/broker/#" else code >= 0x80
    for topic in ("$SYS/broker/version", "$share/g/x", "$other/x"):
        wire.joined(broker, "w", level=level).send(wire.publish(topic, b"fake", 1, retain=True, level=level))
    assert messages(peer) == [] and broker.retained.count == 0


def test_a_member_of_a_group_gets_only_what_it_may_read() -> None:
    broker = wire.broker()
    broker.authenticate.answers["eve"] = Grant(3, "eve", ("#",), ("open/#",))
    insider = wire.joined(broker, "i", "bob", level=5).send(wire.subscribe(("$share/g/#", 1), level=5))
    outsider = wire.joined(broker, "o", "eve", level=5)
    outsider.send(*[wire.subscribe((one, 1), level=5) for one in ("$share/g/#", "$share/g/open/#")])
    assert [body[-1] for _, body in outsider.received()] == [0x87, 1]
    insider.received()
    for number in range(10):
        wire.joined(broker, "w").send(wire.publish("secret", b"%d" % number, 1))
    insider.connection.close("connection lost")
    assert messages(outsider) == []


# --- decisions of the portal


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_deleted_leaves_no_session_subscription_or_will(level: int) -> None:
    broker = wire.broker()
    stated = {0x11: 1_000} if level == 5 else None
    watcher = wire.joined(broker, "watcher", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    for number in range(10):
        will_stated = {0x18: 500} if level == 5 else None
        peer = wire.joined(
            broker,
            f"c{number}",
            clean=False,
            level=level,
            stated=stated,
            will=("w", b"", 0, False),
            will_stated=will_stated,
        )
        peer.send(wire.subscribe(("a", 1), ("$share/g/a", 1), level=level))
        if number % 2:
            peer.connection.close("connection lost")
    messages(watcher)
    broker.sessions.disconnect([1], "integration deleted", forget=True)
    messages(watcher)
    broker.sweep(600.0)
    assert messages(watcher) == [], "no Will comes later"
    assert len(broker.sessions) == 1 and broker.subscriptions.count == 1


def test_a_will_that_waits_is_held_to_what_is_permitted_when_it_is_due() -> None:
    broker = wire.broker()
    watcher = wire.joined(broker, "watcher", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    peer = wire.joined(broker, "c", level=5, stated={0x11: 100}, will=("alarm", b"x", 0, True), will_stated={0x18: 10})
    peer.connection.close("connection lost")
    broker.permit({1: Grant(1, "ada", ("other",), ("#",))})
    broker.sweep(11.0)
    assert messages(watcher) == [] and broker.retained.count == 0


def test_retained_messages_that_wait_are_not_sent_once_they_are_not_permitted() -> None:
    broker = wire.broker(Limits(inflight=1))
    writer = wire.joined(broker, "w", "bob")
    for number in range(5):
        writer.send(wire.publish(f"r/{number}", b"x", 1, retain=True))
    peer = wire.joined(broker, "c").send(wire.subscribe(("r/#", 1)))
    [first] = [one for one in peer.received() if one[0] >> 4 == 3]
    broker.permit({1: Grant(1, "ada", ("#",), ("other",))})
    peer.send(wire.puback(wire.message(first)[3]))
    assert messages(peer) == []
    broker.permit({1: Grant(1, "ada")})
    writer.send(wire.publish("r/0", b"live"))
    assert messages(peer) == [b"live"]


@UVLOOP
def test_a_kick_in_the_middle_of_a_held_publish_ends_it(start) -> None:
    running = start(outbound_bytes=64 * 1024, patience=60, sweep_interval=60)
    stuck = running.socket(wire.connect("stuck") + wire.subscribe(("flood", 0)))
    eventually(lambda: len(running.presence.open) == 1)
    other = running.client("other", "bob")
    running.door.answers["eve"] = Grant(3, "eve")
    writer = running.client("writer", "eve")
    writer.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):  # nobody reads it any more: it is held
        for _ in range(1_000):
            writer.send(wire.publish("flood", bytes(100_000)))
    assert running.do(lambda: any(one.connection.held for one in running.server._clients))
    running.do(lambda: running.server.disconnect([3], "integration deactivated", forget=False))
    eventually(lambda: connections(running) == 2)
    assert running.presence.events[-1][2] == "integration deactivated"
    running.do(lambda: running.server.disconnect([1], "integration deactivated", forget=False))
    eventually(lambda: connections(running) == 1)
    assert is_served(other)
    stuck.close()


@UVLOOP
@pytest.mark.parametrize("what", ["reset", "cut"])
def test_a_login_that_waits_is_forgotten_with_its_connection(start, what: str) -> None:
    running = start()
    running.door.waits = [Wait(0.2)] * 100
    client = running.socket(wire.connect("c", will=("w", b"x", 0, True)))
    eventually(lambda: len(running.door.logins) == 1)
    if what == "reset":
        client.close()
    else:
        running.run(running.server.stop())
    eventually(lambda: connections(running) == 0)
    assert running.presence.events == [] and running.do(lambda: len(running.server._broker.sessions)) == 0
