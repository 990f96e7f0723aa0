"""Edge Connectors at the broker: agents in their domain, MQTT clients outside of it, and one instance at a time."""

from __future__ import annotations

import mqtt_wire as wire
import pytest

from protocols.contract import Grant, Refusal
from protocols.mqtt.broker import Broker

D = "acme.default"
PRESS = f"{D}/press/__agentInfo__"
REQUEST = f"{D}/press/System/machine/cpu"
FEED = "plant/hall1/cpu"
LASTING = {0x11: 600}


def grant(publish: tuple[str, ...] = ("#",), subscribe: tuple[str, ...] = ("#",), domain: str = D) -> Grant:
    return Grant(10, "press", publish, subscribe, domain, "agent", True)


def broker(edge: Grant | None = None) -> Broker:
    made = wire.broker()
    made.authenticate.answers |= {"press": edge or grant(), "caller": Grant(11, "caller", (), (), D, "client")}
    return made


def edge(at: Broker, client_id: str = "ve3", *, level: int = 5, lasting: bool = True, **more: object) -> wire.Peer:
    stated = LASTING if lasting and level == 5 else None
    more = {"clean": False, "stated": stated} | more
    return wire.joined(at, client_id, "press", will=(PRESS, b"offline", 1, True), level=level, **more)


def other(at: Broker, *filters: str) -> wire.Peer:
    peer = wire.joined(at, "w", "bob").send(wire.subscribe(*((one, 2) for one in filters)))
    peer.received()
    return peer


def seen(peer: wire.Peer) -> list[str]:
    return [wire.message(found)[0] for found in peer.received() if found[0] >> 4 == 3]


def codes(peer: wire.Peer, *filters: str) -> list[int]:
    peer.received()
    peer.send(wire.subscribe(*((one, 0) for one in filters), level=5))
    (body,) = (body for head, body in peer.received() if head == 0x90)
    return list(body[-len(filters) :])


@pytest.mark.parametrize("level", [4, 5])
@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_its_filters_decide_outside_its_domain_also_on_what_is_retained(level: int, retain: bool, qos: int) -> None:
    at = broker(grant(publish=("plant/#",)))
    watcher = other(at, "#")
    press = edge(at, level=level)
    for topic in (FEED, "else/where"):
        press.send(wire.publish(topic, b"1", qos, qos + 1, retain=retain, level=level))
    assert seen(watcher) == [FEED]
    assert bool(at.retained.get(FEED)) is retain and at.retained.get("else/where") is None
    assert press.connection.client.session.denied == 1 and not press.closed


def test_no_filter_widens_what_it_may_in_its_domain() -> None:
    at = broker(grant(publish=("#", f"{D}/#"), subscribe=("#", f"{D}/#", f"{D}/+/+/+/+")))
    watcher = other(at, "#")
    press = edge(at)
    for topic in (f"{D}/saw/__agentInfo__", f"{D}/saw/Saw/one/cut", f"{D}/raspi/ab12/__clientInfo__"):
        press.send(wire.publish(topic, b"x", retain=True, level=5))
    assert seen(watcher) == []
    press.send(wire.publish(f"{D}/raspi/ab12", b"a reply", level=5), wire.publish(PRESS, b"x", retain=True, level=5))
    assert seen(watcher) == [f"{D}/raspi/ab12", PRESS]
    refused = [f"{D}/#", f"{D}/+/+/+/+", f"{D}/saw/+/+/+", f"{D}/+/__agentInfo__"]
    assert codes(press, *refused, f"{D}/press/+/+/+") == [0x87] * 4 + [0]


def test_by_a_wide_filter_it_gets_what_is_outside_its_domain_and_its_own_requests() -> None:
    at = broker()
    caller = wire.joined(at, "vc3", "caller", will=(f"{D}/raspi/ab12/__clientInfo__", b"", 0, True))
    bob = wire.joined(at, "w", "bob")
    bob.send(*(wire.publish(topic, b"x", retain=True) for topic in ("plant/a", f"{D}/saw/__agentInfo__")))
    press = edge(at)
    assert codes(press, "#") == [0]
    assert seen(press.send(wire.subscribe(("#", 0), level=5))) == ["plant/a"]
    caller.send(wire.publish(f"{D}/saw/Saw/one/cut", b'{"s":"acme.default/raspi/ab12"}'))
    caller.send(wire.publish(REQUEST, b'{"s":"acme.default/raspi/ab12"}'))
    bob.send(wire.publish("plant/b"), wire.publish(f"{D}/raspi/ab12", b"a reply to another"))
    assert seen(press) == [REQUEST, "plant/b"]


def test_it_may_share_what_lies_outside_its_domain() -> None:
    press = edge(broker())
    shared = [f"$share/g/{one}" for one in ("plant/#", "#", "+/a", f"{D}/press/+/+/+")]
    assert codes(press, *shared) == [0, 0x87, 0x87, 0x87]


