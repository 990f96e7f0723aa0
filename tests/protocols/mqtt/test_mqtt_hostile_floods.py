"""Floods: many of anything that a client may have, and subscribers that never acknowledge; all of it is bounded."""

import mqtt_wire as wire
import pytest

from protocols.mqtt.limits import Limits

KIB = 1024
LEVELS = (4, 5)
SUBACK, PUBACK, DISCONNECT = 0x90, 0x40, 0xE0
NEVER = 0xFFFF_FFFF


def messages(peer: wire.Peer) -> list[wire.Received]:
    return [one for one in peer.received() if one[0] >> 4 == 3]


def durable(broker, client_id: str = "c", username: str = "ada", *, level: int = 4, qos: int = 1, **options):
    """Return a client whose session is kept, and that subscribes to "flood"."""
    stated = {0x11: NEVER} if level == 5 else None
    peer = wire.joined(broker, client_id, username, clean=False, level=level, stated=stated, **options)
    peer.send(wire.subscribe(("flood", qos), level=level)).received()
    return peer


def publish(broker, writer: wire.Peer, *packets: bytes) -> None:
    """Publish, and let patience with slow subscribers end."""
    writer.send(*packets)
    for seconds in (0.0, 5.0):
        if writer.connection.held:
            broker.sweep(seconds)
    writer.send()


def told(peer: wire.Peer) -> int:
    """Return the reason that the client was disconnected with."""
    assert peer.closed
    head, body = peer.received()[-1]
    assert head == DISCONNECT
    return body[0]


# --- one that never acknowledges


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("clean", [True, False], ids=["clean", "durable"])
def test_a_subscriber_that_never_acknowledges_has_a_bounded_queue(qos: int, clean: bool) -> None:
    broker = wire.broker(Limits(queue_messages=50, inflight=10))
    deaf = wire.joined(broker, "deaf", clean=clean).send(wire.subscribe(("flood", qos)))
    deaf.received()
    writer = wire.joined(broker, "writer", "bob")
    for number in range(1_000):
        publish(broker, writer, wire.publish("flood", b"%d" % number, qos, number + 1))
        if qos == 2:
            writer.send(wire.pubrel(number + 1))
    acknowledged = sum(head in (PUBACK, 0x50) for head, _ in writer.received())
    assert acknowledged == 1_000, "the publisher is not to blame"
    session = deaf.connection.client.session
    assert len(messages(deaf)) == 10 and session.queued == 50 and session.dropped == 940
    assert broker.hits.counts == {"inflight": 1, "queue_messages": 940}
    before = broker.common.pool.size
    assert 0 < before < 50 * KIB
    deaf.connection.close("connection lost")
    assert broker.common.pool.size == (0 if clean else before)
    if not clean:
        again = wire.Peer(broker).send(wire.connect("deaf", clean=False))
        assert [wire.message(one)[1] for one in messages(again)] == [b"%d" % number for number in range(10)]


def test_the_queue_of_one_that_never_acknowledges_is_bounded_in_bytes() -> None:
    broker = wire.broker(Limits(queue_bytes=1024 * KIB, inflight=5))
    deaf = durable(broker, "deaf")
    writer = wire.joined(broker, "writer", "bob")
    for number in range(100):
        publish(broker, writer, wire.publish("flood", bytes(100 * KIB), 1, number + 1))
        deaf.received()
    assert broker.common.pool.size <= 1024 * KIB + 5 * 101 * KIB, "what is on its way counts too"
    assert broker.hits.counts == {"inflight": 1, "queue_bytes": 85}


def test_others_get_everything_while_one_never_acknowledges() -> None:
    broker = wire.broker(Limits(queue_messages=10, inflight=5))
    durable(broker, "deaf")
    reader = durable(broker, "reader", "bob")
    writer = wire.joined(broker, "writer", "bob")
    for number in range(200):
        publish(broker, writer, wire.publish("flood", b"%d" % number, 1, number + 1))
        [one] = messages(reader)
        reader.send(wire.puback(wire.message(one)[3]))
    assert reader.connection.client.session.dropped == 0


