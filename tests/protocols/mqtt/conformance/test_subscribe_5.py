"""5.0: subscription options and identifiers (3.8.2, 3.8.3, 3.3.4)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import Bench, kinds, messages
from mqtt_client import CONTENT_TYPE, MESSAGE_EXPIRY, SUBSCRIPTION_ID, USER
from mqtt_wire import packet, string

from protocols.contract import Grant

NO_LOCAL, AS_PUBLISHED = 0x04, 0x08
IF_NEW, NEVER = 0x10, 0x20


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("retain", [False, True])
def test_no_local_keeps_a_clients_own_messages_from_it(qos: int, retain: bool) -> None:
    """5.0: 3.8.3-3."""
    bench = Bench()
    client, other = bench.client("c"), bench.client("other")
    client.subscribe(("a", 2 | NO_LOCAL))
    client.publish("a", b"own", qos, 1, retain=retain)
    assert kinds(client.take()) == [[], ["PUBACK"], ["PUBREC"]][qos]
    other.publish("a", b"other's", qos, 1)
    assert client.payloads() == [b"other's"]


def test_no_local_holds_for_its_own_filter_only() -> None:
    """5.0: 3.8.3-3 3.3.4-2."""
    bench = Bench()
    client = bench.client("c")
    client.subscribe(("a/#", 2 | NO_LOCAL), ("a/b", 1))
    client.publish("a/b", b"x", 2, 1).publish("a/c", b"y", 2, 2)
    assert [(seen.payload, seen.qos) for seen in client.take() if seen.kind == "PUBLISH"] == [(b"x", 1)]


def test_no_local_is_about_the_client_identifier_and_survives_a_reconnection() -> None:
    """5.0: 3.8.3-3."""
    bench = Bench()
    client = bench.client("c", durable=True)
    client.subscribe(("a", NO_LOCAL))
    client.lose()
    client = bench.client("c", durable=True).publish("a", b"own")
    bench.client("C").publish("a", b"another's")
    assert client.payloads() == [b"another's"]


def test_no_local_on_a_shared_subscription_is_a_protocol_error() -> None:
    """5.0: 3.8.3-4."""
    assert Bench().client().send(mqtt.subscribe(5, ("$share/g/a", NO_LOCAL))).closed_with() == 0x82


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("options", [0, AS_PUBLISHED])
def test_retain_as_published_keeps_the_flag(options: int, retain: bool, qos: int) -> None:
    """5.0: 3.3.1-12 3.3.1-13."""
    bench = Bench()
    client, watcher = bench.client("c"), bench.client("watcher")
    client.subscribe(("a", 1 | options))
    watcher.subscribe(("a", 1))
    bench.client("writer").publish("a", b"x", qos, retain=retain)
    assert [seen.retain for seen in client.take()] == [retain and options == AS_PUBLISHED]
    assert [seen.retain for seen in watcher.take()] == [False]


@pytest.mark.parametrize(
    ("options", "first", "second"), [(0, [b"kept"], [b"kept"]), (IF_NEW, [b"kept"], []), (NEVER, [], [])]
)
def test_retain_handling(options: int, first: list[bytes], second: list[bytes]) -> None:
    """5.0: 3.3.1-9 3.3.1-10 3.3.1-11 3.8.4-4."""
    bench = Bench()
    bench.client("writer").publish("a/b", b"kept", 1, retain=True)
    client = bench.client("c", durable=True)
    for expected in (first, second):
        seen = client.subscribe(("a/+", 1 | options))
        assert seen[0].codes == (1,)
        assert [(one.payload, one.retain) for one in seen[1:]] == [(payload, True) for payload in expected]
        for one in seen[1:]:
            client.answer("PUBACK", one.packet_id)
    client.lose()
    seen = bench.client("c", durable=True).subscribe(("a/+", 1 | options))
    assert [one.payload for one in seen[1:]] == second, "a stored subscription exists already"


@pytest.mark.parametrize("options", [0x30, 0x33, 0x03, 0x40, 0x80])
def test_options_that_are_reserved_are_malformed(options: int) -> None:
    """5.0: 3.8.3-5."""
    assert Bench().client().send(mqtt.subscribe(5, ("a", options))).closed_with() in (0x81, 0x82)


def test_replacing_a_subscription_replaces_all_its_options_and_its_identifier() -> None:
    """5.0: 3.8.4-3."""
    bench = Bench()
    client = bench.client("c")
    client.subscribe(("a", 2 | NO_LOCAL | AS_PUBLISHED), properties={SUBSCRIPTION_ID: 7})
    client.subscribe(("a", 0), properties={SUBSCRIPTION_ID: 8})
    client.publish("a", b"x", 0, retain=True)
    [seen] = client.take()
    assert (seen.qos, seen.retain, seen.properties) == (0, False, {SUBSCRIPTION_ID: [8]})
    client.subscribe(("a", NEVER))
    client.publish("a", b"x")
    assert [one.properties for one in client.take()] == [{}]


# --- identifiers


@pytest.mark.parametrize("identifier", [1, 127, 128, 16_384, 268_435_455])
@pytest.mark.parametrize("qos", [0, 1])
def test_an_identifier_comes_with_every_message_of_its_subscription(identifier: int, qos: int) -> None:
    """5.0: 3.3.4-3."""
    bench = Bench()
    writer = bench.client("writer").publish("a", b"kept", qos, retain=True)
    client = bench.client("c")
    seen = client.subscribe(("a", qos), properties={SUBSCRIPTION_ID: identifier})[1:]
    writer.publish("a", b"x", qos)
    seen += client.take()
    assert [(one.payload, one.properties) for one in seen] == [
        (b"kept", {SUBSCRIPTION_ID: [identifier]}),
        (b"x", {SUBSCRIPTION_ID: [identifier]}),
    ]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_one_copy_has_the_identifiers_of_all_matching_subscriptions(qos: int) -> None:
    """5.0: 3.3.4-2 3.3.4-3 3.3.4-4."""
    bench = Bench()
    client = bench.client("c")
    for wanted, granted, identifier in (("a/#", 0, 10), ("a/+", 2, 300), ("+/b", 1, None), ("a/c", 2, 5)):
        values = {} if identifier is None else {SUBSCRIPTION_ID: identifier}
        client.subscribe((wanted, granted), properties=values)
    bench.client("writer").publish("a/b", b"x", qos)
    [seen] = client.take()
    assert (seen.qos, sorted(seen.properties[SUBSCRIPTION_ID])) == (qos, [10, 300])


def test_one_identifier_holds_for_all_filters_of_its_packet_and_outlives_the_connection() -> None:
    """5.0: 3.3.4-3 3.1.2-23 3.8.4-5."""
    bench = Bench()
    client = bench.client("c", durable=True)
    client.subscribe(("a", 1), ("b", 1), properties={SUBSCRIPTION_ID: 3})
    client.lose()
    bench.client("writer").publish("a", b"x", 1, 1).publish("b", b"y", 1, 2)
    client = bench.client("c", durable=True)
    assert [one.properties for one in client.early] == [{SUBSCRIPTION_ID: [3]}] * 2
    bench.client("writer").publish("b", b"z")
    assert [one.properties for one in client.take()] == [{SUBSCRIPTION_ID: [3]}]


def test_others_get_no_identifier() -> None:
    """5.0: 3.3.4-3."""
    bench = Bench()
    one, two, old = bench.client("one"), bench.client("two"), bench.client("old", 4)
    one.subscribe(("a", 1), properties={SUBSCRIPTION_ID: 3})
    two.subscribe(("a", 1))
    old.subscribe(("a", 1))
    bench.client("writer").publish("a", b"x", 1)
    assert [[seen.properties for seen in client.take()] for client in (one, two, old)] == [
        [{SUBSCRIPTION_ID: [3]}],
        [{}],
        [{}],
    ]


SUBSCRIBE_ERRORS = {
    "an identifier of 0": ({SUBSCRIPTION_ID: 0}, 0x82),
    "two identifiers": ({SUBSCRIPTION_ID: [1, 2]}, 0x82),
    "a message expiry": ({MESSAGE_EXPIRY: 1}, 0x81),
    "a content type": ({CONTENT_TYPE: "x"}, 0x81),
}


@pytest.mark.parametrize("error", SUBSCRIBE_ERRORS)
def test_a_subscribe_with_a_property_it_may_not_have_closes_the_connection(error: str) -> None:
    """5.0: 3.14.2-1."""
    values, _ = SUBSCRIBE_ERRORS[error]
    assert Bench().client().send(mqtt.subscribe(5, ("a", 0), properties=values)).closed_with() in (0x81, 0x82)


def test_an_identifier_in_unsubscribe_closes_the_connection() -> None:
    """5.0: 4.13.1-1."""
    body = b"\0\x01" + mqtt.encode_properties({SUBSCRIPTION_ID: 1}) + string("a")
    assert Bench().client().send(packet(0xA2, body)).closed_with() in (0x81, 0x82)


def test_user_properties_of_requests_are_accepted() -> None:
    """5.0: 3.8.4-1 3.10.4-4."""
    client = Bench().client()
    pairs = {USER: [("a", "b"), ("a", "b")]}
    assert client.subscribe(("a", 0), properties=pairs)[0].codes == (0,)
    body = b"\0\x02" + mqtt.encode_properties(pairs) + string("a")
    assert [one.codes for one in client.send(packet(0xA2, body)).take()] == [(0,)]


def test_permissions_are_checked_on_the_inner_filter_of_a_shared_one() -> None:
    """5.0: 3.8.4-7 3.9.3-2."""
    bench = Bench()
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada", subscribe=("own/#",))
    client = bench.client("c")
    assert client.subscribe(("$share/g/own/a", 1), ("$share/g/other", 1))[0].codes == (1, 0x87)
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada")
    bench.client("writer").publish("own/a", b"x").publish("other", b"y")
    assert [seen.topic for seen in messages(client.take())] == ["own/a"]
