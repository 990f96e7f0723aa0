"""Who of a group with a shared subscription gets a message (5.0, 4.8.2)."""

import mqtt_wire as wire
import pytest

SHARED = "$share/g/a"


def member(broker, name: str, qos: int = 1, window: int = 65_535, shared: str = SHARED) -> wire.Peer:
    """Return a member with a durable session that has read its SUBACK."""
    peer = wire.joined(broker, name, clean=False, level=5, stated={0x11: 3_600, 0x21: window})
    assert [head for head, _ in peer.send(wire.subscribe((shared, qos), level=5)).received()] == [0x90]
    return peer


def back(broker, name: str) -> wire.Peer:
    return wire.Peer(broker).send(wire.connect(name, clean=False, level=5, stated={0x11: 3_600}))


def payloads(peer: wire.Peer) -> list[bytes]:
    return [wire.message(one)[1][1:] for one in peer.received() if one[0] >> 4 == 3]


def written(broker, *numbers: int, qos: int = 1) -> None:
    writer = wire.joined(broker, "writer")
    for number in numbers:
        writer.send(wire.publish("a", b"%d" % number, qos, number if qos else 1))


@pytest.mark.parametrize("order", [("away", "busy"), ("busy", "away")])
def test_a_message_waits_for_a_busy_member_rather_than_for_one_that_is_away(order: tuple[str, str]) -> None:
    broker = wire.broker()
    members = {name: member(broker, name, window=1 if name == "busy" else 10) for name in order}
    members["away"].connection.close("connection lost")
    written(broker, 1, 2, 3, 4)
    busy, found = members["busy"], []
    while seen := busy.received():
        [one] = seen
        found.append(wire.message(one)[1][1:])
        busy.send(wire.puback(wire.message(one)[3]))
    assert found == [b"1", b"2", b"3", b"4"]
    assert payloads(back(broker, "away")) == []


def test_members_that_are_all_away_take_their_turns() -> None:
    broker = wire.broker()
    for name in ("m1", "m2"):
        member(broker, name).connection.close("connection lost")
    written(broker, 1, 2, 3, 4)
    assert sorted(payloads(back(broker, name)) for name in ("m1", "m2")) == [[b"1", b"3"], [b"2", b"4"]]


@pytest.mark.parametrize(("published", "granted"), [(0, 1), (1, 0)])
def test_a_message_of_qos_0_waits_for_no_member_and_takes_nobodys_turn(published: int, granted: int) -> None:
    broker = wire.broker()
    for name in ("m1", "m2"):
        member(broker, name, granted).connection.close("connection lost")
    written(broker, 1, qos=published)
    first, second = (back(broker, name) for name in ("m1", "m2"))
    assert payloads(first) == payloads(second) == []
    written(broker, 2, 3, qos=published)
    assert (payloads(first), payloads(second)) == ([b"2"], [b"3"])


def test_subscribing_again_changes_the_qos_and_gives_no_second_turn() -> None:
    broker = wire.broker()
    first, second = member(broker, "m1"), member(broker, "m2")
    first.send(wire.subscribe((SHARED, 0), level=5)).received()
    written(broker, 1, 2, 3, 4)
    got = [[(head, wire.message((head, body))[1][-1:]) for head, body in one.received()] for one in (first, second)]
    assert got == [[(0x30, b"1"), (0x30, b"3")], [(0x32, b"2"), (0x32, b"4")]]


def test_a_shared_message_keeps_its_retain_flag_only_where_that_is_asked_for() -> None:
    broker = wire.broker()  # [MQTT5-3.3.1-12] [MQTT5-3.3.1-13]
    plain = member(broker, "m1")
    published = member(broker, "m2", 1 | 8, shared="$share/h/a")
    wire.joined(broker, "writer").send(wire.publish("a", b"x", 1, 1, retain=True))
    assert [[head for head, _ in one.received()] for one in (plain, published)] == [[0x32], [0x33]]
