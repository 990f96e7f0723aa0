"""The main path: credentials let a client in, the portal shows it, and a withdrawn credential cuts it off."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import paho.mqtt.client as paho
import pytest

from tests.support import clients
from tests.support.clients import Subscriber, connack, logged_in, publish
from tests.support.processes import wait_until
from tests.support.stack import HOST, Session, Stack

pytestmark = pytest.mark.stack

ACCEPTED, BAD_CREDENTIALS, NOT_AUTHORIZED = 0, 4, 5


@pytest.fixture
def turing(stack):
    """An integration of this test's own."""
    return stack.add()


@pytest.fixture(scope="module")
def lasting(stack):
    """An integration that no test changes."""
    return stack.add(username="lasting")


def online(stack: Stack, credentials: dict, expected: bool) -> None:
    name = credentials["username"]
    wait_until(lambda: stack.is_online(name) is expected, what=f"{name} online: {expected}")


def refusals(stack: Stack, username: str) -> list[dict]:
    return stack.activity(f"kind = 'login.refused' AND username = '{username}'")


def test_a_client_with_the_right_credentials_is_shown_online_until_ctrl_c(stack, turing):
    before = stack.shown(turing["username"])
    assert (before["online"], before["connections"], before["last_login"]) == (False, 0, None)
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        online(stack, turing, True)
        shown = stack.shown(turing["username"])
        assert (shown["online"], shown["connections"]) == (True, 1)
        assert shown["last_login"].endswith("+00:00")
        subscriber.interrupt()
        assert subscriber.ended() == 0
        online(stack, turing, False)
    after = stack.shown(turing["username"])
    assert (after["online"], after["connections"]) == (False, 0)
    assert after["last_login"] == shown["last_login"]


def test_a_client_that_is_killed_is_shown_offline(stack, turing):
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        online(stack, turing, True)
    online(stack, turing, False)


def test_what_one_client_publishes_another_receives(stack, lasting):
    other = stack.add()
    with Subscriber(stack.mqtt_port, other, "plant/#") as subscriber:
        subscriber.subscribed()
        for qos in "012":
            done = publish(stack.mqtt_port, lasting, f"plant/{qos}", f"value-{qos}", "-q", qos)
            assert done.returncode == 0, done
            subscriber.wait_for(f"plant/{qos} value-{qos}")


def test_paho_connects_publishes_and_receives(stack, lasting):
    got: list[tuple[str, bytes, int]] = []
    connected: list[object] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "paho", protocol=paho.MQTTv311)
    client.username_pw_set(lasting["username"], lasting["password"])
    client.on_connect = lambda c, *rest: (connected.append(rest), c.subscribe("paho/#", 2))
    client.on_subscribe = lambda c, *rest: c.publish("paho/self", b"hello", 2)
    client.on_message = lambda c, _, m: got.append((m.topic, m.payload, m.qos))
    client.connect(HOST, stack.mqtt_port)
    client.loop_start()
    try:
        wait_until(lambda: got == [("paho/self", b"hello", 2)], what="the message")
        online(stack, lasting, True)
    finally:
        client.disconnect()
        client.loop_stop()
    online(stack, lasting, False)


def test_two_clients_with_one_credential_are_two_connections(stack, turing):
    with logged_in(stack.mqtt_port, turing, "a"), logged_in(stack.mqtt_port, turing, "b") as second:
        wait_until(lambda: stack.shown(turing["username"])["connections"] == 2)
        second.close()
        wait_until(lambda: stack.shown(turing["username"])["connections"] == 1)


def test_a_taken_over_client_leaves_its_integration_online(stack, turing):
    with logged_in(stack.mqtt_port, turing, "same") as first:
        online(stack, turing, True)
        with logged_in(stack.mqtt_port, turing, "same"):
            assert clients.is_closed(first)
            time.sleep(0.3)  # what the first one's end may do, it has done
            assert stack.is_online(turing["username"])
            assert stack.shown(turing["username"])["connections"] == 1
    online(stack, turing, False)


def test_deactivate_cuts_a_client_off_and_activate_lets_it_in_again(stack, turing):
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        online(stack, turing, True)
        assert stack.json("integrations", "deactivate", turing["username"])["active"] is False
        # It is cut off, comes back by itself, is refused, and gives up.
        assert subscriber.ended() != 0
        assert "not authorised" in subscriber.text
        online(stack, turing, False)
    assert connack(stack.mqtt_port, turing["username"], turing["password"]) == NOT_AUTHORIZED
    (cut,) = stack.activity(f"kind = 'connection.cut' AND username = '{turing['username']}'")
    assert cut["detail"] == "integration deactivated"
    assert stack.json("integrations", "activate", turing["username"])["active"] is True
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        online(stack, turing, True)


