"""What a running server offers the portal: kicks, permissions, figures; and what clients are told at the end."""

import time
from dataclasses import asdict

import mqtt_wire as wire
import pytest
from test_mqtt_server import eventually

from protocols.contract import Grant, Refused, Trouble, Wait
from protocols.mqtt.sessions import TAKEN_OVER


def told(client: wire.SocketClient) -> int:
    """Return the reason code of a DISCONNECT, which must come, and then the end."""
    head, body = client.receive()
    assert head == 0xE0, f"0x{head:02x} is no DISCONNECT"
    assert client.at_end()
    return body[0]


def test_a_client_of_version_5_is_told_why_it_is_closed(start) -> None:
    running = start()
    server = running.server
    kicked, other = running.client("c1", level=5), running.client("c2", level=5)
    running.do(lambda: server.kick(["1", "unknown"], "disconnected by ada"))
    assert told(kicked) == 0x98
    assert running.presence.events[-1] == ("disconnected", "1", "disconnected by ada")
    newer = running.client("c2", level=5)
    assert told(other) == 0x8E
    assert ("disconnected", "2", TAKEN_OVER) in running.presence.events
    running.do(lambda: server.disconnect([1], "integration deactivated", forget=False))
    assert told(newer) == 0x87
    silent = running.client("c3", level=5, keep_alive=1)
    large = running.client("c4", level=5).send(b"\x30\xff\xff\xff\x7f")
    assert told(large) == 0x95
    assert told(running.client("c5", level=5).send(b"\x00\x00")) == 0x81
    assert told(running.client("c6", level=5).send(wire.auth(0x18, {0x15: "x"}))) == 0x82
    assert told(silent) == 0x8D
    last = running.client("c7", level=5)
    running.run(server.stop())
    assert told(last) == 0x8B


def test_a_kicked_client_that_does_not_read_is_closed_all_the_same(start) -> None:
    running = start(sweep_interval=60)
    stuck = running.socket(wire.connect("stuck", level=5) + wire.subscribe(("flood", 0), level=5))
    eventually(lambda: len(running.presence.open) == 1)
    writer = running.client("w", "bob")
    writer.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):  # it is held back until the next sweep: the other takes nothing any more
        for _ in range(100):
            writer.send(wire.publish("flood", bytes(1 << 20)))
    running.do(lambda: running.server.kick(["1"], "kicked"))
    assert running.presence.events[-1] == ("disconnected", "1", "kicked")
    eventually(lambda: len(running.server._clients) == 1)
    assert stuck.socket.fileno() >= 0


def test_permissions_change_while_clients_are_connected(start) -> None:
    running = start()
    reader = running.client("r").send(wire.subscribe(("#", 0)))
    assert reader.receive()[0] == 0x90
    writer = running.client("w", "bob")
    running.do(lambda: running.server.permit({1: Grant(1, "ada", subscribe=("b",))}))
    writer.send(wire.publish("a"))
    running.do(lambda: running.server.permit({1: Grant(1, "ada")}))
    writer.send(wire.publish("b"))
    assert wire.message(reader.receive())[0] == "b"


def test_connections_and_traffic_are_told_by_integration(start) -> None:
    running = start()
    reader = running.client("r", level=5).send(wire.subscribe(("a", 1), level=5))
    assert reader.receive()[0] == 0x90
    running.client("w", "bob").send(wire.publish("a", b"x", 1, 7)).receive()
    reader.receive()
    [info] = running.do(lambda: running.server.connections(1))
    assert (info.connection_id, info.client_id, info.messages_out) == ("1", "r", 1)
    assert info.subscriptions == (("a", 1),)
    traffic = running.do(running.server.traffic)
    assert {key: (one.messages_in, one.messages_out) for key, one in traffic.items()} == {1: (0, 1), 2: (1, 0)}
    assert running.do(running.server.traffic) == {}


def test_connections_are_bounded_in_all_and_by_address(start) -> None:
    running = start(max_connections=2)
    first, _ = running.client("c1"), running.client("c2")
    assert running.socket().at_end()
    used = {one.name: (one.used, one.exceeded) for one in running.do(running.server.usage)}
    assert used["MQTT_MAX_CONNECTIONS"] == (2, 1)
    first.close()
    eventually(lambda: running.do(lambda: running.server._broker.crowd.connections) == 1)
    running.client("c3")
    other = start(max_connections_per_address=1)
    other.client()
    assert other.socket().at_end()


def test_a_login_that_waits_is_answered_after_its_time(start) -> None:
    running = start()
    running.door.waits += [Wait(0.2), Wait(0.1)]
    started = time.monotonic()
    slow = running.socket(wire.connect("slow", password=b"wrong"))
    assert slow.receive() == wire.connack(4)
    assert time.monotonic() - started > 0.28
    assert running.door.waited > 0.28
    assert slow.at_end()


def test_nobody_waits_behind_a_login_that_waits(start) -> None:
    running = start()
    running.door.waits.append(Wait(25))
    running.socket(wire.connect("slow"))
    eventually(lambda: len(running.door.logins) == 1)
    running.client("quick")
    assert [login.client_id for login in running.door.logins] == ["slow", "quick"]


def test_a_client_that_leaves_while_it_waits_is_forgotten(start) -> None:
    running = start()
    running.door.waits.append(Wait(25))
    client = running.socket(wire.connect())
    eventually(lambda: len(running.door.logins) == 1)
    client.close()
    eventually(lambda: not running.server._clients)
    ((_, _, ask),) = running.server._broker.waiting._queue
    running.do(ask)
    assert running.presence.events == [] and len(running.door.logins) == 1