def test_who_fills_all_queues_keeps_nobody_else_out() -> None:
    broker = wire.broker(Limits(queue_total_bytes=500 * KIB, queue_bytes=100 * KIB))
    for number in range(20):
        durable(broker, f"greedy{number}").send(wire.DISCONNECT)
    writer = wire.joined(broker, "writer", "bob")
    for _ in range(300):
        writer.send(wire.publish("flood", bytes(4 * KIB), 1))
    full = broker.common.pool.size
    assert full <= 500 * KIB and broker.hits.counts["queue_total_bytes"] > 5_000
    reader = wire.joined(broker, "reader", "bob", clean=False).send(wire.subscribe(("mine", 1)), wire.DISCONNECT)
    assert reader.closed
    for number in range(10):
        writer.send(wire.publish("mine", b"%d" % number + bytes(KIB), 1))
    back = wire.Peer(broker).send(wire.connect("reader", "bob", clean=False))
    assert [int(wire.message(one)[1].rstrip(b"\0")) for one in messages(back)] == list(range(10))


def test_what_each_session_may_queue_anyway_is_little() -> None:
    broker = wire.broker(Limits(queue_total_bytes=100 * KIB, queue_reserve=4 * KIB))
    for number in range(100):
        durable(broker, f"c{number}").send(wire.DISCONNECT)
    for _ in range(20):
        wire.joined(broker, "w", "bob").send(wire.publish("flood", bytes(KIB), 1))
    assert 100 * KIB < broker.common.pool.size <= 100 * 4 * KIB
    broker.sessions.disconnect([1], "deleted", forget=True)
    assert broker.common.pool.size == 0


# --- many sessions, subscriptions, Wills, retained messages


@pytest.mark.parametrize("level", LEVELS)
def test_stored_sessions_of_one_integration_are_bounded_and_push_out_no_others(level: int) -> None:
    broker = wire.broker(Limits(stored_sessions=50))
    durable(broker, "lasting", "bob").send(wire.DISCONNECT)
    for number in range(1_000):
        durable(broker, f"c{number}", level=level).send(wire.DISCONNECT)
    assert len(broker.sessions) == 51 and broker.subscriptions.count == 51
    assert broker.hits.counts == {"stored_sessions": 950}
    assert wire.Peer(broker).send(wire.connect("lasting", "bob", clean=False)).received() == [
        wire.connack(present=True)
    ]


def test_clean_starts_and_delayed_wills_leave_nothing_behind() -> None:
    broker = wire.broker()
    for number in range(2_000):
        peer = wire.joined(
            broker, "c", level=5, stated={0x11: NEVER - 1}, will=("w", b"x", 0, True), will_stated={0x18: NEVER}
        )
        peer.connection.close("connection lost")
        assert peer.closed, number
    assert len(broker.sessions) == 1 and broker.retained.count == 1
    assert len(broker.sessions._alarms) < 300


def test_delayed_wills_of_many_sessions_are_bounded_with_them_and_published_once() -> None:
    broker = wire.broker(Limits(stored_sessions=20))
    watcher = wire.joined(broker, "watcher", "bob").send(wire.subscribe(("w/#", 0)))
    watcher.received()
    for number in range(200):
        wire.joined(
            broker,
            f"c{number}",
            level=5,
            stated={0x11: 1_000},
            will=(f"w/{number}", b"", 0, False),
            will_stated={0x18: 100},
        ).connection.close("connection lost")
    assert len(messages(watcher)) == 180, "those of the sessions that had to go"
    broker.sweep(101.0)
    assert len(messages(watcher)) == 20
    broker.sweep(2_000.0)
    assert messages(watcher) == [] and len(broker.sessions) == 1