def change_and_cut(stack: Stack, turing: dict, path: str, **form: str) -> None:
    """Make a change at the page while its client is connected, and hold it to cutting that."""
    session = Session(stack).log_in()
    with logged_in(stack.mqtt_port, turing, "cut") as client:
        answer = session.post(f"/integrations/{turing['id']}/{path}", **form)
        assert answer.status == 303, answer.text
        assert clients.is_closed(client)


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("deactivate", {}, NOT_AUTHORIZED),
        ("delete", {}, BAD_CREDENTIALS),
        ("edit/password", {"value": "another password"}, BAD_CREDENTIALS),
        ("edit/username", {"value": "renamed meanwhile"}, BAD_CREDENTIALS),
    ],
)
def test_a_change_at_the_page_cuts_the_client_and_keeps_it_out(stack, turing, path, form, code):
    change_and_cut(stack, turing, path, **form)
    assert connack(stack.mqtt_port, turing["username"], turing["password"]) == code


def test_a_change_of_the_note_leaves_the_client_connected(stack, turing):
    session = Session(stack).log_in()
    with logged_in(stack.mqtt_port, turing, "stays") as client:
        answer = session.post(f"/integrations/{turing['id']}/edit/note", value="on the roof")
        assert answer.status == 303
        assert not clients.is_closed(client, 0.5)


def test_only_the_clients_of_that_integration_are_cut(stack, turing):
    other = stack.add()
    with logged_in(stack.mqtt_port, other, "other") as bystander:
        change_and_cut(stack, turing, "deactivate")
        assert not clients.is_closed(bystander, 0.5)


def test_a_deleted_integrations_client_cannot_come_back(stack, turing):
    with Subscriber(stack.mqtt_port, turing) as subscriber:
        subscriber.subscribed()
        assert stack.json("integrations", "delete", turing["username"])["deleted"] is True
        assert subscriber.ended() != 0
    assert not [row for row in stack.json("integrations", "list") if row["username"] == turing["username"]]


def test_a_deleted_integrations_stored_messages_do_not_reach_its_namesake(stack):
    """A new integration of the same name is not the old one: its stored session is gone."""
    old = stack.add(username="namesake")
    durable = ("-c", "-i", "durable", "-q", "1")
    with Subscriber(stack.mqtt_port, old, "secret/#", *durable) as subscriber:
        subscriber.subscribed()
    wait_until(lambda: not stack.is_online("namesake"))
    stack.flask("integrations", "delete", "namesake")
    publisher = stack.add()
    new = stack.add(username="namesake")
    assert publish(stack.mqtt_port, publisher, "secret/1", "for-the-old", "-q", "1").returncode == 0
    with Subscriber(stack.mqtt_port, new, "other/#", *durable) as subscriber:
        subscriber.subscribed()
        time.sleep(0.3)
        assert "for-the-old" not in subscriber.text


@pytest.mark.parametrize(
    ("case", "code", "reason"),
    [
        ("wrong password", BAD_CREDENTIALS, "wrong password"),
        ("unknown", BAD_CREDENTIALS, "unknown username"),
        ("inactive", NOT_AUTHORIZED, "integration is inactive"),
        ("wrong type", NOT_AUTHORIZED, "integration is of another type"),
    ],
)
def test_a_refused_login_is_answered_and_recorded_without_the_password(stack, turing, case, code, reason):
    username, password = turing["username"], turing["password"]
    if case == "wrong password":
        password = "hunter2-not-it"
    elif case == "unknown":
        username, password = "nobody-of-that-name", "hunter2-not-it"
    elif case == "inactive":
        stack.flask("integrations", "deactivate", username)
    else:
        opcua = stack.add("opcua", username="a-plc")
        username, password = opcua["username"], opcua["password"]
    wait_until(lambda: connack(stack.mqtt_port, username, password) == code)
    (row,) = wait_until(lambda: refusals(stack, username), what="a row of activity")
    assert (row["detail"], row["address"], row["protocol"]) == (reason, "127.0.0.1", "mqtt")
    assert password not in str(row)
    assert password not in stack.log()
    wait_until(lambda: not stack.is_online(username))


def test_mosquitto_says_why_it_was_refused(stack, lasting):
    wrong = publish(stack.mqtt_port, {**lasting, "password": "wrong"}, "a", "b")
    assert wrong.returncode == BAD_CREDENTIALS
    assert "bad user name or password" in wrong.stderr.lower()
    anonymous = publish(stack.mqtt_port, {}, "a", "b")
    assert anonymous.returncode != 0


def test_paho_sees_the_code_of_a_refusal(stack, lasting):
    codes: list[object] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "paho-wrong", protocol=paho.MQTTv311)
    client.username_pw_set(lasting["username"], "wrong")
    client.on_connect = lambda c, _, flags, reason, properties: codes.append(reason)
    client.connect(HOST, stack.mqtt_port)
    client.loop_start()
    try:
        wait_until(lambda: codes, what="the CONNACK")
    finally:
        client.disconnect()
        client.loop_stop()
    assert codes[0].is_failure
    assert "user name or password" in str(codes[0]).lower()


def answers(stack: Stack, usernames: list[str]) -> set[int]:
    """Return the codes that wrong logins get, some of them at once: each has to wait for its answer."""
    with ThreadPoolExecutor(20) as pool:
        return set(pool.map(lambda username: connack(stack.mqtt_port, username, "guess"), usernames))


