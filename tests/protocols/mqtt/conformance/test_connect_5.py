"""5.0: what CONNECT may ask for and CONNACK tells (3.1, 3.2), authentication (3.15, 4.12)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import Bench, kinds
from mqtt_client import (
    ALIAS,
    ALIAS_MAXIMUM,
    ASSIGNED_ID,
    AUTH_DATA,
    AUTH_METHOD,
    CONTENT_TYPE,
    MAXIMUM_PACKET,
    MAXIMUM_QOS,
    MESSAGE_EXPIRY,
    PAYLOAD_FORMAT,
    PROBLEM_INFORMATION,
    REASON_STRING,
    RECEIVE_MAXIMUM,
    RESPONSE_INFORMATION,
    RESPONSE_INFORMATION_WANTED,
    RESPONSE_TOPIC,
    RETAIN_AVAILABLE,
    SERVER_KEEP_ALIVE,
    SESSION_EXPIRY,
    SUBSCRIPTION_ID,
    USER,
    WILL_DELAY,
    Will,
)
from mqtt_wire import PINGREQ, packet

# --- the client identifier


def test_an_empty_identifier_gets_a_new_one_that_works() -> None:
    """5.0: 3.1.3-6 3.1.3-7 3.2.2-16."""
    bench = Bench()
    bench.client("known", durable=True).lose()
    given = []
    for _ in range(5):
        client = bench.client("", durable=True)
        given.append(client.connack.properties[ASSIGNED_ID])
        client.subscribe(("a", 1))
        client.lose()
    assert len({*given, "known", ""}) == 7
    assert bench.client(given[2], durable=True).connack.present
    assert ASSIGNED_ID not in bench.client("named").connack.properties


def test_an_empty_identifier_needs_no_clean_start() -> None:
    """5.0: 3.1.3-6 3.1.3-8 3.2.2-3."""
    client = Bench().client("", clean=False)
    assert not client.connack.present
    assert client.connack.properties[ASSIGNED_ID]


# --- keep alive


@pytest.mark.parametrize(("asked", "told", "used"), [(0, 60, 60), (600, 60, 60), (60, None, 60), (10, None, 10)])
def test_a_server_keep_alive_is_told_and_used(asked: int, told: int | None, used: int) -> None:
    """5.0: 3.1.2-21 3.1.2-22 3.2.2-21 3.2.2-22."""
    bench = Bench(max_keep_alive=60)
    client = bench.client(keep_alive=asked)
    assert client.connack.properties.get(SERVER_KEEP_ALIVE) == told
    bench.wait(used * 1.5)
    assert not client.closed
    bench.wait(0.2)
    assert client.closed


# --- what is told


def test_a_server_that_can_do_everything_restricts_nothing() -> None:
    """5.0: 3.2.2-9 3.2.2-10 3.2.2-12 3.2.2-13."""
    told = Bench().client().connack.properties
    assert told.get(MAXIMUM_QOS, 2) == 2
    assert told.get(RETAIN_AVAILABLE, 1) == 1
    assert [told.get(key, 1) for key in (mqtt.WILDCARDS, mqtt.SUBSCRIPTION_IDS, mqtt.SHARED)] == [1, 1, 1]


@pytest.mark.parametrize("wanted", [{}, {RESPONSE_INFORMATION_WANTED: 0}])
def test_response_information_is_told_only_when_it_is_asked_for(wanted: dict) -> None:
    """5.0: 3.1.2-28."""
    assert RESPONSE_INFORMATION not in Bench().client(properties=wanted).connack.properties


def test_response_information_is_a_topic_below_which_a_client_may_be_answered() -> None:
    """5.0: 3.1.2-28."""
    bench = Bench()
    client = bench.client("asks", properties={RESPONSE_INFORMATION_WANTED: 1})
    if (prefix := client.connack.properties.get(RESPONSE_INFORMATION)) is not None:  # a server need not tell any
        assert client.subscribe((f"{prefix}/#", 0))[0].codes == (0,)


# --- malformed properties

CONNECT_ERRORS = {
    "receive maximum of 0": ({RECEIVE_MAXIMUM: 0}, 0x82),
    "maximum packet size of 0": ({MAXIMUM_PACKET: 0}, 0x82),
    "session expiry twice": ({SESSION_EXPIRY: [1, 2]}, 0x82),
    "receive maximum twice": ({RECEIVE_MAXIMUM: [1, 1]}, 0x82),
    "maximum packet size twice": ({MAXIMUM_PACKET: [1, 1]}, 0x82),
    "topic alias maximum twice": ({ALIAS_MAXIMUM: [1, 1]}, 0x82),
    "problem information of 2": ({PROBLEM_INFORMATION: 2}, 0x82),
    "response information of 2": ({RESPONSE_INFORMATION_WANTED: 2}, 0x82),
    "problem information twice": ({PROBLEM_INFORMATION: [1, 1]}, 0x82),
    "authentication data without a method": ({AUTH_DATA: b"x"}, 0x82),
    "a topic alias": ({ALIAS: 1}, 0x81),
    "a reason string": ({REASON_STRING: "x"}, 0x81),
    "an assigned identifier": ({ASSIGNED_ID: "x"}, 0x81),
    "a server keep alive": ({SERVER_KEEP_ALIVE: 1}, 0x81),
    "a subscription identifier": ({SUBSCRIPTION_ID: 1}, 0x81),
    "a content type": ({CONTENT_TYPE: "x"}, 0x81),
    "a Will delay outside the Will": ({WILL_DELAY: 1}, 0x81),
}


@pytest.mark.parametrize("error", CONNECT_ERRORS)
def test_a_connect_with_a_property_it_may_not_have_is_refused(error: str) -> None:
    """5.0: 3.1.4-1 3.2.2-8 4.13.2-1."""
    values, _ = CONNECT_ERRORS[error]
    client = Bench().knock(mqtt.connect(properties=values))
    assert client.closed
    assert [(seen.kind, seen.reason) for seen in client.take()] in ([], [("CONNACK", 0x81)], [("CONNACK", 0x82)])


WILL_ERRORS = [
    {WILL_DELAY: [1, 2]},
    {PAYLOAD_FORMAT: 2},
    {PAYLOAD_FORMAT: [0, 0]},
    {MESSAGE_EXPIRY: [1, 1]},
    {RESPONSE_TOPIC: "a/#"},
    {RESPONSE_TOPIC: b"\xff"},
    {CONTENT_TYPE: b"\0"},
    {SESSION_EXPIRY: 1},
    {ALIAS: 1},
    {SUBSCRIPTION_ID: 1},
]


@pytest.mark.parametrize("values", WILL_ERRORS, ids=[str(values) for values in WILL_ERRORS])
def test_a_will_with_a_property_it_may_not_have_is_refused(values: dict) -> None:
    """5.0: 3.1.2-9 3.1.4-1 3.3.2-13 3.3.2-14 3.3.2-19."""
    client = Bench().knock(mqtt.connect(will=Will("w", properties=values)))
    assert client.closed
    assert [seen.reason for seen in client.take()] in ([], [0x81], [0x82], [0x90])


@pytest.mark.parametrize("unknown", [0x00, 0x04, 0x0A, 0x0F, 0x2B, 0x7F])
def test_an_unknown_property_is_malformed(unknown: int) -> None:
    """5.0: 3.1.4-1."""
    body = b"\0\x04MQTT\x05\x02\0\0" + b"\x02" + bytes((unknown, 0)) + b"\0\x01c"
    client = Bench().knock(packet(0x10, body))
    assert client.closed
    assert [seen.reason for seen in client.take()] in ([], [0x81])


def test_every_property_of_connect_is_accepted() -> None:
    """5.0: 3.1.4-5 3.1.3-1 3.1.2-9."""
    will = Will(
        "w",
        b"\xff",
        2,
        properties={
            WILL_DELAY: 5,
            PAYLOAD_FORMAT: 0,
            MESSAGE_EXPIRY: 60,
            CONTENT_TYPE: "t",
            RESPONSE_TOPIC: "r",
            mqtt.CORRELATION: b"\0\xff",
            USER: [("a", "b"), ("a", "b"), ("", "")],
        },
    )
    values = {
        SESSION_EXPIRY: 0xFFFFFFFF,
        RECEIVE_MAXIMUM: 65_535,
        MAXIMUM_PACKET: 0xFFFFFFFF,
        ALIAS_MAXIMUM: 65_535,
        RESPONSE_INFORMATION_WANTED: 0,
        PROBLEM_INFORMATION: 1,
        USER: [("k", "v"), ("k", "w")],
    }
    assert not Bench().client(will=will, properties=values).closed


# --- what a CONNACK may hold


@pytest.mark.parametrize("size", [5, 10, 20, 40])
def test_a_refusal_is_never_larger_than_the_client_takes(size: int) -> None:
    """5.0: 3.2.2-19 3.2.2-20 3.1.2-24."""
    bench = Bench()
    long = "a/" * 200
    refused = [
        mqtt.connect(password=b"wrong", properties={MAXIMUM_PACKET: size}),
        mqtt.connect(properties={MAXIMUM_PACKET: size, AUTH_METHOD: long}),
        mqtt.connect(will=Will("$SYS/" + long + "x"), properties={MAXIMUM_PACKET: size}),
    ]
    for wrong in refused:
        client = bench.knock(wrong)
        assert client.closed
        [seen] = client.take()
        assert (seen.kind, seen.reason >= 0x80, seen.size <= size) == ("CONNACK", True, True)


# --- enhanced authentication


@pytest.mark.parametrize("values", [{AUTH_METHOD: "SCRAM-SHA-1"}, {AUTH_METHOD: "x", AUTH_DATA: b"y"}])
def test_an_authentication_method_is_refused_and_nothing_behind_it_is_used(values: dict) -> None:
    """5.0: 4.12.0-1 4.12.0-4 3.1.4-6 3.1.2-30."""
    bench = Bench()
    watcher = bench.client("watcher")
    watcher.subscribe(("a", 0))
    client = bench.knock(mqtt.connect(properties=values), packet(0xF0, b""), mqtt.publish(5, "a"))
    assert [(seen.kind, seen.reason) for seen in client.take()] == [("CONNACK", 0x8C)]
    assert client.closed
    assert watcher.take() == []


def test_without_a_method_there_is_neither_auth_nor_a_method() -> None:
    """5.0: 4.12.0-6."""
    client = Bench().client()
    assert {AUTH_METHOD, AUTH_DATA} & set(client.connack.properties) == set()
    assert kinds(client.send(PINGREQ).take()) == ["PINGRESP"]


AUTHS = [b"", b"\x18\0", b"\x19\0", b"\x00\0", b"\x18" + mqtt.encode_properties({AUTH_METHOD: "x"})]


@pytest.mark.parametrize("body", AUTHS)
def test_auth_without_a_method_is_a_protocol_error(body: bytes) -> None:
    """5.0: 4.12.0-7 4.12.1-1 4.12.1-2 3.15.2-1."""
    assert Bench().client().send(packet(0xF0, body)).closed_with() == 0x82
    assert Bench().knock(packet(0xF0, body)).closed


@pytest.mark.parametrize("body", [b"\x17\0", b"\x18", b"\x18\x02\x15", b"\x18\0x", b"\x18\x02\x01\x00"])
def test_a_malformed_auth_closes_the_connection(body: bytes) -> None:
    """5.0: 3.15.2-1."""
    client = Bench().client().send(packet(0xF0, body))
    assert client.closed_with() in (0x81, 0x82)
