"""5.0: reason codes and strings, and what packets with them may hold (2.4, 3.4 to 3.7, 3.14, 4.13)."""

import mqtt_client as mqtt
import mqtt_wire as wire
import pytest
from mqtt_bench import Bench, Client, kinds
from mqtt_client import MAXIMUM_PACKET, PROBLEM_INFORMATION, REASON_STRING, SESSION_EXPIRY, USER
from mqtt_wire import packet

from protocols.contract import Grant
from protocols.mqtt.keeping import NoKeeper
from protocols.mqtt.limits import Limits

KINDS = {"PUBACK": 0x40, "PUBREC": 0x50, "PUBREL": 0x62, "PUBCOMP": 0x70}
RECEIVED = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
LISTED = {"PUBACK": RECEIVED, "PUBREC": RECEIVED, "PUBREL": [0x00, 0x92], "PUBCOMP": [0x00, 0x92]}
GOODBYES = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]

# --- what clients state


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_reason_is_accepted_and_no_other(kind: str) -> None:
    """5.0: 3.4.2-1 3.5.2-1 3.6.2-1 3.7.2-1."""
    bench = Bench()
    for reason in range(256):
        client = bench.client("c").send(packet(KINDS[kind], bytes((0, 9, reason))))
        assert client.closed is (reason not in LISTED[kind]), f"0x{reason:02x}"
        if client.closed:
            assert client.closed_with() in (0x81, 0x82)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reason_string_and_user_properties_are_accepted_and_nothing_else(kind: str) -> None:
    """5.0: 3.4.2-1 3.5.2-1 3.6.2-1 3.7.2-1."""
    bench = Bench()

    def send(values: dict) -> Client:
        return bench.client("c").send(packet(KINDS[kind], b"\0\x09\0" + mqtt.encode_properties(values)))

    assert not send({REASON_STRING: "é", USER: [("a", "b"), ("a", "b")]}).closed
    assert send({REASON_STRING: ["a", "b"]}).closed_with() in (0x81, 0x82)
    assert send({REASON_STRING: b"\xff"}).closed_with() == 0x81
    assert send({SESSION_EXPIRY: 1}).closed_with() in (0x81, 0x82)


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"\0\x09\0\x01", b"\0\x09\0\x00x", b"\0\x09\0\x02\x1f\0", b"\0\x09\0\x80"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_answer_closes_the_connection(kind: str, body: bytes) -> None:
    """5.0: 4.13.1-1 1.5.5-1."""
    assert Bench().client().send(packet(KINDS[kind], body)).closed_with() == 0x81


def test_every_listed_reason_of_disconnect_is_accepted_and_no_other() -> None:
    """5.0: 3.14.2-1 3.14.4-2 3.14.4-1."""
    bench = Bench()
    for reason in range(256):
        client = bench.client("c").send(packet(0xE0, bytes((reason,))))
        assert client.closed
        assert client.closed_with() in ((None,) if reason in GOODBYES else (0x81, 0x82)), f"0x{reason:02x}"


@pytest.mark.parametrize(
    "values", [{SESSION_EXPIRY: [1, 2]}, {REASON_STRING: ["a", "b"]}, {mqtt.CONTENT_TYPE: "x"}, {REASON_STRING: b"\0"}]
)
def test_a_disconnect_with_a_property_it_may_not_have_is_an_error(values: dict) -> None:
    """5.0: 3.14.1-1."""
    client = Bench().client("c", durable=True).send(mqtt.disconnect(0, values))
    assert client.closed_with() in (0x81, 0x82)


@pytest.mark.parametrize("flags", range(1, 16))
def test_a_disconnect_with_flags_is_malformed(flags: int) -> None:
    """5.0: 3.14.1-1."""
    assert Bench().client().send(bytes((0xE0 | flags, 0))).closed_with() == 0x81


# --- what the server answers


def test_a_message_nobody_gets_is_accepted() -> None:
    """5.0: 3.4.2-1 3.5.2-1."""
    client = Bench().client().publish("a", b"", 1, 1).publish("a", b"", 2, 2)
    assert [(seen.kind, seen.reason in (0x00, 0x10)) for seen in client.take()] == [("PUBACK", True), ("PUBREC", True)]


def test_after_a_pubrec_that_refuses_the_identifier_is_a_new_messages() -> None:
    """5.0: 4.3.3-9 3.5.2-1 3.7.2-1."""
    bench = Bench()
    bench.broker.authenticate.answers["ada"] = Grant(1, "ada", publish=("own",))
    reader, writer = bench.client("reader"), bench.client("writer")
    reader.subscribe(("#", 0))
    writer.publish("other", b"x", 2, 9).publish("own", b"y", 2, 9).publish("own", b"y", 2, 9, dup=True)
    assert [(seen.kind, seen.reason) for seen in writer.take()] == [("PUBREC", 0x87), ("PUBREC", 0), ("PUBREC", 0)]
    assert reader.payloads() == [b"y"]
    assert [(seen.kind, seen.reason) for seen in writer.answer("PUBREL", 9).take()] == [("PUBCOMP", 0)]