@pytest.mark.parametrize("level", LEVELS)
def test_subscriptions_are_bounded_and_others_have_their_own(level: int) -> None:
    broker = wire.broker(Limits(subscriptions=100))
    peer = wire.joined(broker, "c", level=level)
    codes = b""
    for number in range(500):
        peer.send(wire.subscribe((f"a/{number}", 1), level=level))
        codes += peer.received()[-1][1][-1:]
    assert codes == b"\1" * 100 + (b"\x80" if level == 4 else b"\x97") * 400
    assert broker.subscriptions.count == 100 and broker.hits.counts == {"subscriptions": 400}
    assert wire.joined(broker, "o", "bob").send(wire.subscribe(("mine", 1))).received()[-1][1][-1] == 1


def test_the_same_filter_again_and_again_costs_nothing() -> None:
    broker = wire.broker(Limits(inflight=1))
    wire.joined(broker, "w", "bob").send(
        wire.publish("r/1", b"1", 1, retain=True), wire.publish("r/2", b"2", 1, 2, retain=True)
    )
    peer = wire.joined(broker, "c").send(wire.subscribe(("r/#", 1)))
    for _ in range(1_000):
        peer.send(wire.subscribe(("r/#", 1)))
    assert len(peer.connection.client.session._replay._due) <= 1, "it acknowledges nothing"
    assert broker.subscriptions.count == 1


def test_an_unsubscribe_ends_the_retained_messages_too() -> None:  # [MQTT-3.10.4-2]
    broker = wire.broker(Limits(inflight=1))
    for number in range(5):
        wire.joined(broker, "w", "bob").send(wire.publish(f"r/{number}", b"x", 1, retain=True))
    peer = wire.joined(broker, "c").send(wire.subscribe(("r/#", 1), ("r/+", 1)))
    [first] = messages(peer)
    peer.send(wire.unsubscribe("r/#"), wire.unsubscribe("r/+"), wire.puback(wire.message(first)[3]))
    assert messages(peer) == []


def test_very_many_filters_in_one_packet_are_refused() -> None:
    peer = wire.joined(wire.broker(), "c", level=5)
    peer.send(wire.subscribe(*[("a", 0)] * 300_000, level=5))
    assert told(peer) == 0x95


def test_very_many_shared_groups_are_bounded_and_each_gets_its_copy() -> None:
    broker = wire.broker(Limits(subscriptions=1_000))
    peer = wire.joined(broker, "c", level=5)
    for number in range(1_500):
        peer.send(wire.subscribe((f"$share/g{number}/a", 0), level=5))
    peer.received()
    assert broker.subscriptions.count == broker.subscriptions.shared == 1_000
    wire.joined(broker, "w", "bob").send(wire.publish("a", b"x"))
    assert len(messages(peer)) == 1_000
    peer.connection.close("connection lost")
    assert broker.subscriptions.count == broker.subscriptions.shared == 0
    assert broker.subscriptions._shares == {} and broker.subscriptions._root.children == {}


def test_retained_messages_are_bounded_and_known_topics_stay_usable() -> None:
    broker = wire.broker(Limits(retained_messages=100))
    other = wire.joined(broker, "o", "bob").send(wire.publish("mine", b"old", retain=True))
    flood = wire.joined(broker, "c")
    for number in range(5_000):
        flood.send(wire.publish(f"f/{number}", b"x", retain=True))
    assert broker.retained.count == 100 and broker.hits.counts == {"retained_messages": 4_901}
    other.send(wire.publish("mine", b"new", retain=True))
    assert broker.retained.get("mine").payload == b"new"
    size = broker.retained.size
    for number in range(5_000):
        flood.send(wire.publish(f"f/{number}", b"", retain=True))
    assert broker.retained.count == 1 and broker.retained.size < size / 50
    assert list(broker.retained._root.children) == ["mine"]