def test_a_client_that_hammers_is_refused_each_time_and_costs_one_row(stack, turing):
    start = time.monotonic()
    assert answers(stack, [turing["username"]] * 500) == {BAD_CREDENTIALS}
    took = time.monotonic() - start
    wait_until(
        lambda: sum(row["count"] for row in refusals(stack, turing["username"])) == 500,
        what="500 counted refusals",
    )
    assert len(refusals(stack, turing["username"])) <= 1 + took // 60


def test_ever_new_usernames_cost_a_bounded_number_of_rows(make_stack):
    stack = make_stack(GUESSES_PER_ADDRESS="off", GUESSES_PER_USERNAME="off").start()
    assert answers(stack, [f"guess-{number}" for number in range(500)]) == {BAD_CREDENTIALS}
    wait_until(
        lambda: sum(row["count"] for row in stack.activity("kind = 'login.refused'")) == 500,
        what="500 counted refusals",
    )
    assert len(stack.activity("kind = 'login.refused'")) <= 301
    stack.stop()
    stack.clean_log()


def test_a_username_of_control_characters_is_recorded_harmlessly(stack):
    assert connack(stack.mqtt_port, "\x1b[31mred", "x") in {BAD_CREDENTIALS, NOT_AUTHORIZED}
    rows = wait_until(lambda: stack.activity("username LIKE '%[31mred'"))
    assert rows[0]["username"].isprintable()
    assert "\x1b[31m" not in stack.log()


BAD_BYTES = {
    "garbage": b"\x00\x01\x02\x03 this is not MQTT at all",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "not CONNECT first": b"\xc0\x00",
    "remaining length of five bytes": b"\x10\xff\xff\xff\xff\x7f",
    "a CONNECT of 256 MB": b"\x10" + clients.remaining_length(268_435_455),
    "malformed CONNECT": b"\x10\x04\x00\x04MQ",
    "reserved bit": b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x3c\x00\x00",
}


@pytest.mark.parametrize("name", list(BAD_BYTES))
def test_bad_bytes_close_their_connection_and_disturb_nobody(stack, lasting, name):
    with Subscriber(stack.mqtt_port, lasting, "quiet/#") as bystander:
        bystander.subscribed()
        with clients.open_socket(stack.mqtt_port) as bad:
            bad.sendall(BAD_BYTES[name])
            assert clients.is_closed(bad), "the connection is closed"
        assert publish(stack.mqtt_port, lasting, "quiet/1", "still here").returncode == 0
        bystander.wait_for("quiet/1 still here")
        assert bystander.running
    assert "Traceback" not in stack.log()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("reserved type", b"\xf0\x00"),
        ("a wildcard in a topic name", b"\x30\x05\x00\x01#xx"),
        ("a null character in a topic", b"\x30\x05\x00\x01\x00xx"),
        ("an oversized PUBLISH", b"\x30" + clients.remaining_length(268_435_455) + bytes(100_000)),
        ("a second CONNECT", clients.connect_packet("again", "u", "p")),
        ("SUBSCRIBE without flags", b"\x80\x06\x00\x01\x00\x01a\x00"),
    ],
)
def test_bad_packets_after_login_close_their_connection_and_disturb_nobody(stack, lasting, name, data):
    other = stack.add()
    with (
        logged_in(stack.mqtt_port, other, "bystander") as bystander,
        logged_in(stack.mqtt_port, lasting, "bad") as bad,
    ):
        try:
            bad.sendall(data)
        except ConnectionError:
            pass  # closed before all was sent
        assert clients.is_closed(bad), name
        bystander.sendall(b"\xc0\x00")
        assert clients.receive(bystander, 2) == b"\xd0\x00"
    online(stack, lasting, False)
    assert "Traceback" not in stack.log()


def test_half_sent_packets_disturb_nobody_and_are_forgotten(stack, lasting):
    packet = clients.connect_packet("half", lasting["username"], lasting["password"])
    halves = [clients.open_socket(stack.mqtt_port) for _ in range(50)]
    try:
        for index, half in enumerate(halves):
            half.sendall(packet[: 1 + index % (len(packet) - 1)])
        with logged_in(stack.mqtt_port, lasting, "whole") as whole:
            whole.sendall(b"\xc0\x00")
            assert clients.receive(whole, 2) == b"\xd0\x00"
    finally:
        for half in halves:
            half.close()
    online(stack, lasting, False)
    assert "Traceback" not in stack.log()


def test_a_packet_that_arrives_byte_by_byte_is_understood(stack, lasting):
    packet = clients.connect_packet("slow", lasting["username"], lasting["password"])
    with clients.open_socket(stack.mqtt_port) as client:
        for index in range(len(packet)):
            client.sendall(packet[index : index + 1])
        assert clients.receive(client, 4) == b"\x20\x02\x00\x00"


def test_passwords_never_reach_the_log(stack, turing):
    connack(stack.mqtt_port, turing["username"], turing["password"])
    connack(stack.mqtt_port, turing["username"], "hunter2-in-no-log")
    time.sleep(0.2)
    log = stack.log()
    assert turing["password"] not in log
    assert "hunter2-in-no-log" not in log