@pytest.mark.parametrize(("qos", "kind"), [(1, "PUBACK"), (2, "PUBREC")])
def test_a_message_that_a_client_refuses_is_never_sent_again(qos: int, kind: str) -> None:
    """5.0: 4.4.0-2 4.3.3-4."""
    bench = Bench()
    reader = bench.client("reader", durable=True)
    reader.subscribe(("a", 2))
    bench.client("writer").publish("a", b"x", qos)
    [first] = reader.take()
    assert reader.answer(kind, first.packet_id, 0x80).take() == []
    reader.lose()
    assert bench.client("reader", durable=True).early == []


class Full(NoKeeper):
    """A store without room."""

    accepting = False


def explaining(size: int, wanted: int) -> list[mqtt.Seen]:
    """Return everything that a client gets which makes mistakes, and takes packets of a size."""
    seen = []
    for mistake in (
        mqtt.publish(5, "a", b"x", 1, 1, retain=True),
        mqtt.publish(5, "a", b"x", 2, 1, retain=True),
        mqtt.subscribe(5, ("b", 1)),
        mqtt.unsubscribe(5, "b"),
        mqtt.answer("PUBREC", 5),
        mqtt.answer("PUBREL", 5),
        mqtt.publish(5, "a/#"),
        b"\x00\x00",
        packet(0xF0, b""),
    ):
        bench = Bench()
        bench.broker = wire.broker(Limits(), Full())
        client = bench.client("c", durable=True, properties={MAXIMUM_PACKET: size, PROBLEM_INFORMATION: wanted})
        seen += client.send(mistake).take()
    return seen


def test_no_reason_string_makes_a_packet_larger_than_the_client_takes() -> None:
    """5.0: 3.4.2-2 3.4.2-3 3.5.2-2 3.5.2-3 3.6.2-2 3.6.2-3 3.7.2-2 3.7.2-3 3.9.2-1 3.9.2-2.

    5.0: 3.11.2-1 3.11.2-2 3.14.2-3 3.14.2-4 3.1.2-24.
    """
    whole = explaining(1_000, 1)
    assert {one.kind for one in whole} == {*KINDS, "SUBACK", "UNSUBACK", "DISCONNECT"}
    assert [(one.kind, one.reason) for one in whole[:2]] == [("PUBACK", 0x97), ("PUBREC", 0x97)]
    assert [one for one in whole if REASON_STRING in one.properties], "some reasons are told"
    for size in (25, 30, 40):
        seen = explaining(size, 1)
        assert [(one.kind, one.reason) for one in seen] == [(one.kind, one.reason) for one in whole]
        assert max(one.size for one in seen) <= size


def test_who_does_not_want_problem_information_gets_none() -> None:
    """5.0: 3.1.2-29."""
    seen = explaining(1_000, 0)
    assert len(seen) > 6
    assert [one for one in seen if one.kind != "DISCONNECT" and {REASON_STRING, USER} & set(one.properties)] == []


# --- how the server ends a connection


@pytest.mark.parametrize("reason", [0x8E, 0x87])
def test_a_disconnect_is_the_last_packet_and_closes(reason: int) -> None:
    """5.0: 3.14.2-1 3.14.4-1 3.14.4-2 4.13.2-1."""
    bench = Bench()
    client = bench.client("c")
    client.subscribe(("a", 1))
    writer = bench.client("writer", username="bob")
    if reason == 0x8E:
        bench.client("c").subscribe(("other", 0))
    else:
        bench.broker.sessions.disconnect([1], "deactivated", forget=False)
    writer.publish("a", b"late", 1)
    seen = client.send(wire.PINGREQ).take()
    assert [(one.kind, one.reason) for one in seen] == [("DISCONNECT", reason)]
    assert client.closed


def test_nothing_behind_a_broken_packet_is_used() -> None:
    """5.0: 4.13.1-1 3.14.4-1."""
    bench = Bench()
    watcher = bench.client("watcher")
    watcher.subscribe(("a", 0))
    client = bench.client("c").send(b"\x00\x00", mqtt.publish(5, "a", b"x"), wire.PINGREQ)
    assert kinds(client.take()) == ["DISCONNECT"]
    assert watcher.take() == []


def test_a_client_of_3_1_1_gets_no_disconnect() -> None:
    """3.1.1: 4.8.0-1."""
    bench = Bench()
    client = bench.client("c", 4)
    bench.broker.sessions.disconnect([1], "deactivated", forget=False)
    assert (client.closed, client.take()) == (True, [])