def test_nobody_is_spoken_for_in_another_domain_while_they_are_connected() -> None:
    at = broker()
    saw = "acme.other/saw/__agentInfo__"
    at.authenticate.answers["saw"] = Grant(12, "saw", (), (), "acme.other", "agent")
    wire.joined(at, "va3", "saw", will=(saw, b"", 0, True))
    watcher = other(at, "#")
    edge(at).send(wire.publish(saw, b"offline", level=5))
    assert seen(watcher) == []


def test_its_session_lasts_so_that_what_it_sends_comes_once() -> None:
    at = broker()
    watcher = other(at, "plant/#")
    press = edge(at).send(wire.publish(FEED, b"1", 2, 7, level=5))
    press.connection.close("cut")
    back = wire.Peer(at).send(
        wire.connect("ve3", "press", will=(PRESS, b"", 1, True), clean=False, level=5, stated=LASTING)
    )
    assert back.received()[0][1][0] & 1, "session present"
    back.send(wire.publish(FEED, b"1", 2, 7, dup=True, level=5), wire.pubrel(7))
    assert seen(watcher) == [FEED]


def test_no_request_waits_for_it_because_its_name_may_be_anothers_meanwhile() -> None:
    at = broker()
    caller = wire.joined(at, "vc3", "caller", will=(f"{D}/raspi/ab12/__clientInfo__", b"", 0, True))
    watcher = other(at, PRESS)
    press = edge(at).send(wire.subscribe((f"{D}/press/+/+/+", 1), ("plant/set", 1), level=5))
    press.connection.close("cut")
    assert seen(watcher) == [PRESS], "it is offline at once"
    request = b'{"s":"acme.default/raspi/ab12"}'
    caller.send(wire.publish(REQUEST, request, 1, 1))
    wire.joined(at, "x", "bob").send(wire.publish("plant/set", b"5", 1, 1))
    back = wire.Peer(at)
    back.send(wire.connect("ve3", "press", will=(PRESS, b"", 1, True), clean=False, level=5, stated=LASTING))
    assert seen(back) == ["plant/set"]
    caller.send(wire.publish(REQUEST, request, 0))
    assert REQUEST in seen(back), "its subscription is there again"


def test_an_edge_connector_without_filters_is_an_agent_and_nothing_else() -> None:
    at = broker(grant((), ()))
    watcher = other(at, "#")
    press = edge(at)
    press.send(wire.publish(FEED, b"1", level=5))
    assert seen(watcher) == [] and press.connection.client.session.expiry == 0


def test_changed_filters_hold_at_once() -> None:
    at = broker()
    watcher = other(at, "plant/#")
    press = edge(at).send(wire.publish(FEED, b"1", level=5))
    at.permit({10: grant(publish=("plant/hall2/#",))})
    press.send(wire.publish(FEED, b"2", level=5), wire.publish("plant/hall2/a", b"3", level=5))
    assert seen(watcher) == [FEED, "plant/hall2/a"]


@pytest.mark.parametrize("level", [4, 5])
def test_a_second_instance_is_refused_told_and_recorded(level: int) -> None:
    at = broker()
    press = edge(at)
    press.received()
    will = (PRESS, b"offline", 1, True)
    second = wire.Peer(at).send(wire.connect("ve3-other", "press", will=will, level=level))
    ((head, body),) = second.received()
    if level == 4:
        assert (head, body) == wire.connack(3)
    else:
        assert body[1] == 0x97 and Refusal.ANOTHER_INSTANCE.value.encode() in body
    assert at.presence.events[-1] == ("refused", "another instance of this Edge Connector is online", "10")
    assert not press.closed and press.received() == []


def test_a_second_instance_gets_in_when_the_first_has_gone() -> None:
    at = broker()
    edge(at).connection.close("cut")
    assert not edge(at, "ve3-other").closed


def test_the_same_instance_takes_over() -> None:
    at = broker()
    before = edge(at)
    assert not edge(at).closed and before.closed
    assert len(at.presence.open) == 1


def test_integrations_of_other_types_may_have_as_many_as_ever() -> None:
    at = wire.broker()
    peers = [wire.joined(at, str(number), "ada") for number in range(3)]
    assert not any(peer.closed for peer in peers)


def test_what_it_retained_goes_with_its_integration_and_everybody_is_told() -> None:
    at = broker()
    press = edge(at)
    class_info = f"{D}/press/System/__classInfo__"
    for topic in (PRESS, class_info, FEED):
        press.send(wire.publish(topic, b"1", 1, 1, retain=True, level=5))
    bob = other(at, "#").send(wire.publish("plant/bobs", b"1", retain=True))
    bob.received()
    at.sessions.disconnect({10}, "integration deleted", forget=True)
    at.forget({10})
    assert press.closed and sorted(at.retained.names("#")) == ["plant/bobs"]
    will, *cleared = seen(bob)
    assert will == PRESS and sorted(cleared) == sorted([PRESS, class_info, FEED])


def test_what_others_have_retained_since_stays() -> None:
    at = broker()
    edge(at).send(wire.publish(FEED, b"1", retain=True, level=5))
    wire.joined(at, "w", "bob").send(wire.publish(FEED, b"2", retain=True))
    at.forget({10})
    assert at.retained.get(FEED).payload == b"2"
