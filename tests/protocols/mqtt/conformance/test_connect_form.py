"""The form of CONNECT and CONNACK in both versions (3.1.2, 3.1.3, 3.2), and who is let in (3.1.4)."""

import mqtt_client as mqtt
import pytest
from mqtt_bench import BOTH, Bench, kinds, refusal
from mqtt_client import Will
from mqtt_wire import PINGREQ, packet, string

LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def body(level: int, flags: int, payload: bytes, name: str = "MQTT") -> bytes:
    none = b"\0" if level == 5 else b""
    return packet(0x10, string(name) + bytes((level, flags)) + b"\0\0" + none + payload)


@BOTH
def test_an_accepted_connect_is_answered_by_connack_first_and_once(level: int) -> None:
    """3.1.1: 3.1.4-4 3.2.0-1 3.2.2-1. 5.0: 3.1.4-5 3.2.0-1 3.2.0-2 3.2.2-1 3.2.2-2."""
    client = Bench().knock(mqtt.connect("c", level), PINGREQ, mqtt.subscribe(level, ("a", 0)), level=level)
    seen = client.take()
    assert kinds(seen) == ["CONNACK", "PINGRESP", "SUBACK"]
    assert (seen[0].reason, seen[0].present) == (0, False)
    assert kinds(client.send(PINGREQ).take()) == ["PINGRESP"]


@BOTH
@pytest.mark.parametrize("first", [PINGREQ, b"\xe0\x00", b"\xf0\x00", b"\x20\x02\0\0", b"\x30\x03\0\x01a"])
def test_nothing_is_done_before_connect(level: int, first: bytes) -> None:
    """3.1.1: 3.1.0-1. 5.0: 3.1.0-1 3.14.0-1."""
    client = Bench().knock(first, mqtt.connect("c", level), level=level)
    assert client.closed
    assert client.take() == []


@BOTH
def test_a_second_connect_closes_the_connection(level: int) -> None:
    """3.1.1: 3.1.0-2 4.8.0-1. 5.0: 3.1.0-2 4.13.1-1."""
    client = Bench().client("c", level).send(mqtt.connect("c", level), PINGREQ)
    assert client.closed
    assert client.closed_with() == refusal(level, 0x82)


@BOTH
@pytest.mark.parametrize("name", ["MQTTX", "mqtt", "", "HTTP/1.1", "MQT"])
def test_another_protocol_name_is_not_served(level: int, name: str) -> None:
    """3.1.1: 3.1.2-1. 5.0: 3.1.2-1."""
    client = Bench().knock(body(level, 2, string("c"), name), level=level)
    assert client.closed
    assert [seen.reason for seen in client.take()] in ([], [0x84] if level == 5 else [])


@pytest.mark.parametrize("level", [0, 1, 2, 6, 7, 127, 131, 255])
def test_an_unknown_protocol_level_is_answered_and_closed(level: int) -> None:
    """3.1.1: 3.1.2-2. 5.0: 3.1.2-2."""
    client = Bench().knock(packet(0x10, string("MQTT") + bytes((level, 2)) + b"\0\0" + string("c")))
    assert client.closed
    [(head, answer)] = client.peer.received()
    assert head == 0x20
    assert answer[:2] in (b"\0\x01", b"\0\x84")


FORMS = {
    "reserved flag": (0x03, string("c")),
    "Will QoS without a Will": (0x0A, string("c")),
    "Will retain without a Will": (0x22, string("c")),
    "Will QoS 3": (0x1E, string("c") + string("w") + string("m")),
    "no client identifier": (0x02, b""),
    "a cut client identifier": (0x02, b"\0\x05abc"),
    "Will fields without their flag": (0x02, string("c") + string("w") + string("m")),
    "no Will topic": (0x06, string("c")),
    "no Will message": (0x06, string("c") + string("w")),
    "a username without its flag": (0x02, string("c") + string("ada")),
    "no username": (0x82, string("c")),
    "a password without its flag": (0x82, string("c") + string("ada") + string("right")),
    "no password": (0xC2, string("c") + string("ada")),
    "bytes behind the password": (0xC2, string("c") + string("ada") + string("right") + b"x"),
}


@BOTH
@pytest.mark.parametrize("form", FORMS)
def test_a_connect_of_a_wrong_form_is_closed(level: int, form: str) -> None:
    """3.1.1: 3.1.2-3 3.1.2-9 3.1.2-11 3.1.2-13 3.1.2-14 3.1.2-15 3.1.2-18 3.1.2-19 3.1.2-20 3.1.2-21.

    3.1.1: 3.1.3-3 3.1.4-1 3.2.2-6.

    5.0: 3.1.2-3 3.1.2-9 3.1.2-11 3.1.2-12 3.1.2-13 3.1.2-16 3.1.2-17 3.1.2-18 3.1.2-19 3.1.3-3 3.1.4-1 3.14.0-1.
    """
    flags, payload = FORMS[form]
    if level == 5 and flags & 4 and payload.count(b"w"):  # Will properties
        payload = payload.replace(string("w"), b"\0" + string("w"))
    client = Bench().knock(body(level, flags, payload), level=level)
    assert client.closed
    assert client.bench.broker.presence.events == []
    seen = client.take()
    if level == 4:
        assert seen == []
    else:
        assert [(one.kind, one.reason) for one in seen] in ([], [("CONNACK", 0x81)], [("CONNACK", 0x82)])


def test_a_password_without_a_username_is_malformed_in_3_1_1_only() -> None:
    """3.1.1: 3.1.2-22."""
    client = Bench().knock(body(4, 0x42, string("c") + string("right")), level=4)
    assert client.closed
    assert client.take() == []
    client = Bench().knock(body(5, 0x42, string("c") + string("right")))
    assert [(seen.kind, seen.reason) for seen in client.take()] == [("CONNACK", 0x86)]


