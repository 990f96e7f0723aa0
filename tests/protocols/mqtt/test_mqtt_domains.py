"""Domains of VRPC at the broker: closed to wildcards of whoever is not in them, for whoever has not named them."""

from __future__ import annotations

import mqtt_wire as wire
import pytest

from protocols.contract import Grant
from protocols.mqtt.broker import Broker

D, OTHER = "acme.default", "acme.other"
CLOSED = frozenset({D, OTHER})
STATUS, REQUEST = f"{D}/press/__agentInfo__", f"{D}/press/Press/line1/move"
EVERYTHING = ("#",)


def grants(closed: frozenset[str] = CLOSED) -> dict[str, Grant]:
    named = (*EVERYTHING, f"{D}/#")
    return {
        "ada": Grant(1, "ada", closed=closed),
        "named": Grant(3, "named", named, named, closed=closed),
        "press": Grant(10, "press", (), (), D, "agent", closed=closed),
        "saw": Grant(11, "saw", EVERYTHING, EVERYTHING, OTHER, "agent", True, closed),
        "caller": Grant(12, "caller", (), (), D, "client", closed=closed),
    }


def permit(at: Broker, closed: frozenset[str]) -> None:
    found = grants(closed)
    at.authenticate.answers |= found
    at.permit({one.integration_id: one for one in found.values()})


@pytest.fixture
def at() -> Broker:
    made = wire.broker()
    permit(made, CLOSED)
    return made


def press(at: Broker) -> wire.Peer:
    return wire.joined(at, "va3", "press", will=(STATUS, b"offline", 0, True))


def seen(peer: wire.Peer) -> list[str]:
    return [wire.message(found)[0] for found in peer.received() if found[0] >> 4 == 3]


def subscribed(at: Broker, username: str, *filters: str, level: int = 4) -> wire.Peer:
    peer = wire.joined(at, f"of {username}", username, level=level)
    return peer.send(wire.subscribe(*((one, 1) for one in filters), level=level))


def codes(peer: wire.Peer) -> list[int]:
    (body,) = (body for head, body in peer.received() if head == 0x90)
    return list(body[2:])


@pytest.mark.parametrize("wide", ["#", "+/press/__agentInfo__", "+/#"])
def test_a_wildcard_brings_nothing_of_a_domain_live_or_retained(at: Broker, wide: str) -> None:
    agent = press(at).send(wire.publish(STATUS, b"online", retain=True))
    ada = subscribed(at, "ada", wide)
    agent.send(wire.publish(STATUS, b"online", retain=True))
    agent.send(wire.publish(f"{D}/raspi/ab12", b"a reply"))
    assert seen(ada) == []
    wire.joined(at, "w", "ada").send(wire.publish("plant/press/__agentInfo__", b"no domain's"))
    assert seen(ada) == ["plant/press/__agentInfo__"]


def test_naming_a_domain_under_a_wildcard_permission_is_refused(at: Broker) -> None:
    assert codes(subscribed(at, "ada", f"{D}/#", STATUS, f"{OTHER}/+/__agentInfo__", "plant/#")) == [0x80] * 3 + [1]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_nobody_speaks_in_a_domain_by_a_wildcard(at: Broker, qos: int) -> None:
    agent = press(at).send(wire.subscribe((f"{D}/press/+/+/+", 1)))
    agent.received()
    ada = wire.joined(at, "c", "ada")
    ada.send(wire.publish(REQUEST, b"{}", qos, 1), wire.publish(STATUS, b"{}", qos, 2, retain=True))
    assert seen(agent) == [] and at.retained.get(STATUS) is None and not ada.closed


def test_a_will_in_a_domain_is_refused_to_who_has_only_a_wildcard(at: Broker) -> None:
    peer = wire.Peer(at).send(wire.connect("x", "ada", will=(STATUS, b"", 0, True)))
    assert peer.received() == [wire.connack(5)]


