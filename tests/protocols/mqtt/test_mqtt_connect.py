"""CONNECT: who gets in, and what is touched before and after."""

import mqtt_wire as wire
import pytest

from protocols.contract import Given, Grant
from protocols.mqtt.properties import MAXIMUM_PACKET_SIZE, REQUEST_PROBLEM_INFORMATION
from protocols.mqtt.sessions import TAKEN_OVER

WILL = ("will/c", b"gone", 1, False)


def test_the_first_answer_is_a_connack_without_a_session() -> None:  # [MQTT-3.2.0-1]
    broker = wire.broker()
    peer = wire.Peer(broker).send(wire.connect())
    assert peer.received() == [wire.connack()]
    assert broker.presence.events == [("connected", "1", "ada", "c")]
    [login] = broker.authenticate.logins
    assert (login.protocol, login.username, login.password) == ("mqtt", "ada", b"right")
    assert (login.client_id, login.address, login.will_topic) == ("c", "192.0.2.7", "")


def test_a_login_says_where_the_client_has_its_will() -> None:  # by which VRPC clients are known
    broker = wire.broker()
    wire.Peer(broker).send(wire.connect(will=WILL))
    [login] = broker.authenticate.logins
    assert login.will_topic == "will/c"


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (wire.connect(username=None, password=None), 4),
        (wire.connect(username="eve"), 4),
        (wire.connect(password=b"wrong"), 4),
        (wire.connect(password=None), 4),
        (wire.connect(username="idle"), 5),
        (wire.connect(username="plc"), 5),
        (wire.connect(will=("$SYS/x", b"", 0, False)), 5),
        (wire.connect("", clean=False), 2),  # [MQTT-3.1.3-8]
        (wire.connect(level=3), 1),  # [MQTT-3.1.2-2]
        (wire.connect(level=6), 1),
        (wire.connect(level=0x84), 1),
    ],
)
def test_a_refused_connect_gets_its_code_and_is_closed(packet: bytes, code: int) -> None:
    broker = wire.broker()
    peer = wire.Peer(broker).send(packet, wire.subscribe(("#", 0)))  # [MQTT-3.1.4-5]
    assert peer.closed and peer.gently
    assert wire.split(peer.connection.outbox.take())[0] == [wire.connack(code)]
    assert broker.presence.events == []
    assert broker.subscriptions.route("a").is_empty


@pytest.mark.parametrize(
    ("invites", "user", "stated", "is_told"),
    [
        (True, {"username": None, "password": None}, {}, True),
        (True, {"username": None, "password": None}, {REQUEST_PROBLEM_INFORMATION: 0}, False),
        (True, {"username": "eve"}, {}, False),
        (False, {"username": None, "password": None}, {}, False),
    ],
)
def test_who_has_no_credentials_is_told_to_make_some_up_while_that_is_of_use(
    invites: bool, user: dict, stated: dict, is_told: bool
) -> None:
    broker = wire.broker()
    broker.invites = lambda: invites
    peer = wire.Peer(broker).send(wire.connect(level=5, stated=stated, **user))
    [(head, body)] = peer.received()
    assert (head, body[1]) == (0x20, 0x86)
    assert (b"a username and a password of your own making" in body) is is_told
    assert wire.Peer(broker).send(wire.connect(**user)).received() == [wire.connack(4)], "3.1.1 has no words"


TOLD = [
    wire.string(name) + wire.string(value) for name, value in (("username", "vast_turing_402"), ("password", "made-up"))
]


@pytest.mark.parametrize("user", [{"username": None, "password": None}, {"username": None}, {"username": ""}])
def test_a_client_of_5_without_a_username_is_told_which_to_come_with(user: dict) -> None:
    broker = wire.broker()
    asked = []
    broker.give = lambda login: asked.append(login) or Given("vast_turing_402", "made-up")
    peer = wire.Peer(broker).send(wire.connect(level=5, **user))
    [(head, body)] = peer.received()
    assert (head, body[1]) == (0x20, 0x87) and peer.closed
    assert all(b"\x26" + pair in body for pair in TOLD) and b"an operator is asked" in body
    assert [login.client_id for login in asked] == ["c"] and broker.authenticate.logins == []
    assert "made-up" not in str(peer.error), "which may be in a log"


@pytest.mark.parametrize(
    "stated", [{"level": 4}, {"stated": {REQUEST_PROBLEM_INFORMATION: 0}}, {"stated": {MAXIMUM_PACKET_SIZE: 511}}]
)
def test_who_cannot_be_told_credentials_is_given_none(stated: dict) -> None:
    broker = wire.broker()
    broker.give = lambda login: pytest.fail("made up for nobody")
    assert wire.Peer(broker).send(wire.connect(username=None, password=None, **{"level": 5, **stated})).closed