@BOTH
def test_the_fields_of_the_payload_are_read_in_their_order(level: int) -> None:
    """3.1.1: 3.1.2-19 3.1.2-21 3.1.3-1 3.1.3-3. 5.0: 3.1.2-9 3.1.2-17 3.1.2-19 3.1.3-1 3.1.3-3."""
    bench = Bench()
    watcher = bench.client("watcher", level)
    watcher.subscribe(("will/topic", 0))
    client = bench.client("the-id", level, will=Will("will/topic", b"will message"))
    [login] = [login for login in bench.broker.authenticate.logins if login.client_id == "the-id"]
    assert (login.username, login.password) == ("ada", b"right")
    client.lose()
    assert [(seen.topic, seen.payload) for seen in watcher.take()] == [("will/topic", b"will message")]


@BOTH
@pytest.mark.parametrize("client_id", ["a", "Z", "0", LETTERS[:23], LETTERS[23:46], LETTERS[46:], "x" * 500, "ä/:@ 日"])
def test_client_identifiers_of_any_length_are_accepted(level: int, client_id: str) -> None:
    """3.1.1: 3.1.3-5. 5.0: 3.1.3-5."""
    bench = Bench()
    bench.client(client_id, level, durable=True).lose()
    assert bench.client(client_id, level, durable=True).connack.present


def test_an_empty_identifier_gets_a_session_of_its_own() -> None:
    """3.1.1: 3.1.3-6 3.1.3-7."""
    bench = Bench()
    first, second = bench.client("", 4), bench.client("", 4)
    assert not first.closed
    first.subscribe(("a", 0))
    second.publish("a", b"x")
    assert (first.payloads(), second.take()) == ([b"x"], [])


def test_an_empty_identifier_with_a_stored_session_is_rejected() -> None:
    """3.1.1: 3.1.3-7 3.1.3-8 3.1.3-9 3.2.2-4 3.2.2-5."""
    client = Bench().knock(mqtt.connect("", 4, clean=False), level=4)
    assert client.peer.received() == [(0x20, b"\0\x02")]
    assert client.closed


REFUSALS = [("eve", b"right", 4, 0x86), ("ada", b"wrong", 4, 0x86), (None, None, 4, 0x86), ("idle", b"right", 5, 0x87)]


@BOTH
@pytest.mark.parametrize(("username", "password", "code", "reason"), REFUSALS)
def test_a_refused_login_is_answered_and_closed_and_nothing_behind_it_is_used(
    level: int, username: str | None, password: bytes | None, code: int, reason: int
) -> None:
    """3.1.1: 3.1.4-5 3.2.2-4 3.2.2-5. 5.0: 3.1.4-2 3.1.4-6 3.2.2-6 3.2.2-7 3.2.2-8 3.14.0-1 4.13.2-1."""
    bench = Bench()
    bench.client("c", level, durable=True).lose()
    watcher = bench.client("watcher", level)
    watcher.subscribe(("a", 0))
    connect = mqtt.connect("c", level, clean=False, username=username, password=password)
    client = bench.knock(connect, mqtt.publish(level, "a", b"x"), mqtt.subscribe(level, ("b", 0)), level=level)
    [seen] = client.take()
    assert (seen.kind, seen.reason, seen.present) == ("CONNACK", code if level == 4 else reason, False)
    assert client.closed
    assert watcher.take() == []


@BOTH
def test_a_silent_client_is_closed_after_one_and_a_half_keep_alives(level: int) -> None:
    """3.1.1: 3.1.2-24. 5.0: 3.1.2-22 3.2.2-22."""
    bench = Bench()
    watcher = bench.client("watcher", level)
    watcher.subscribe(("will", 0))
    client = bench.client("c", level, keep_alive=10, will=Will("will"))
    bench.wait(14.9)
    client.send(PINGREQ)
    assert kinds(client.take()) == ["PINGRESP"]
    bench.wait(15)
    assert not client.closed
    bench.wait(0.1)
    assert client.closed_with() in ((None, 0x8D) if level == 5 else (None,))
    assert watcher.payloads() == [b"gone"]


@BOTH
def test_any_packet_is_a_sign_of_life_and_no_keep_alive_allows_any_silence(level: int) -> None:
    """3.1.1: 3.1.2-24. 5.0: 3.1.2-22."""
    bench = Bench()
    patient, busy = bench.client("patient", level), bench.client("busy", level, keep_alive=1)
    for number in range(1, 20):
        bench.wait(1.4)
        busy.publish("a", b"", number % 3, number)
    bench.wait(1.5)
    assert (patient.closed, busy.closed) == (False, False)
    bench.wait(100_000)
    assert (patient.closed, busy.closed) == (False, True)


@BOTH
def test_pingreq_is_answered(level: int) -> None:
    """3.1.1: 3.12.4-1. 5.0: 3.12.4-1."""
    client = Bench().client("c", level).send(PINGREQ, PINGREQ)
    assert client.peer.received() == [(0xD0, b""), (0xD0, b"")]


@BOTH
@pytest.mark.parametrize("at", range(1, 60, 7))
def test_a_packet_cut_anywhere_is_waited_for(level: int, at: int) -> None:
    """3.1.1: 7.1.1-1. 5.0: 4.2.0-1."""
    data = mqtt.connect("c", level, will=Will("w")) + mqtt.subscribe(level, ("abc/def", 1)) + PINGREQ
    client = Bench().knock(data[:at], level=level)
    assert kinds(client.send(data[at:]).take()) == ["CONNACK", "SUBACK", "PINGRESP"]
