"""Agents and clients of VRPC at the broker: who is let in, what is dropped, what a change does to open connections."""

from __future__ import annotations

import json

import mqtt_wire as wire
import pytest

from protocols.contract import Grant, Refusal, Refused
from protocols.hub.runs import Source
from protocols.mqtt.broker import Broker
from protocols.mqtt.packets import Message
from protocols.vrpc.names import identity

D = "acme.default"
AGENT, CLIENT = f"{D}/press/__agentInfo__", f"{D}/raspi/ab12cd34/__clientInfo__"
REPLIES = f"{D}/raspi/ab12cd34"
MOVE = f"{D}/press/Press/line1/move"


def broker(**roles: str) -> Broker:
    made = wire.broker()
    for number, (name, role) in enumerate(roles.items(), 10):
        made.authenticate.answers[name] = Grant(number, name, (), (), D, role)
    return made


def will(topic: str) -> tuple[str, bytes, int, bool]:
    return topic, b'{"status":"offline"}', 0, True


def agent(at: Broker, username: str = "press", topic: str = AGENT, client_id: str = "va3") -> wire.Peer:
    return wire.joined(at, client_id, username, will=will(topic))


def client(at: Broker, username: str = "caller", topic: str = CLIENT, **more: object) -> wire.Peer:
    return wire.joined(at, "vc3", username, will=will(topic), **more)


def refused(at: Broker, username: str, topic: str, client_id: str = "x", *, level: int = 4) -> wire.Received:
    peer = wire.Peer(at).send(wire.connect(client_id, username, will=will(topic), level=level))
    (answer,) = peer.received()
    return answer


def request(reply_to: str = REPLIES) -> bytes:
    return json.dumps({"a": [1], "i": "x-1", "s": reply_to, "v": 3}).encode()


def seen(peer: wire.Peer) -> list[str]:
    return [wire.message(found)[0] for found in peer.received() if found[0] >> 4 == 3]


def test_calls_are_no_values_and_events_are() -> None:
    at = broker(press="agent", caller="client")
    press = agent(at).send(wire.subscribe((f"{D}/press/Press/line1/+", 0)))
    event, below = f"{D}/press/Press/line1:moved-1", f"{REPLIES}/0f3a"
    caller = client(at).send(wire.subscribe((f"{REPLIES}/#", 0), (event, 0)))
    for _ in range(2):  # the first go the long way
        press.received(), caller.received()
        caller.send(wire.publish(MOVE, request()))
        for topic in (REPLIES, below, event):
            caller.received()
            press.send(wire.publish(topic, b"{}"))
    assert at.hub.waiting < 200, "calls do not wait to be looked at"
    assert [at.hub.get(topic) is not None for topic in (MOVE, REPLIES, below, event)] == [False, False, False, True]


def test_topics_like_those_of_calls_have_values_where_nobody_is_called() -> None:
    at = broker(press="agent", caller="client")
    agent(at).send(wire.subscribe((f"{D}/press/Press/line1/+", 0)))
    other = wire.joined(at, "m", "ada")
    topics = [f"{D}/saw/Saw/line1/move", f"{D}/raspi/other", "hall/press/Press/line1/move"]
    for topic in topics:
        other.send(wire.publish(topic, b"1"))
    assert all(at.hub.get(topic) is not None for topic in topics)


def test_a_call_goes_to_the_agent_and_its_reply_to_the_client() -> None:
    at = broker(press="agent", caller="client")
    press = agent(at).send(wire.subscribe((f"{D}/press/Press/line1/+", 0)))
    caller = client(at).send(wire.subscribe((f"{D}/+/__agentInfo__", 0), (REPLIES, 0)))
    press.send(wire.publish(AGENT, b'{"status":"online"}', retain=True))
    press.received(), caller.received()
    caller.send(wire.publish(MOVE, request()))
    assert seen(press) == [MOVE]
    press.send(wire.publish(REPLIES, b'{"r":1}'))
    assert seen(caller) == [REPLIES]


@pytest.mark.parametrize(
    ("username", "topic", "reason"),
    [
        ("press", CLIENT, Refusal.OTHER_ROLE),
        ("caller", AGENT, Refusal.OTHER_ROLE),
        ("press", "acme.other/press/__agentInfo__", Refusal.OTHER_DOMAIN),
        ("press", "status", Refusal.NO_AGENT_OR_CLIENT),
    ],
)
def test_a_will_that_its_integration_does_not_allow_is_refused_and_recorded(username, topic, reason) -> None:
    at = broker(press="agent", caller="client")
    assert refused(at, username, topic) == wire.connack(5)
    assert at.presence.events == [("refused", reason.value, "10" if username == "press" else "11")]
    head, body = refused(at, username, topic, level=5)
    assert (head, body[1]) == (0x20, 0x87) and reason.value.encode() in body


