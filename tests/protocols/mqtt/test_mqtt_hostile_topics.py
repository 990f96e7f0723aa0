"""Topics that mean harm: too long, too deep, and with wildcards where none belong."""

import mqtt_wire as wire
import pytest

from protocols.contract import Grant
from protocols.mqtt.limits import Limits

LEVELS = (4, 5)
LONGEST = "x" * 65_535
DEEP = "a/" * 9_999 + "a"
DEEPEST = "/" * 65_535

SUBACK, PUBACK, DISCONNECT = 0x90, 0x40, 0xE0


def answers(peer: wire.Peer, head: int) -> list[bytes]:
    return [body for found, body in peer.received() if found == head]


def got(peer: wire.Peer) -> list[tuple[str, bytes]]:
    return [wire.message(one)[:2] for one in peer.received() if one[0] >> 4 == 3]


def payloads(peer: wire.Peer) -> int:
    """Return how many messages a client of any level is sent."""
    return sum(one[0] >> 4 == 3 for one in peer.received())


def subscribed(broker, *filters: str, level: int = 4, client_id: str = "reader") -> tuple[wire.Peer, bytes]:
    """Return a client and the codes that its filters were answered with."""
    peer = wire.joined(broker, client_id, "bob", level=level)
    peer.send(wire.subscribe(*[(one, 1) for one in filters], level=level))
    [body] = answers(peer, SUBACK)
    return peer, body[-len(filters) :]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("topic", [LONGEST, DEEP, DEEPEST], ids=["65,535 bytes", "10,000 levels", "65,536 levels"])
def test_a_long_topic_is_published_and_arrives(topic: str, level: int) -> None:
    broker = wire.broker()
    reader, _ = subscribed(broker, "#")
    writer = wire.joined(broker, "writer", level=level).send(wire.publish(topic, b"x", 1, 7, level=level))
    assert got(reader) == [(topic, b"x")]
    [ack] = answers(writer, PUBACK)
    assert ack[:2] == b"\0\7" and writer.error is None


def test_a_long_topic_is_kept_nowhere() -> None:
    broker = wire.broker()
    writer = wire.joined(broker, "writer")
    for number in range(1_000):
        writer.send(wire.publish(f"{number}{LONGEST[:65_000]}", b"x"))
    assert sum(map(len, broker.subscriptions._routes)) == 0
    assert sum(map(len, writer.connection.client.publisher._routes)) == 0


@pytest.mark.parametrize("level", LEVELS)
def test_a_filter_of_full_length_is_taken_and_one_of_many_levels_refused(level: int) -> None:
    broker = wire.broker()
    reader, codes = subscribed(broker, LONGEST, DEEP, DEEPEST, "a/" * 5_000 + "#", "+/" * 5_000 + "+", level=level)
    refused = 0x80 if level == 4 else 0x97
    assert codes == bytes([1, *[refused] * 4])
    assert broker.hits.counts == {"topic_levels": 4} and broker.subscriptions.count == 1
    wire.joined(broker, "writer").send(wire.publish(LONGEST, b"x"), wire.publish(DEEP, b"x"))
    assert payloads(reader) == 1


def test_a_shared_filter_of_many_levels_is_refused() -> None:
    broker = wire.broker()
    _, codes = subscribed(broker, f"$share/group/{DEEP}", f"$share/{'g' * 60_000}/a", level=5)
    assert codes == b"\x97\x01"


def test_a_share_name_is_no_way_around_the_levels() -> None:
    broker = wire.broker(Limits(topic_levels=3))
    _, codes = subscribed(broker, "$share/g/a/b/c", "$share/g/a/b/c/d", level=5)
    assert codes == b"\x01\x97"


