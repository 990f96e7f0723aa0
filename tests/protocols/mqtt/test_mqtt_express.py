"""Messages that are passed on at once come to the same as those that go the long way."""

from __future__ import annotations

import json
from collections.abc import Sequence

import mqtt_wire as wire
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.contract import Grant
from protocols.hub.hub import Hub
from protocols.hub.limits import HubLimits
from protocols.hub.messages import Message
from protocols.hub.runs import LONG
from protocols.mqtt.broker import Broker
from protocols.mqtt.limits import Limits

D = "acme.default"
PLACE = f"{D}/raspi/ab12cd34"
MOVE = f"{D}/press/Press/line1/move"

TOPICS = ("a", "b", "c/d", "e" * 110)
SIZES = (0, 1, 5, 13, 120, 121, 122, 123, 124, 125, 126, 127, LONG - 10, LONG - 5, LONG)
SUBSCRIPTIONS = (
    (4, ("a", 0)),
    (5, ("a", 1)),
    (4, ("b", 2)),
    (5, ("b", 8)),  # retain as published: not like others
    (4, ("c/#", 0)),
    (5, ("e" * 110, 0)),
    (4, ("#", 1)),
)


def whole(level: int) -> st.SearchStrategy[bytes]:
    """PUBLISH packets, most of them as plain as can be."""
    return st.builds(
        lambda topic, size, qos, retain, expires: wire.publish(
            topic, b"x" * size, qos, retain=retain, level=level, stated={2: 60} if expires and level == 5 else None
        ),
        st.sampled_from(TOPICS),
        st.sampled_from(SIZES),
        st.sampled_from((0, 0, 0, 0, 1, 2)),
        st.sampled_from((False, False, False, True)),
        st.sampled_from((False, False, True)),
    )


def crooked(data: bytes) -> st.SearchStrategy[bytes]:
    """A packet with a byte changed, the end cut off, or its length said in more bytes than it needs."""
    return st.one_of(
        st.builds(lambda at, to: data[:at] + bytes((to,)) + data[at + 1 :], st.integers(0, 8), st.integers(0, 255)),
        st.integers(1, len(data)).map(lambda end: data[:end]),
        st.just(data[:1] + bytes((data[1] | 128, 0)) + data[2:] if data[1] < 128 else data),
    )


def arriving(level: int) -> st.SearchStrategy[bytes]:
    one = whole(level)
    return st.one_of(one, one, one, st.lists(one, min_size=2, max_size=3).map(b"".join), one.flatmap(crooked))


class Ear:
    def __init__(self) -> None:
        self.turns: list[list[Message]] = []

    def heard(self, messages: Sequence[Message]) -> None:
        self.turns.append(list(messages))


class Room:
    """A broker with two publishers and some subscribers, whose sockets take bytes at once or never do."""

    def __init__(self, subscriptions: set[int], *, takes: bool, is_listened: bool) -> None:
        hub = Hub(HubLimits(), lambda: 1_000.0)
        self.broker = Broker(wire.Door(), wire.Recorder(), Limits(), hub=hub, new_client_id=lambda: "x")
        self.takes = takes
        self.ear = Ear()
        if is_listened:
            hub.listen(["a", "c/#"], self.ear, lambda topic: True)
        self.publishers = [self._join("p4", 4), self._join("p5", 5)]
        self.subscribers: list[wire.Peer] = []
        for number in sorted(subscriptions):
            level, wanted = SUBSCRIPTIONS[number]
            peer = self._join(f"s{number}", level).send(wire.subscribe(wanted, level=level))
            peer.received()
            self.subscribers.append(peer)
        self.seen: list[list[wire.Received]] = [[] for _ in self.subscribers]

    def _join(self, client_id: str, level: int) -> wire.Peer:
        peer = wire.joined(self.broker, client_id, level=level)
        if not self.takes:
            peer.connection.outbox.write = None
        return peer

    def send(self, number: int, data: bytes, now: float, *, ends_turn: bool) -> None:
        peer = self.publishers[number]
        if not peer.closed:
            peer.send(data, now=now)
        if ends_turn:
            self.broker.hub.settle()
            for place, subscriber in enumerate(self.subscribers):
                self.seen[place] += subscriber.received()

    def outcome(self) -> list[object]:
        """Return everything that can be told of it from outside."""
        hub = self.broker.hub
        hub.sweep()
        told: list[object] = [self.seen, self.ear.turns, self.broker.retained.names("#")]
        for peer in (*self.publishers, *self.subscribers):
            client = peer.connection.client
            told += [peer.closed, str(peer.error), peer.received()]
            told.append(client and client.counts(peer.connection.bytes_in))
        return told + [(hub.get(topic), hub.history(topic, 100)) for topic in TOPICS]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(0), arriving(4), st.booleans(), st.sampled_from((0.0, 0.001))),
        st.tuples(st.just(1), arriving(5), st.booleans(), st.sampled_from((0.0, 0.001))),
    ),
    min_size=2,
    max_size=12,
)