def test_messages_that_expire_leave_nothing_behind() -> None:
    broker = wire.broker(Limits(expiry_interval=0, retained_messages=500))
    durable(broker, "away", level=5).send(wire.disconnect())
    writer = wire.joined(broker, "w", "bob", level=5)
    for number in range(1_000):
        writer.send(wire.publish(f"r/{number}", b"x", retain=True, level=5, stated={0x02: 1}))
        writer.send(wire.publish("flood", bytes(KIB), 1, number % 1_000 + 1, level=5, stated={0x02: number % 5}))
    assert broker.common.pool.size > 500 * KIB and broker.retained.count == 500
    broker.sweep(10.0)
    assert broker.common.pool.size == 0 and broker.retained.count == 0 and not broker.retained._expiring


# --- properties


def test_topic_aliases_are_bounded_and_only_those_that_stand_for_something() -> None:
    broker = wire.broker(Limits(topic_aliases=10))
    peer = wire.joined(broker, "c", level=5)
    for number in range(5_000):
        peer.send(wire.publish(f"t{number}", b"", level=5, stated={0x23: number % 10 + 1}))
    aliases = peer.connection.client.publisher._aliases
    assert len(aliases) == 10 and not peer.closed
    for alias in (0, 11, 65_535):
        peer = wire.joined(broker, "c", level=5).send(wire.publish("t", level=5, stated={0x23: alias}))
        assert told(peer) == 0x94
    peer = wire.joined(broker, "c", level=5).send(wire.publish("", level=5, stated={0x23: 1}))
    assert told(peer) == 0x94, "aliases end with their connection"
    peer = wire.joined(broker, "c", level=5).send(wire.publish("a/#", level=5, stated={0x23: 1}))
    assert told(peer) == 0x90


def test_aliases_that_a_subscriber_asks_for_are_bounded() -> None:
    broker = wire.broker(Limits(topic_aliases=10))
    reader = wire.joined(broker, "r", level=5, stated={0x22: 65_535}).send(wire.subscribe(("#", 0), level=5))
    writer = wire.joined(broker, "w", "bob")
    for number in range(1_000):
        writer.send(wire.publish(f"topic/number/{number}"))
    assert len(messages(reader)) == 1_000
    assert len(reader.connection.client.line._aliases) == 10


@pytest.mark.parametrize("count", [1_000, 1_001, 200_000])
def test_user_properties_are_passed_on_up_to_a_bound(count: int) -> None:
    broker = wire.broker()
    reader = wire.joined(broker, "r", level=5).send(wire.subscribe(("a", 0), level=5))
    reader.received()
    flood = b"\x26\0\1k\0\0" * count
    writer = wire.joined(broker, "w", "bob", level=5)
    writer.send(wire.packet(0x30, wire.string("a") + wire.variable(len(flood)) + flood + b"x"))
    if count <= 1_000:
        [(_, body)] = messages(reader)
        assert wire.read_properties(body, 3)[0][0x26] == [("k", "")] * count
    else:
        assert told(writer) == 0x95 and messages(reader) == []


def test_a_megabyte_in_few_user_properties_is_passed_on() -> None:
    broker = wire.broker()
    reader = wire.joined(broker, "r", level=5).send(wire.subscribe(("a", 0), level=5))
    reader.received()
    pairs = [("x" * 65_535, "y" * 65_535)] * 8
    wire.joined(broker, "w", "bob", level=5).send(wire.publish("a", b"x", level=5, stated={0x26: pairs}))
    [(_, body)] = messages(reader)
    assert wire.read_properties(body, 3)[0][0x26] == pairs


LIES = {
    "longer than the packet": b"\x7f\x26\0\0\0\0",
    "much longer than the packet": b"\xff\xff\xff\x7f\x26\0\0\0\0",
    "into the middle of a property": b"\x03\x26\0\0\0\0",
    "a length of five bytes": b"\x80\x80\x80\x80\x01",
    "a length that never ends": b"\xff\xff\xff\xff\xff\xff",
    "a string that is longer than the properties": b"\x05\x26\xff\xff\0\0",
    "an identifier of five bytes": b"\x05\xff\xff\xff\xff\x01",
    "an unknown identifier": b"\x02\x7e\0",
}