def test_publishing_above_the_rate_is_slowed_down(start) -> None:
    running = start(publish_rate=100)
    reader = running.client("r", "bob").send(wire.subscribe(("#", 0)))
    assert reader.receive()[0] == 0x90
    started = time.monotonic()
    running.client("w").send(*[wire.publish("a", bytes(1 + number % 2)) for number in range(130)])
    for _ in range(130):
        assert reader.receive()[0] == 0x30
    assert time.monotonic() - started > 0.2


@pytest.mark.parametrize("level", [4, 5])
def test_one_publisher_reaches_clients_of_both_versions_with_the_right_bytes(start, level: int) -> None:
    running = start()
    old = running.client("old").send(wire.subscribe(("#", 0)))
    new = running.client("new", level=5).send(wire.subscribe(("#", 0), level=5))
    assert old.receive()[0] == new.receive()[0] == 0x90
    sent = [bytes([65 + number]) * 200 for number in range(20)]
    running.client("w", "bob", level=level).send(*[wire.publish("a/b", payload, level=level) for payload in sent])
    assert [wire.message(old.receive()) for _ in sent] == [("a/b", payload, 0, 0) for payload in sent]
    assert [wire.message(new.receive()) for _ in sent] == [("a/b", b"\0" + payload, 0, 0) for payload in sent]


def test_what_is_kept_for_a_client_that_is_away_is_told_and_can_be_forgotten(start) -> None:
    running = start(queue_messages=3)
    actions = running.server.actions()
    stored, forget = actions["stored_sessions"], actions["forget_session"]
    assert running.do(lambda: stored(1, 50)) == {"count": 0, "shown": []}
    away = running.client("press", clean=False).send(wire.subscribe(("#", 1), ("a", 1)))
    away.receive()
    assert running.do(lambda: stored(1, 50))["count"] == 0, "it has a connection"
    away.send(wire.DISCONNECT)
    eventually(lambda: running.do(lambda: stored(1, 50))["count"] == 1)
    writer = running.client("w", "bob")
    for number in range(5):
        writer.send(wire.publish("a", b"x" * 1000, 1, number + 1))
        assert writer.receive()[0] == 0x40, "what is dropped is acknowledged all the same"
    (one,) = running.do(lambda: stored(1, 50))["shown"]
    assert (one["client_id"], one["subscription_count"], one["ends_at"]) == ("press", 2, None)
    assert (one["messages"], one["dropped"]) == (3, 2)
    assert 3_000 <= one["bytes"] <= 4_000
    assert abs(one["since"] - time.time()) < 60
    assert running.do(lambda: stored(2, 50))["count"] == 0, "bob's integration has none"
    with pytest.raises(Refused):
        running.do(lambda: forget(2, one["key"]))
    assert running.do(lambda: forget(1, one["key"])) == "press"
    assert running.do(lambda: stored(1, 50))["count"] == 0
    with pytest.raises(Refused):
        running.do(lambda: forget(1, one["key"]))
    back = running.socket(wire.connect("press", clean=False))
    assert back.receive() == (0x20, b"\0\0"), "no session is present"


def test_the_clients_that_left_last_are_told_first_with_the_end_of_their_sessions(start) -> None:
    running = start()
    stored = running.server.actions()["stored_sessions"]
    for count, name in enumerate(("first", "second", "third"), 1):
        running.client(name, level=5, stated={0x11: 600}).send(wire.DISCONNECT)
        eventually(lambda count=count: running.do(lambda: stored(1, 2))["count"] == count)
    shown = running.do(lambda: stored(1, 2))["shown"]
    assert [one["client_id"] for one in shown] == ["third", "second"]
    assert all(one["ends_at"] - one["since"] in (599, 600, 601) for one in shown)


def test_a_subscription_that_is_not_permitted_any_more_is_told_as_that(start) -> None:
    running = start()
    client = running.client().send(wire.subscribe(("#", 1), ("x/1", 1)))
    client.receive()

    def muted() -> tuple[int, ...]:
        (info,) = running.do(lambda: running.server.connections(1))
        return info.muted

    assert muted() == ()
    running.do(lambda: running.server.permit({1: Grant(1, "ada", ("#",), ("x/#",))}))
    assert muted() == (0,)
    running.do(lambda: running.server.permit({1: Grant(1, "ada")}))
    assert muted() == ()


def test_slow_readers_that_hold_too_much_together_are_counted_once_for_each_time(start) -> None:
    running = start(outbound_total_bytes=1_000_000, patience=0)
    reader = running.client("stuck").send(wire.subscribe(("flood", 0)))
    reader.receive()
    writer = running.client("w", "bob")

    def usage():
        (one,) = [one for one in running.do(running.server.usage) if one.name == "MQTT_OUTBOUND_TOTAL_BYTES"]
        return one

    assert (usage().used, usage().exceeded) == (0, 0)
    for _ in range(12):
        writer.send(wire.publish("flood", bytes(1 << 20)))
    eventually(lambda: usage().exceeded == 1 and usage().used > 1_000_000)
    reader.close()
    eventually(lambda: usage().used == 0)
    assert usage().exceeded == 1


def test_what_the_broker_and_the_hub_cannot_write_is_told(start) -> None:
    running = start()
    found = running.server.actions()["troubles"]
    assert running.do(found) == []
    broker = Trouble("mqtt.db", "cannot be written (disk is full)", "much is refused", 1_700_000_000)
    hub = Trouble("hub.db", "cannot be written (disk is full)", "values are kept in memory only", 1_700_000_001)
    running.server._broker.keeper.trouble = broker
    running.server._hub._keeper.trouble = hub
    assert running.do(found) == [asdict(broker), asdict(hub)]