@given(st.sets(st.integers(0, len(SUBSCRIPTIONS) - 1), max_size=3), STEPS, st.booleans())
def test_whoever_takes_messages_at_once_gets_what_others_get(subscriptions, steps, is_listened) -> None:
    rooms = [Room(subscriptions, takes=takes, is_listened=is_listened) for takes in (True, False)]
    now = 0.0
    for number, data, ends_turn, passes in steps:
        now += passes
        for room in rooms:
            room.send(number, data, now, ends_turn=ends_turn)
    for room in rooms:
        room.send(0, b"", now, ends_turn=True)
    assert rooms[0].outcome() == rooms[1].outcome()


def pair(level: int = 4, **limits: int) -> tuple[wire.Peer, wire.Peer]:
    """Return a publisher whose route to its only subscriber is known, and that one."""
    broker = wire.broker(Limits(**limits))
    subscriber = wire.joined(broker, "s", level=level).send(wire.subscribe(("a", 0), level=level))
    publisher = wire.joined(broker, "p", level=level).send(wire.publish("a", b"first", level=level))
    subscriber.received()
    return publisher, subscriber


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("size", [0, 1, 122, 124, 125, 10_000])
def test_a_message_that_comes_alone_is_written_at_once(level: int, size: int) -> None:
    publisher, subscriber = pair(level)
    sent = wire.publish("a", b"x" * size, level=level)
    publisher.send(sent)
    assert subscriber.written == [sent]
    assert publisher.connection._broker.hub.get("a").payload == b"x" * size
    counts = subscriber.connection.client.counts(0)
    assert counts.messages_out == 2 and publisher.connection.client.messages_in == 2


def test_what_waits_already_goes_first() -> None:
    publisher, subscriber = pair()
    publisher.send(wire.publish("a", b"1") + wire.publish("a", b"2"))  # the long way: they are two
    publisher.send(wire.publish("a", b"3"))
    assert subscriber.written == []
    assert [wire.message(one)[1] for one in subscriber.received()] == [b"1", b"2", b"3"]


def test_a_socket_that_takes_no_more_is_given_no_more() -> None:
    publisher, subscriber = pair()
    subscriber.connection.outbox.write = None
    publisher.send(wire.publish("a", b"1"))
    assert subscriber.written == [] and subscriber.connection.outbox.size


@pytest.mark.parametrize("ends", [wire.disconnect(), wire.unsubscribe("a")], ids=["disconnected", "unsubscribed"])
def test_a_subscriber_that_has_left_gets_nothing(ends: bytes) -> None:
    publisher, subscriber = pair()
    subscriber.send(ends)
    subscriber.received()
    publisher.send(wire.publish("a", b"1"))
    assert subscriber.written == []


@pytest.mark.parametrize(
    ("level", "data"),
    [
        (4, b"\x30\x03\x00\x02a"),  # a topic that ends behind the packet
        (5, b"\x30\x03\x00\x01a"),  # no properties, not even their length
        (5, b"\x30\x85\x00\x00\x01a\x00x"),  # a length in more bytes than it needs
        (4, wire.publish("a", b"x" * 500)),  # above the maximum
    ],
)
def test_a_packet_that_is_not_allowed_is_not_passed_on(level: int, data: bytes) -> None:
    publisher, subscriber = pair(level, max_packet=400)
    publisher.send(data)
    assert publisher.closed and publisher.error is not None
    assert subscriber.written == []