def test_a_wrong_password_touches_neither_the_session_nor_its_connection() -> None:
    broker = wire.broker()
    first = wire.joined(broker, clean=False, will=WILL)
    first.send(wire.subscribe(("a", 1)), wire.subscribe(("will/#", 1))).received()
    wire.Peer(broker).send(wire.connect(password=b"wrong", clean=True))
    assert not first.closed
    wire.joined(broker, "other").send(wire.publish("a", b"1", 1))
    assert [wire.message(found)[:2] for found in first.received()] == [("a", b"1")]


def test_a_will_outside_the_permissions_is_refused_after_the_login() -> None:
    broker = wire.broker()
    broker.authenticate.answers["ada"] = Grant(1, "ada", publish=("plant/#",))
    first = wire.joined(broker)
    peer = wire.Peer(broker).send(wire.connect(will=WILL))
    assert wire.split(peer.connection.outbox.take())[0] == [wire.connack(5)]
    assert not first.closed


@pytest.mark.parametrize("first", [wire.PINGREQ, wire.publish("a"), wire.DISCONNECT])
def test_anything_before_connect_is_a_violation(first: bytes) -> None:  # [MQTT-3.1.0-1]
    peer = wire.Peer(wire.broker()).send(first[:1])
    assert peer.closed and "instead of CONNECT" in str(peer.error)


def test_a_second_connect_is_a_violation() -> None:  # [MQTT-3.1.0-2]
    broker = wire.broker()
    peer = wire.joined(broker).send(wire.connect())
    assert peer.closed
    assert broker.presence.events[-1] == (
        "disconnected",
        "1",
        "protocol error: a second CONNECT",
    )


def test_a_client_may_send_on_before_its_connack() -> None:
    peer = wire.Peer(wire.broker()).send(wire.connect(), wire.subscribe(("a", 0)), wire.PINGREQ)
    assert [head for head, _ in peer.received()] == [0x20, 0x90, 0xD0]


def test_take_over_closes_the_old_connection_after_its_will() -> None:  # [MQTT-3.1.4-2]
    broker = wire.broker()
    old = wire.joined(broker, will=WILL)
    watcher = wire.joined(broker, "watcher").send(wire.subscribe(("#", 1)))
    watcher.received()
    wire.Peer(broker).send(wire.connect(), wire.publish("will/c", b"back", 1))
    assert old.closed and not old.gently
    payloads = [wire.message(found)[1] for found in watcher.received()]
    assert payloads == [b"gone", b"back"]
    assert broker.presence.events[2:] == [
        ("disconnected", "1", TAKEN_OVER),
        ("connected", "3", "ada", "c"),
    ]


def test_the_same_client_identifier_of_another_integration_is_another_session() -> None:
    broker = wire.broker()
    ada = wire.joined(broker, clean=False).send(wire.subscribe(("a", 1)))
    ada.received()
    bob = wire.Peer(broker).send(wire.connect(username="bob", clean=False))
    assert bob.received() == [wire.connack(present=False)]
    assert not ada.closed
    bob.send(wire.publish("a", b"x", 1))
    assert [wire.message(found)[0] for found in ada.received()] == ["a"]


def test_a_stored_session_is_present_and_goes_on() -> None:  # [MQTT-3.1.2-4] [MQTT-3.2.2-2]
    broker = wire.broker()
    wire.joined(broker, clean=False).send(wire.subscribe(("a/#", 1)), wire.DISCONNECT)
    wire.joined(broker, "other").send(wire.publish("a/b", b"waited", 1), wire.publish("a/b", b"0"))
    found = wire.Peer(broker).send(wire.connect(clean=False)).received()
    assert found[0] == wire.connack(present=True)
    assert [wire.message(one)[1:3] for one in found[1:]] == [(b"waited", 1)]


def test_a_clean_session_drops_the_stored_one() -> None:  # [MQTT-3.1.2-6] [MQTT-3.2.2-1]
    broker = wire.broker()
    wire.joined(broker, clean=False).send(wire.subscribe(("a", 1)), wire.DISCONNECT)
    assert wire.Peer(broker).send(wire.connect()).received() == [wire.connack(present=False)]
    assert broker.subscriptions.route("a").is_empty


def test_a_clean_session_leaves_nothing_behind() -> None:
    broker = wire.broker()
    wire.joined(broker).send(wire.subscribe(("a", 1)), wire.DISCONNECT)
    found = wire.Peer(broker).send(wire.connect(clean=False)).received()
    assert found == [wire.connack(present=False)]
    assert broker.subscriptions.route("a").is_empty


def test_clients_without_an_identifier_do_not_take_each_other_over() -> None:  # [MQTT-3.1.3-6]
    broker = wire.broker()
    first, second = wire.joined(broker, ""), wire.joined(broker, "")
    assert not first.closed and not second.closed
    assert broker.presence.events[0] == ("connected", "1", "ada", "")