@pytest.mark.parametrize("level", LEVELS)
def test_a_retained_message_of_many_levels_is_refused_or_passed_on_but_not_kept(level: int) -> None:
    broker = wire.broker()
    reader, _ = subscribed(broker, "#")
    writer = wire.joined(broker, "writer", level=level)
    writer.send(wire.publish(DEEP, b"x", 1, 7, retain=True, level=level), wire.publish(LONGEST, b"y", retain=True))
    passed_on = [(DEEP, b"x")] if level == 4 else []  # a client of 5.0 is told
    assert [one for one in got(reader) if one[0] == DEEP] == passed_on
    assert broker.retained.get(DEEP) is None
    assert broker.hits.counts["topic_levels"] == 1


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("retain", [False, True])
def test_a_will_of_many_levels_is_published_and_not_kept(level: int, retain: bool) -> None:
    broker = wire.broker()
    reader, _ = subscribed(broker, "#")
    wire.joined(broker, "doomed", level=level, will=(DEEP, b"gone", 1, retain)).connection.close("connection lost")
    assert got(reader) == [(DEEP, b"gone")]
    assert broker.retained.count == 0


def test_the_long_filters_of_a_session_are_bounded_together() -> None:
    broker = wire.broker(Limits(subscription_characters=300_000))
    reader = wire.joined(broker, "reader", "bob", clean=False)
    for number in range(100):
        reader.send(wire.subscribe((f"{number:03}{LONGEST[:65_000]}", 0)))
    codes = b"".join(body[2:] for body in answers(reader, SUBACK))
    assert codes == bytes(4) + b"\x80" * 96
    reader.send(wire.subscribe(("short", 0), (f"000{LONGEST[:65_000]}", 1)))
    assert answers(reader, SUBACK) == [b"\0\1\0\1"], "a short one, and one that it has already"
    other, codes = subscribed(broker, LONGEST)
    assert codes == b"\1", "others have room of their own"


# --- wildcards in every position