def test_properties_are_read() -> None:
    publisher, subscriber = pair(5)
    publisher.send(wire.publish("a", b"1", level=5, stated={35: 1}))  # an alias, which is the publisher's alone
    assert subscriber.received() == [(0x30, wire.publish("a", b"1", level=5)[2:])]


@pytest.mark.parametrize(("level", "other"), [(4, 5), (5, 4)])
def test_who_has_another_protocol_level_is_sent_what_that_has(level: int, other: int) -> None:
    broker = wire.broker()
    subscriber = wire.joined(broker, "s", level=other).send(wire.subscribe(("a", 0), level=other))
    publisher = wire.joined(broker, "p", level=level)
    for payload in (b"0", b"1"):
        subscriber.received()
        publisher.send(wire.publish("a", payload, level=level))
    assert subscriber.received() == [(0x30, wire.publish("a", b"1", level=other)[2:])]


def test_the_rest_of_a_packet_is_no_message_even_if_it_looks_like_one() -> None:
    publisher, subscriber = pair()
    inner = wire.publish("a", b"inner")
    outer = wire.publish("a", b"outer " + inner)
    publisher.send(outer[: -len(inner)]).send(inner)
    assert [wire.message(one)[1] for one in subscriber.received()] == [b"outer " + inner]


def test_a_client_that_is_held_or_closed_is_not_listened_to() -> None:
    publisher, subscriber = pair()
    publisher.connection.held = True
    publisher.send(wire.publish("a", b"1"))
    assert subscriber.received() == []
    publisher.connection.release()
    publisher.send(wire.publish("a", b"2"))
    assert [wire.message(one)[1] for one in subscriber.received()] == [b"1", b"2"]
    publisher.connection.close("kicked")
    publisher.connection.feed(wire.publish("a", b"3"), 0.0)
    assert subscriber.received() == []


def test_a_subscriber_that_has_fallen_behind_is_waited_for() -> None:
    publisher, subscriber = pair()
    subscriber.connection.outbox.congest()
    publisher.send(wire.publish("a", b"1"))
    assert publisher.connection.held and subscriber.written == []


def test_messages_that_come_alone_keep_a_connection_alive() -> None:
    publisher, _ = pair()
    publisher.connection.client.keep_alive = 10
    publisher.send(wire.publish("a", b"1"), now=14.0)
    assert publisher.connection.overdue(28.0) is None
    assert publisher.connection.overdue(30.0)


def test_the_bytes_that_the_hub_has_not_looked_at_are_bounded() -> None:
    publisher, subscriber = pair()
    hub = publisher.connection._broker.hub
    hub.most_waiting, most = 10_000, 0
    for number in range(300):
        publisher.send(wire.publish("a", b"%4d" % number * 50))
        subscriber.received()
        most = max(most, hub.waiting)
    assert 5_000 < most <= 10_000 + 300
    assert hub.get("a").payload == b" 299" * 50


def test_a_rate_holds_for_messages_that_come_alone() -> None:
    publisher, _ = pair(publish_rate=3)
    for _ in range(10):
        publisher.send(wire.publish("a", b"1"))
    assert publisher.connection.held
    assert publisher.connection.client.messages_in < 10


def test_a_request_whose_answer_is_to_go_to_somebody_else_is_dropped() -> None:
    broker = wire.broker()
    for number, (name, role) in enumerate({"press": "agent", "caller": "client"}.items(), 10):
        broker.authenticate.answers[name] = Grant(number, name, (), (), D, role)
    agent = wire.joined(broker, "va3", "press", will=(f"{D}/press/__agentInfo__", b"{}", 0, True))
    agent.send(wire.subscribe((MOVE, 0)))
    client = wire.joined(broker, "vc3", "caller", will=(f"{PLACE}/__clientInfo__", b"{}", 0, True))

    def request(reply_to: str) -> bytes:
        said = {"a": [1], "i": "x-1", "s": reply_to, "v": 3}
        return wire.publish(MOVE, json.dumps(said).encode())

    client.send(request(PLACE))
    agent.received()
    client.send(request(PLACE))
    assert agent.written == [request(PLACE)]
    agent.received()
    client.send(request(f"{D}/raspi/other"))
    assert agent.received() == []
    assert client.connection.client.session.denied == 1