def test_what_is_not_permitted_is_dropped_counted_and_closes_nothing() -> None:
    at = broker(press="agent", saw="agent")
    watcher = wire.joined(at, "w", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    press = agent(at)
    for qos in (0, 1, 2):
        press.send(wire.publish(f"{D}/saw/__agentInfo__", b'{"status":"offline"}', qos, qos + 1, retain=True))
    answers = [head for head, _ in press.received()]
    assert answers == [0x40, 0x50] and not press.closed, "3.1.1 has no other answer than the usual one"
    assert seen(watcher) == []
    assert at.retained.get(f"{D}/saw/__agentInfo__") is None
    assert press.connection.client.session.denied == 3


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("stated", [None, {0x26: [("a", "b")]}], ids=["plain", "with properties"])
def test_a_request_that_wants_its_reply_sent_to_somebody_else_is_dropped(level: int, stated) -> None:
    at = broker(press="agent", caller="client")
    press = agent(at).send(wire.subscribe((f"{D}/press/+/+/+", 0)))
    press.received()
    caller = client(at, level=level)
    other = f"{D}/raspi/zz99zz99"
    one, two = (wire.publish(MOVE, request(to), level=level, stated=stated) for to in (other, REPLIES))
    caller.send(one + two + one + two + two)
    assert [wire.message(found)[1][-len(request()) :] for found in press.received()] == [request()] * 3
    assert caller.connection.client.session.denied == 2
    assert not caller.closed


@pytest.mark.parametrize(("level", "stated"), [(4, None), (5, None), (5, {0x26: [("a", "b")]})])
def test_nothing_is_retained_but_what_somebody_tells_of_themselves(level: int, stated) -> None:
    at = broker(press="agent", caller="client")
    press = wire.joined(at, "va3", "press", will=will(AGENT), level=level)
    caller = client(at, level=level)
    more = {"level": level, "stated": stated, "retain": True}
    press.send(wire.publish(AGENT, b"{}", **more), wire.publish(f"{D}/press/Press/__classInfo__", b"{}", **more))
    press.send(wire.publish(REPLIES, b"{}", **more))
    caller.send(wire.publish(MOVE, request(), **more), wire.publish(CLIENT, b"{}", **more))
    kept = [
        topic for topic in (AGENT, f"{D}/press/Press/__classInfo__", REPLIES, MOVE, CLIENT) if at.retained.get(topic)
    ]
    assert kept == [AGENT, f"{D}/press/Press/__classInfo__", CLIENT]
    assert [one.connection.client.session.denied for one in (press, caller)] == [1, 1]


def test_a_refused_subscription_is_answered_with_0x80_and_the_others_stand() -> None:
    at = broker(caller="client")
    caller = client(at).send(wire.subscribe(("#", 0), (REPLIES, 0), (f"{D}/+/+/+/+", 1), (f"{D}/+/__agentInfo__", 1)))
    ((head, body),) = caller.received()
    assert (head, body[2:]) == (0x90, bytes((0x80, 0, 0x80, 1)))


def test_a_group_may_not_be_joined_because_it_would_hand_on_what_a_member_may_not_receive() -> None:
    at = broker(caller="client")
    caller = client(at, level=5).send(wire.subscribe((f"$share/g/{REPLIES}/#", 0), level=5))
    ((_, body),) = caller.received()
    assert body[-1] == 0x87


def test_nobody_gets_by_a_wide_filter_what_is_meant_for_another() -> None:
    at = broker(press="agent", caller="client", spy="client")
    spy = client(at, "spy", f"{D}/press/Press/__clientInfo__").send(wire.subscribe((f"{D}/press/Press/#", 0)))
    press = agent(at).send(wire.subscribe((f"{D}/press/+/+/+", 0)))
    retained = wire.joined(at, "w", "bob").send(wire.publish(f"{D}/press/zz99zz99", b"reply", retain=True))
    caller = wire.joined(at, "vc3", "caller", will=will(CLIENT)).send(wire.publish(MOVE, request()))
    press.received()
    again = wire.subscribe((f"{D}/press/+/+/+", 0))
    assert seen(spy) == [] and seen(press.send(again)) == []
    caller.send(wire.publish(MOVE, request()))
    assert seen(press) == [MOVE] and seen(spy) == [] and not retained.closed


def test_a_live_agent_keeps_its_name_against_another_integration() -> None:
    at = broker(press="agent", rogue="both")
    press = agent(at)
    assert refused(at, "rogue", AGENT) == wire.connack(5)
    assert ("refused", Refusal.NAME_TAKEN.value, "11") in at.presence.events
    assert not press.closed
    press.send(wire.DISCONNECT)
    agent(at, "rogue")
    assert at.live.owner(identity(AGENT)).integration_id == 11, "it had said nothing of itself"


def test_an_agent_that_is_offline_belongs_to_its_integration_until_it_is_removed_or_given_away() -> None:
    at = broker(press="agent", rogue="both")
    agent(at).send(wire.publish(AGENT, b"{}", retain=True), wire.DISCONNECT)
    assert refused(at, "rogue", AGENT) == wire.connack(5)
    assert at.presence.events[-1] == ("refused", Refusal.NAME_OWNED.value, "11")
    agent(at).send(wire.DISCONNECT)
    at.retained.give(AGENT, 11)
    assert refused(at, "press", AGENT) == wire.connack(5)
    agent(at, "rogue").connection.close("gone")
    assert at.retained.owner(AGENT) == 11, "its Will"
    at.publish(Message(AGENT, b"", 0, retain=True), Source(0, True))
    agent(at, "press")


def test_what_is_left_of_an_integration_that_is_deleted_keeps_nobody_out() -> None:
    at = broker(press="agent", rogue="both")
    agent(at).connection.close("gone")
    assert refused(at, "rogue", AGENT) == wire.connack(5)
    at.forget([10])
    agent(at, "rogue")


def test_clients_names_belong_to_nobody_who_has_gone() -> None:
    at = broker(one="client", two="client")
    client(at, "one").connection.close("gone")
    assert at.retained.owner(CLIENT)
    client(at, "two")


def test_an_agent_that_comes_again_takes_over_and_its_will_goes_out_before_it_is_online() -> None:
    at = broker(press="agent")
    watcher = wire.joined(at, "w", "bob").send(wire.subscribe((AGENT, 0)))
    watcher.received()
    for client_id in ("va3", "va3", "va3-of-another-package"):
        before = at.live.owner(identity(AGENT))
        agent(at, client_id=client_id).send(wire.publish(AGENT, b'{"status":"online"}', retain=True))
        status = [json.loads(wire.message(found)[1])["status"] for found in watcher.received()]
        assert status == (["offline", "online"] if before else ["online"])
    closed = [event for event in at.presence.events if event[0] == "disconnected"]
    assert len(closed) == 2 and len(at.presence.open) == 2


def test_a_changed_role_or_domain_closes_who_does_not_fit_any_more_and_tells_its_will_first() -> None:
    at = broker(press="both", caller="client")
    caller = client(at).send(wire.subscribe((f"{D}/+/__agentInfo__", 0)))
    press = agent(at).send(wire.publish(AGENT, b'{"status":"online"}', retain=True))
    caller.received()
    at.permit({10: Grant(10, "press", (), (), D, "agent")})
    assert not press.closed
    at.permit({10: Grant(10, "press", (), (), D, "client")})
    assert press.closed and at.presence.events[-1] == ("disconnected", "2", "VRPC domain or role changed")
    (message,) = caller.received()
    assert wire.message(message)[:2] == (AGENT, b'{"status":"offline"}')
    assert at.live.owner(identity(AGENT)) is None


def test_a_client_without_a_will_follows_a_changed_domain() -> None:
    at = broker(caller="client")
    caller = wire.joined(at, "vc3", "caller").send(wire.subscribe((f"{D}/+/__agentInfo__", 0)))
    caller.received()
    at.permit({10: Grant(10, "caller", (), (), "acme.other", "client")})
    wire.joined(at, "w", "bob").send(wire.publish(AGENT, b"{}"), wire.publish("acme.other/saw/__agentInfo__", b"{}"))
    assert seen(caller) == [] and not caller.closed
    caller.send(wire.subscribe(("acme.other/+/__agentInfo__", 0)))
    wire.joined(at, "w", "bob").send(wire.publish("acme.other/saw/__agentInfo__", b"{}"))
    assert seen(caller) == ["acme.other/saw/__agentInfo__"]


@pytest.mark.parametrize("level", [4, 5])
def test_a_session_ends_with_its_connection_so_that_nobody_gets_what_came_for_another_of_the_name(level: int) -> None:
    at = broker(saw="agent", press="agent", caller="client")
    stated = {0x11: 600} if level == 5 else None
    spy = wire.Peer(at).send(wire.connect("x", "saw", will=will(AGENT), clean=False, level=level, stated=stated))
    ((head, body),) = spy.received()
    assert head == 0x20 and (level == 4 or b"\x11\0\0\0\0" in body), "a client of 5.0 is told"
    spy.send(wire.subscribe((f"{D}/press/+/+/+", 1), level=level), wire.DISCONNECT)
    press = agent(at)
    client(at).send(wire.publish(MOVE, request(), 1, 1))
    press.send(wire.DISCONNECT)
    back = wire.Peer(at).send(wire.connect("x", "saw", will=will(AGENT), clean=False, level=level, stated=stated))
    ((_, body),) = back.received()
    assert not body[0] & 1, "no session present, and no requests that were another's"


def test_who_asks_at_the_end_too_for_a_session_that_lasts_says_a_proper_goodbye() -> None:
    at = broker(press="agent")
    watcher = wire.joined(at, "w", "bob").send(wire.subscribe((AGENT, 0)))
    watcher.received()
    asked = {0x11: 600}
    press = wire.joined(at, "x", "press", will=will(AGENT), level=5, stated=asked)
    press.send(wire.packet(0xE0, b"\0" + wire.properties(asked)))
    assert press.closed and press.received() == [] and seen(watcher) == [], "no error, and no Will"


def test_a_request_that_would_have_another_client_called_back_is_dropped() -> None:
    at = broker(press="agent", caller="client")
    press = agent(at).send(wire.subscribe((f"{D}/press/Press/line1/+", 0)))
    press.received()
    caller = client(at)
    on = f"{D}/press/Press/line1/on"
    for topic in (f"{D}/raspi/zz99zz99", AGENT, f"{D}/press/Press/__classInfo__"):
        caller.send(wire.publish(on, json.dumps({"a": ["moved", f"__e__{topic}"], "s": REPLIES}).encode()))
    assert seen(press) == [] and caller.connection.client.session.denied == 3
    caller.send(wire.publish(on, json.dumps({"a": ["moved", f"__e__{MOVE[:-5]}:moved-x"], "s": REPLIES}).encode()))
    assert seen(press) == [on]


def test_clients_of_mqtt_integrations_are_known_as_agents_too_and_keep_their_own_filters() -> None:
    at = broker(press="agent")
    mqtt = wire.joined(at, "va3", "ada", will=will(AGENT)).send(wire.publish("anything"))
    assert at.live.owner(identity(AGENT)).username == "ada"
    assert refused(at, "press", AGENT) == wire.connack(5)
    assert not mqtt.closed and mqtt.connection.client.session.denied == 0


@pytest.mark.parametrize("retain", [True, False])
def test_what_a_connected_agent_tells_of_itself_is_told_by_nobody_else(retain: bool) -> None:
    at = broker(press="agent", caller="client")
    bob = wire.joined(at, "w", "bob").send(wire.publish(AGENT, b"{}", retain=True))
    assert at.retained.get(AGENT) is not None, "nobody is there"
    press, caller = agent(at), client(at)
    watcher = wire.joined(at, "v", "bob").send(wire.subscribe(("#", 0)))
    watcher.received()
    topics = (AGENT, f"{D}/press/Press/__classInfo__", f"{D}/press/Press/__classInfoConcise__", CLIENT)
    for topic in topics:
        bob.send(wire.publish(topic, b"", 1, 1, retain=retain))
    assert seen(watcher) == [] and [head for head, _ in bob.received()] == [0x40] * 4
    wire.joined(at, "u", "bob", will=(f"{D}/press/Press/__classInfo__", b"x", 0, True)).connection.close("gone")
    assert seen(watcher) == []
    bob.send(wire.publish(f"{D}/saw/__agentInfo__", b"{}"), wire.publish(f"{D}/press/Press/__note__", b"{}"))
    assert seen(watcher) == [f"{D}/saw/__agentInfo__", f"{D}/press/Press/__note__"], "and nothing else changes"
    press.connection.close("gone"), caller.connection.close("gone"), watcher.received()
    bob.send(*(wire.publish(topic, b"", retain=retain) for topic in topics))
    assert seen(watcher) == list(topics), "they are gone"


def test_what_a_connected_agent_tells_of_itself_is_not_written_over_other_protocols_either() -> None:
    at = broker(press="agent")
    wanted = [("a/b", b"1", 0, False), (AGENT, b"{}", 0, True)]
    at.hold_for_hub(wanted)
    agent(at)
    with pytest.raises(Refused) as refused:
        at.hold_for_hub(wanted)
    assert refused.value.field == "messages/1/topic"
    mqtt = broker()
    wire.joined(mqtt, "va3", "ada", will=will(AGENT))
    mqtt.hold_for_hub(wanted)  # an agent of an integration with topic filters is held to these, as are others