@pytest.mark.parametrize("packet", ["connect", "publish", "subscribe", "unsubscribe", "puback", "disconnect", "will"])
@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_about_the_length_of_properties_closes_the_connection(packet: str, lie: str) -> None:
    broker, wrong = wire.broker(), LIES[lie]
    login = wire.string("c") + wire.string("ada") + wire.string("right")
    sent = {
        "connect": wire.packet(0x10, wire.string("MQTT") + b"\5\xc2\0\0" + wrong + login),
        "will": wire.packet(0x10, wire.string("MQTT") + b"\5\xc6\0\0\0" + wire.string("c") + wrong + login),
        "publish": wire.packet(0x32, wire.string("a") + b"\0\1" + wrong),
        "subscribe": wire.packet(0x82, b"\0\1" + wrong + wire.string("a") + b"\0"),
        "unsubscribe": wire.packet(0xA2, b"\0\1" + wrong + wire.string("a")),
        "puback": wire.packet(0x40, b"\0\1\0" + wrong),
        "disconnect": wire.packet(0xE0, b"\0" + wrong),
    }[packet]
    peer = wire.Peer(broker) if packet in ("connect", "will") else wire.joined(broker, "c", level=5)
    peer.send(sent)
    assert peer.closed and len(broker.sessions) == 0
    head, body = peer.received()[-1]
    assert (head, body[0]) in {(DISCONNECT, 0x81), (DISCONNECT, 0x82), (0x20, 0)}
    assert head == DISCONNECT or body[1] in (0x81, 0x82)


# --- little in, much out


def test_an_answer_repeats_little_of_what_it_is_about() -> None:
    broker = wire.broker()
    for sent in (
        wire.publish("#" * 65_535, level=5),
        wire.subscribe(("#" * 65_535, 0), level=5),
        wire.publish("a", level=5, stated={0x08: "+" * 65_535}),
    ):
        peer = wire.joined(broker, "c", level=5).send(sent)
        [(head, body)] = peer.received()
        assert head == DISCONNECT and len(body) < 200
    refused = wire.Peer(broker).send(wire.connect(level=5, will=("$SYS/" + "x" * 60_000, b"", 0, False)))
    [(head, body)] = refused.received()
    assert (head, body[1]) == (0x20, 0x87) and len(body) < 200


def test_no_reason_is_told_to_who_does_not_want_one() -> None:
    peer = wire.joined(wire.broker(), "c", level=5, stated={0x17: 0}).send(wire.publish("#", level=5))
    assert peer.received() == [(DISCONNECT, b"\x90")]


@pytest.mark.parametrize("client_id", ["+", "a/+", "#", "a/#"])
def test_no_topic_of_responses_has_a_wildcard(client_id: str) -> None:
    broker = wire.broker()
    [(_, body)] = wire.Peer(broker).send(wire.connect(client_id, level=5, stated={0x19: 1})).received()
    assert 0x1A not in wire.read_properties(body, 2)[0]


def test_a_response_topic_is_passed_on_and_used_by_nobody_else() -> None:
    broker = wire.broker()
    reader = wire.joined(broker, "r", level=5).send(wire.subscribe(("ask", 1), level=5))
    victim = wire.joined(broker, "v", "bob", level=5).send(wire.subscribe(("victim", 1), level=5))
    reader.received(), victim.received()
    stated = {0x08: "victim", 0x09: b"x" * 60_000}
    wire.joined(broker, "w", level=5).send(wire.publish("ask", b"", 1, level=5, stated=stated))
    assert len(messages(reader)) == 1 and messages(victim) == []
