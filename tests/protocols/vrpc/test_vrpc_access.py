"""Which topics an agent and a client of VRPC may use: no one speaks for another, and other domains are invisible."""

from __future__ import annotations

import pytest

from protocols.access import Access
from protocols.contract import Grant, Refusal
from protocols.vrpc.access import access_of, misplaced
from protocols.vrpc.names import identity

D = "acme.default"
AGENT = f"{D}/press/__agentInfo__"
CLIENT = f"{D}/raspi/ab12cd34/__clientInfo__"


def access(will: str, role: str = "both", domain: str = D) -> Access:
    return access_of(Grant(1, "ada", (), (), domain, role), "c", identity(will))


AGENT_PUBLISHES = {
    f"{D}/press/__agentInfo__": True,
    f"{D}/press/Press/__classInfo__": True,
    f"{D}/press/Press/__classInfoConcise__": True,
    f"{D}/raspi/ab12cd34": True,  # a reply
    f"{D}/raspi/ab12cd34/0123456789ab": True,  # a callback of the Python client
    f"{D}/press/Press/line1:moved-ab12cd34": True,  # an event
    f"{D}/press/Press/moved-ab12cd34": True,  # one of callAll
    f"{D}/__gatehouse__/ab12cd34": True,
    f"{D}/__gatehouse__/ab12cd34/t0k3n": True,
    f"{D}/saw/__agentInfo__": False,
    f"{D}/saw/Press/__classInfo__": False,
    f"{D}/saw/Press/__classInfoConcise__": False,
    f"{D}/saw/Press/line1:moved-ab12cd34": False,
    f"{D}/saw/Press/moved-ab12cd34": False,
    f"{D}/raspi/ab12cd34/__clientInfo__": False,
    f"{D}/press/Press/__clientInfo__": False,
    f"{D}/press/__classInfo__": False,
    f"{D}/press/Press/line1/move": False,  # a request, to itself or to others
    f"{D}/saw/__agentInfo__/": False,
    f"{D}/saw/__agentInfo__/x": False,
    f"{D}/saw/Saw/__static__/cut": False,
    f"{D}/press": False,
    D: False,
    "acme.other/press/__agentInfo__": False,
    "acme.other/raspi/ab12cd34": False,
    "$SYS/press/__agentInfo__": False,
    f"{D}x/press/__agentInfo__": False,
}
CLIENT_PUBLISHES = {
    f"{D}/press/Press/line1/move": True,
    f"{D}/press/Press/__static__/__createShared__": True,
    f"{D}/raspi/ab12cd34/__clientInfo__": True,
    f"{D}/raspi/other/__clientInfo__": False,
    f"{D}/press/Press/line1/__classInfo__": False,
    f"{D}/press/__agentInfo__": False,
    f"{D}/press/Press/__classInfo__": False,
    f"{D}/raspi/other123": False,  # a reply in an agent's place
    f"{D}/press/Press/line1:moved-ab12cd34": False,
    f"{D}/press/Press/line1/move/x": False,
    "acme.other/press/Press/line1/move": False,
}
AGENT_SUBSCRIBES = {
    f"{D}/press/Press/__static__/make": True,
    f"{D}/press/Press/line1/+": True,
    f"{D}/press/Press/undefined/+": True,
    f"{D}/press/+/+/+": True,
    f"{D}/press/Press/__static__/+": True,
    f"{D}/press/Press/+/+": True,
    f"{D}/press/Press/line1/+/+": True,
    f"{D}/press/Press/#": False,
    f"{D}/press/+/+/#": False,
    f"{D}/press/+/+": False,
    f"{D}/press/#": False,
    f"{D}/press/+/__clientInfo__": False,
    f"{D}/press/ab12cd34/__clientInfo__": True,  # on a host of its name
    f"{D}/press/__agentInfo__": True,
    f"{D}/raspi/ab12cd34/__clientInfo__": True,
    f"{D}/+/+/__clientInfo__": False,  # whoever knows a client can answer it in another's name
    f"{D}/raspi/+/__clientInfo__": False,
    f"{D}/+/ab12cd34/__clientInfo__": False,
    f"{D}/saw/Saw/__static__/cut": False,
    f"{D}/+/+/+/+": False,
    f"{D}/raspi/ab12cd34": False,
    f"{D}/+/__agentInfo__": False,
    f"{D}/#": False,
    "#": False,
    "acme.other/press/#": False,
    "+/press/#": False,
}
CLIENT_SUBSCRIBES = {
    f"{D}/+/__agentInfo__": True,
    f"{D}/press/__agentInfo__": True,
    f"{D}/+/+/__classInfo__": True,
    f"{D}/press/+/__classInfoConcise__": True,
    f"{D}/raspi/ab12cd34": True,
    f"{D}/raspi/ab12cd34/#": True,
    f"{D}/press/Press/line1:moved-ab12cd34": True,
    f"{D}/press/Press/moved-ab12cd34": True,
    f"{D}/press/Press/+": False,
    f"{D}/press/+/line1:moved-ab12cd34": False,
    f"{D}/raspi/other123": False,
    f"{D}/raspi/other123/0123456789ab": False,
    f"{D}/raspi/#": False,
    f"{D}/+/+/__clientInfo__": False,
    f"{D}/press/Press/line1/move": False,
    f"{D}/+/+/+/+": False,
    f"{D}/#": False,
    "+/+/__agentInfo__": False,
    "#": False,
    "acme.other/+/__agentInfo__": False,
    "$SYS/#": False,
}