def test_who_has_a_filter_that_names_the_domain_may_use_it_by_any_filter(at: Broker) -> None:
    named, wide = subscribed(at, "named", f"{D}/#"), wire.joined(at, "wide", "named")
    wide.send(wire.subscribe(("#", 0)))
    agent = press(at).send(wire.subscribe((f"{D}/press/+/+/+", 1)))
    agent.received(), named.received(), wide.received()
    agent.send(wire.publish(STATUS, b"online", retain=True))
    assert seen(named) == [STATUS] and seen(wide) == [STATUS]
    named.send(wire.publish(REQUEST, b"{}"))
    assert seen(agent) == [REQUEST]


def test_an_edge_connector_has_nothing_of_another_domain_by_its_wildcards(at: Broker) -> None:
    saw = wire.joined(at, "ve3", "saw", will=(f"{OTHER}/saw/__agentInfo__", b"", 0, True))
    saw.send(wire.subscribe(("#", 0), (STATUS, 0), (f"{D}/#", 0)))
    assert codes(saw) == [0, 0x80, 0x80]
    agent = press(at).send(wire.publish(STATUS, b"online", retain=True))
    saw.send(wire.publish(f"{D}/raspi/ab12", b"a reply in another's place"))
    assert seen(saw) == [] and saw.connection.client.session.denied == 1 and not agent.closed


def test_who_is_in_a_domain_has_its_own_topics_as_ever(at: Broker) -> None:
    agent = press(at).send(wire.subscribe((f"{D}/press/+/+/+", 1)))
    caller = wire.joined(at, "vc3", "caller", will=(f"{D}/raspi/ab12/__clientInfo__", b"", 0, True))
    caller.send(wire.subscribe((f"{D}/+/__agentInfo__", 0), (f"{D}/raspi/ab12", 0)))
    agent.received(), caller.received()
    agent.send(wire.publish(STATUS, b"online", retain=True))
    caller.send(wire.publish(REQUEST, b'{"s":"acme.default/raspi/ab12"}'))
    assert seen(agent) == [REQUEST]
    agent.send(wire.publish(f"{D}/raspi/ab12", b"{}"))
    assert seen(caller) == [STATUS, f"{D}/raspi/ab12"]


@pytest.mark.parametrize("wide", ["$share/g/#", "$share/g/+/press/__agentInfo__"])
def test_a_group_with_a_wildcard_is_handed_nothing_of_a_domain(at: Broker, wide: str) -> None:
    groups = [subscribed(at, name, wide) for name in ("ada", "named")]
    [peer.received() for peer in groups]
    press(at).send(wire.publish(STATUS, b"online"))
    assert [seen(peer) for peer in groups] == [[], []]
    wire.joined(at, "w", "ada").send(wire.publish("plant/press/__agentInfo__", b"x"))
    assert sum(len(seen(peer)) for peer in groups) == 1


def test_a_group_that_names_the_domain_is_handed_its_messages(at: Broker) -> None:
    named = subscribed(at, "named", f"$share/g/{D}/#")
    named.received()
    press(at).send(wire.publish(STATUS, b"online"))
    assert seen(named) == [STATUS]


@pytest.mark.parametrize("subscribe_to", ["#", f"{D}/+/__agentInfo__"])
def test_a_domain_that_is_new_closes_for_open_connections_and_opens_when_it_is_gone(subscribe_to: str) -> None:
    at = wire.broker()
    permit(at, frozenset())
    ada, bob = subscribed(at, "ada", subscribe_to), wire.joined(at, "b", "ada")
    ada.received()

    def gets() -> list[str]:
        bob.send(wire.publish(STATUS, b"1"))
        return seen(ada)

    assert gets() == [STATUS]
    permit(at, CLOSED)
    assert gets() == []
    permit(at, frozenset())
    assert gets() == [STATUS]


def test_what_waits_for_a_client_that_is_away_is_withheld_when_the_domain_closes() -> None:
    at = wire.broker()
    permit(at, frozenset())
    ada = wire.joined(at, "away", "ada", clean=False)
    ada.send(wire.subscribe(("#", 1)), wire.DISCONNECT)
    bob = wire.joined(at, "b", "ada")
    bob.send(wire.publish(REQUEST, b"{}", 1, 1), wire.publish("plant/a", b"1", 1, 2))
    permit(at, CLOSED)
    back = wire.Peer(at).send(wire.connect("away", "ada", clean=False))
    assert seen(back) == ["plant/a"]