BAD_FILTERS = [
    *("a#", "#a", "#/a", "#/", "a/#/b", "##", "a/##", "#/#", "a/b#", "+#", "#+", "a/+#", "+/#/+"),
    *("a+", "+a", "++", "a/b+", "a/+b", "a/++", "+a/b", "a+/b", "a/b+c/d", "/+a", "+/a+", "#\u00e9"),
]
SHARED_BAD = [
    "$share//a",
    "$share/g",
    "$share/g/",
    "$share/+/a",
    "$share/#/a",
    "$share/a+b/a",
    "$share/g/a#",
    "$share/",
]
GOOD_FILTERS = {
    "#": 4,
    "+": 1,
    "/#": 1,
    "+/#": 4,
    "+/+": 2,
    "/+": 1,
    "a/#": 3,
    "a/+": 1,
    "a/+/c": 1,
    "+/b/#": 2,
    "+/b/+": 1,
    "a/b/c/#": 1,
    "+/+/+": 1,
    "+/+/+/+": 0,
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("bad", BAD_FILTERS)
def test_a_misplaced_wildcard_closes_the_connection_and_subscribes_to_nothing(bad, position, level) -> None:
    broker = wire.broker()
    filters = [("fine/1", 0), ("fine/2", 0)]
    filters.insert(position, (bad, 0))
    peer = wire.joined(broker, "c", level=level).send(wire.subscribe(*filters, level=level))
    assert peer.closed and broker.subscriptions.count == 0
    told = peer.received()
    assert told == [] if level == 4 else (told[0][0], told[0][1][0]) == (DISCONNECT, 0x8F)
    assert "misplaced" in str(peer.error)


@pytest.mark.parametrize("bad", SHARED_BAD)
def test_a_wildcard_in_a_share_name_closes_the_connection(bad: str) -> None:
    broker = wire.broker()
    peer = wire.joined(broker, "c", level=5).send(wire.subscribe((bad, 0), level=5))
    [(head, body)] = peer.received()
    assert (head, body[0]) == (DISCONNECT, 0x8F) and broker.subscriptions.count == 0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("bad", BAD_FILTERS)
def test_a_misplaced_wildcard_in_unsubscribe_closes_the_connection(bad: str, level: int) -> None:
    peer = wire.joined(wire.broker(), "c", level=level).send(wire.unsubscribe(bad, level=level))
    assert peer.closed


@pytest.mark.parametrize("wanted", list(GOOD_FILTERS))
def test_a_wildcard_where_it_belongs_matches_what_it_should(wanted: str) -> None:
    broker = wire.broker()
    reader, codes = subscribed(broker, wanted)
    assert codes == b"\1"
    writer = wire.joined(broker, "writer")
    for topic in ("a", "/a", "a/b", "a/b/c"):
        writer.send(wire.publish(topic, b"x"))
    topics = [topic for topic, _ in got(reader)]
    assert len(topics) == GOOD_FILTERS[wanted], topics


NAMES = ["#", "+", "a/#", "+/a", "a/+/b", "a#", "a+b", "/#", "#/", "a/b#", "$share/g/#"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_a_wildcard_in_a_topic_name_closes_the_connection_and_reaches_nobody(name, qos, level) -> None:
    broker = wire.broker()
    reader, _ = subscribed(broker, "#")
    writer = wire.joined(broker, "writer", level=level)
    writer.send(wire.publish(name, b"x", qos, 5, retain=True, level=level))
    assert writer.closed and got(reader) == [] and broker.retained.count == 0
    told = writer.received()
    assert told == [] if level == 4 else (told[0][0], told[0][1][0]) == (DISCONNECT, 0x90)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_a_wildcard_in_the_topic_of_a_will_or_a_response_is_refused(name: str, level: int) -> None:
    broker = wire.broker()
    peer = wire.Peer(broker).send(wire.connect(will=(name, b"", 0, False), level=level))
    assert peer.closed and len(broker.sessions) == 0
    if level == 5:
        writer = wire.joined(broker, "w", level=5).send(wire.publish("a", level=5, stated={0x08: name}))
        assert writer.closed


# --- names that would reach further than they look

TRICKS = ["+", "#", "a/b", "../x", "$SYS", "%u", "%c", "a/#", "+/+", "\u0001"]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("granted", ["own/%c/#", "own/%u/%c", "%c/#", "own/x%c"])
def test_a_client_identifier_opens_nothing_but_its_own_topics(trick: str, granted: str) -> None:
    broker = wire.broker()
    broker.authenticate.answers["eve"] = Grant(3, "eve", (granted,), (granted,))
    peer = wire.joined(broker, trick, "eve", level=5)
    wanted = [
        "#",
        "+",
        "own/#",
        "own/+/#",
        "own/victim/#",
        "own/eve/victim",
        "$SYS/#",
        "a/b/c",
        "x",
        "%c/#",
        "own/%c/a",
    ]
    peer.send(wire.subscribe(*[(one, 0) for one in wanted], level=5))
    [body] = answers(peer, SUBACK)
    allowed = {one for one, code in zip(wanted, body[-len(wanted) :], strict=True) if code < 0x80}
    assert allowed <= ({"%c/#", "own/%c/a"} if trick == "%c" else set())


@pytest.mark.parametrize("username", ["+", "#", "a/+", "x#", "$SYS"])
def test_a_username_with_a_wildcard_opens_nothing(username: str) -> None:
    broker = wire.broker()
    broker.authenticate.answers[username] = Grant(3, username, ("%u/#", "own/%u"), ("%u/#", "own/%u"))
    peer = wire.joined(broker, "c", username, level=5)
    filters = ["#", "+/#", "own/+", "a/b", "$SYS/#", "x"]
    peer.send(wire.subscribe(*[(one, 0) for one in filters], level=5))
    assert answers(peer, SUBACK)[0][-len(filters) :] == b"\x87" * len(filters)


@pytest.mark.parametrize(
    "wanted", ["$share/g/secret/x", "$share/g/#", "$share/g/+/x", "$share/secret/secret/x", "$share/g//secret/x"]
)
@pytest.mark.parametrize("level", LEVELS)
def test_a_share_is_no_way_to_what_is_not_permitted(wanted: str, level: int) -> None:
    broker = wire.broker()
    broker.authenticate.answers["eve"] = Grant(3, "eve", ("#",), ("open/#", "$share/g/secret/x", "g/#"))
    peer = wire.joined(broker, "c", "eve", level=level).send(wire.subscribe((wanted, 1), level=level))
    assert answers(peer, SUBACK)[0][-1:] == (b"\x80" if level == 4 else b"\x87")
    wire.joined(broker, "w").send(wire.publish("secret/x", b"x", 1))
    assert payloads(peer) == 0