@pytest.mark.parametrize(("will", "table"), [(AGENT, AGENT_PUBLISHES), (CLIENT, CLIENT_PUBLISHES)], ids=["a", "c"])
def test_who_may_publish_where(will: str, table: dict[str, bool]) -> None:
    assert {name: access(will).may_publish(name) for name in table} == table


@pytest.mark.parametrize(("will", "table"), [(AGENT, AGENT_SUBSCRIBES), (CLIENT, CLIENT_SUBSCRIBES)], ids=["a", "c"])
def test_who_may_subscribe_to_what(will: str, table: dict[str, bool]) -> None:
    assert {name: access(will).may_subscribe(name) for name in table} == table


def test_an_agent_gets_no_replies_to_clients_on_a_host_of_its_name() -> None:
    agent = access(AGENT)
    assert agent.is_narrow and agent.may_subscribe(f"{D}/press/ab12cd34")
    assert agent.may_receive(f"{D}/press/Press/line1/move") and agent.may_receive(AGENT)
    assert not agent.may_receive(f"{D}/press/ab12cd34")
    assert not agent.may_receive(f"{D}/press/ab12cd34/0123456789ab")


def test_a_client_that_is_called_like_an_agents_class_gets_no_requests_to_it() -> None:
    client = access(f"{D}/press/Press/__clientInfo__")
    assert client.may_subscribe(f"{D}/press/Press/#")
    assert not client.may_receive(f"{D}/press/Press/line1/move")
    assert client.may_receive(f"{D}/press/Press") and client.may_receive(f"{D}/press/Press/0123456789ab")


def test_a_client_that_is_called_like_an_agents_class_gets_not_everybodys_events_of_it() -> None:
    event = f"{D}/press/Press/line1:moved-ab12cd34"
    assert access(CLIENT).may_receive(event), "by its exact name"
    assert not access(f"{D}/press/Press/__clientInfo__").may_receive(event), "which # would match"


def test_a_client_has_itself_called_back_where_it_hears_and_nowhere_else() -> None:
    client = access(CLIENT)
    for name in (f"{D}/raspi/ab12cd34", f"{D}/raspi/ab12cd34/0123456789ab", f"{D}/press/Press/line1:moved-ab12cd34"):
        assert client.may_hear(name)
    for name in (f"{D}/raspi/zz99zz99", f"{D}/raspi/zz99zz99/0123456789ab", AGENT, f"{D}/press/Press/__classInfo__"):
        assert not client.may_hear(name)


def test_without_a_will_a_client_may_read_what_agents_tell_and_an_agent_nothing() -> None:
    for role in ("client", "both"):
        reader = access("", role)
        assert reader.may_subscribe(f"{D}/+/__agentInfo__") and reader.may_receive(AGENT)
        assert not reader.may_subscribe(f"{D}/press/Press/line1:moved-ab12cd34")
        assert not any(reader.may_publish(name) for name in AGENT_PUBLISHES | CLIENT_PUBLISHES)
    outsider = access("", "agent")
    assert not any(outsider.may_subscribe(name) for name in AGENT_SUBSCRIBES | CLIENT_SUBSCRIBES)
    assert not any(outsider.may_publish(name) for name in AGENT_PUBLISHES | CLIENT_PUBLISHES)


@pytest.mark.parametrize(
    ("will", "role", "refusal"),
    [
        (AGENT, "agent", None),
        (AGENT, "both", None),
        (AGENT, "client", Refusal.OTHER_ROLE),
        (CLIENT, "client", None),
        (CLIENT, "agent", Refusal.OTHER_ROLE),
        ("acme.other/press/__agentInfo__", "both", Refusal.OTHER_DOMAIN),
        ("acme.other/press", "both", Refusal.NO_AGENT_OR_CLIENT),
    ],
)
def test_who_may_be_what(will: str, role: str, refusal: Refusal | None) -> None:
    assert misplaced(Grant(1, "ada", (), (), D, role), identity(will)) is refusal


def test_who_is_misplaced_may_use_nothing_until_it_is_closed() -> None:
    found = access(AGENT, "client")
    assert not any(found.may_publish(name) for name in AGENT_PUBLISHES | CLIENT_PUBLISHES)
    assert not any(found.may_subscribe(name) for name in AGENT_SUBSCRIBES | CLIENT_SUBSCRIBES)


def test_an_integration_of_another_type_keeps_its_own_filters_whatever_its_will() -> None:
    found = access_of(Grant(1, "ada", ("a",), ("b",)), "c", identity(AGENT))
    assert not found.is_narrow and found.filters == (("a",), ("b",))
