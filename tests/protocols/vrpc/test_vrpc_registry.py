"""Which agents there are, and whether they are online: from what is retained, corrected by who is connected."""

from __future__ import annotations

import json

import pytest
from vrpc_bench import AGENT_NAME, DOMAIN, IDENTITY, KEY, PLACE, WHO, Bench, class_info

from protocols.contract import Refused
from protocols.vrpc.live import Claimant, Who
from protocols.vrpc.names import CLIENT, Identity

ONLINE = json.dumps({"status": "online", "hostname": "pi", "v": 3}).encode()


def test_an_agent_is_listed_with_what_it_says_and_whose_it_is():
    bench = Bench().online().tell(f"{AGENT_NAME}/Press/__classInfo__", class_info())
    assert bench.agent == {
        "domain": DOMAIN,
        "agent": AGENT_NAME,
        "status": "online",
        "hostname": "pi",
        "version": "1.0",
        "v": 3,
        "integration_id": 7,
        "integration": "hall-2",
        "address": "192.0.2.1",
        "client_id": "va3x",
        "since": 1_000.0,
        "classes": 1,
        "functions": 4,
        "instances": 1,
        "fault": "",
        "claim": None,
        "twins": None,
    }


def test_who_says_online_without_a_connection_is_offline_and_that_is_published():
    bench = Bench()
    bench.kept[f"{PLACE}/__agentInfo__"] = ONLINE
    bench.vrpc.kept(f"{PLACE}/__agentInfo__", ONLINE)
    assert bench.agent["status"] == "offline"
    bench.vrpc.restored()
    assert json.loads(bench.kept[f"{PLACE}/__agentInfo__"]) == {"status": "offline", "hostname": "pi", "v": 3}


def test_an_agent_whose_connection_ends_without_a_word_is_offline_for_everybody():
    bench = Bench().online()
    bench.wait(50)
    bench.leave()
    assert (bench.agent["status"], bench.agent["since"], bench.agent["integration_id"]) == ("offline", 1_050.0, 0)
    assert json.loads(bench.kept[f"{PLACE}/__agentInfo__"])["status"] == "offline"


@pytest.mark.parametrize(
    "said", [b'"x":1e400', b'"x":NaN', b'"x":' + b"[" * 2_000 + b"]" * 2_000, b'"x":"%b"' % (b"x" * 20_000)]
)
def test_what_is_published_of_an_agent_that_has_gone_can_be_read_by_everybody(said):
    bench = Bench().online()
    bench.tell(f"{AGENT_NAME}/__agentInfo__", b'{"status":"online",' + said + b"}")
    bench.leave()
    assert json.loads(bench.kept[f"{PLACE}/__agentInfo__"]) == {"status": "offline"}


def test_an_agent_that_is_taken_over_stays_who_the_newer_connection_is():
    bench = Bench().online()
    newer = WHO._replace(connection_id="c2", address="192.0.2.2")
    bench.vrpc.left(IDENTITY, WHO)
    bench.online(who=newer)
    bench.vrpc.left(IDENTITY, WHO)
    bench.run()
    assert (bench.agent["status"], bench.agent["address"]) == ("online", "192.0.2.2")
    assert json.loads(bench.kept[f"{PLACE}/__agentInfo__"])["status"] == "online"


def test_a_client_is_no_agent():
    bench = Bench()
    bench.vrpc.joined(Identity(DOMAIN, CLIENT, "host/id"), WHO)
    bench.tell("host/id/__clientInfo__", {"status": "offline"})
    bench.vrpc.left(Identity(DOMAIN, CLIENT, "host/id"), WHO)
    assert bench.do["vrpc_agents"]() == []


def test_only_what_clients_leave_behind_expires():
    vrpc = Bench(client_info=600.0).vrpc
    assert vrpc.lasts(f"{DOMAIN}/host/id/__clientInfo__") == 600.0
    assert vrpc.lasts(f"{PLACE}/__agentInfo__") is None
    assert vrpc.lasts(f"{PLACE}/Press/__classInfo__") is None


def test_agents_are_sorted_by_domain_and_name():
    bench = Bench().online("b").online("a")
    bench.retain("a.other/z/__agentInfo__", ONLINE)
    found = [(one["domain"], one["agent"]) for one in bench.do["vrpc_agents"]()]
    assert found == [("a.other", "z"), (DOMAIN, "a"), (DOMAIN, "b")]
    assert [one["agent"] for one in bench.vrpc.agents(DOMAIN)] == ["a", "b"]
    assert bench.vrpc.agent(DOMAIN, "c") is None


@pytest.mark.parametrize("payload", [b"no json", b"[1]", b"\xff", b"[" * 10_000, b"x" * 20_000])
def test_an_info_that_cannot_be_read_is_a_fault_of_the_agent(payload):
    bench = Bench().online()
    bench.tell(f"{AGENT_NAME}/__agentInfo__", payload)
    assert bench.agent["fault"].startswith("__agentInfo__ cannot be read: ")
    assert bench.agent["status"] == "offline"
    assert bench.online().agent["fault"] == ""


@pytest.mark.parametrize(
    ("info", "shown"),
    [
        ({"hostname": 5}, {"hostname": ""}),
        ({"version": None}, {"version": ""}),
        ({"v": "3"}, {"v": None}),
        ({"v": 10**400}, {"v": None}),
        ({"hostname": "\ud800"}, {"hostname": "?"}),
        ({"hostname": "x" * 1_000}, {"hostname": "x" * 200}),
        ({"version": "<b>1</b>"}, {"version": "<b>1</b>"}),
    ],
)
def test_an_info_of_the_wrong_shape_shows_nothing_of_that(info, shown):
    assert shown.items() <= Bench().online(**info).agent.items()


# --- an agent's end


def test_an_agent_that_clears_its_info_is_gone_with_all_of_its_classes():
    bench = Bench().online()
    for kind in ("__classInfo__", "__classInfoConcise__"):
        bench.tell(f"{AGENT_NAME}/Press/{kind}", class_info())
    bench.tell(f"{AGENT_NAME}/__agentInfo__", b"")
    assert len(bench.kept) == 2, "it is connected, and may come back"
    bench.leave()
    assert (bench.kept, bench.do["vrpc_agents"](), bench.filters) == ({}, [], [])


def test_an_agent_that_comes_back_at_once_keeps_its_classes():
    bench = Bench().online().leave().tell(f"{AGENT_NAME}/Press/__classInfo__", class_info())
    bench.retain(f"{PLACE}/__agentInfo__", b"")
    bench.online()
    assert bench.agent["classes"] == 1


def test_removing_an_agent_clears_all_three_kinds_of_topics():
    bench = Bench().online()
    bench.retain("other/press/__agentInfo__", ONLINE)
    for kind in ("__classInfo__", "__classInfoConcise__"):
        bench.tell(f"{AGENT_NAME}/Press/{kind}", class_info())
    with pytest.raises(Refused, match="connected"):
        bench.do["vrpc_remove"](*KEY)
    bench.leave()
    bench.do["vrpc_remove"](*KEY)
    bench.run()
    assert list(bench.kept) == ["other/press/__agentInfo__"]
    with pytest.raises(Refused, match="no such agent"):
        bench.do["vrpc_remove"](*KEY)


# --- twins


def test_two_that_want_one_name_are_flagged_for_a_while():
    bench = Bench().online()
    for _ in range(2):
        bench.vrpc.rivals(IDENTITY, ("192.0.2.1", "192.0.2.9"))
        bench.wait(10)
    assert bench.agent["twins"] == {"addresses": ["192.0.2.1", "192.0.2.9"], "since": 1_000.0, "times": 2}
    bench.wait(700)
    assert bench.agent["twins"] is None
    bench.vrpc.rivals(IDENTITY, ("192.0.2.1", "192.0.2.9"))
    assert bench.agent["twins"]["times"] == 1
    bench.vrpc.rivals(Identity(DOMAIN, "agent", "unknown"), ("192.0.2.1", "192.0.2.9"))


# --- whose it is

CLAIMANT = Claimant(8, "hall-3", "192.0.2.9")


def owned() -> Bench:
    """Return a bench whose agent is offline, and belongs to integration 7."""
    bench = Bench()
    bench.owners[f"{PLACE}/__agentInfo__"] = 7
    return bench.online().tell("press/Press/__classInfo__", class_info()).leave()


def test_an_agent_that_is_offline_is_shown_with_the_integration_that_it_belongs_to():
    bench = owned()
    assert (bench.agent["integration_id"], bench.agent["integration"]) == (7, "")
    bench.online(who=WHO._replace(integration_id=9, username="hall-9"))
    assert (bench.agent["integration_id"], bench.agent["integration"]) == (9, "hall-9")


def test_an_integration_that_wants_to_be_another_ones_agent_is_shown_for_a_while():
    bench = owned()
    bench.vrpc.claimed(IDENTITY, CLAIMANT)
    shown = {"integration_id": 8, "username": "hall-3", "address": "192.0.2.9", "seen_at": 1_000.0}
    assert bench.agent["claim"] == shown
    bench.wait(500).vrpc.claimed(IDENTITY, CLAIMANT)
    bench.wait(500)
    assert bench.agent["claim"] == shown | {"seen_at": 1_500.0}
    bench.wait(200)
    assert bench.agent["claim"] is None
    for unknown in (Identity(DOMAIN, "agent", "unknown"), Identity(DOMAIN, "client", "press")):
        bench.vrpc.claimed(unknown, CLAIMANT)
    assert bench.agent["claim"] is None


def test_an_agent_is_handed_over_with_all_that_it_has_retained():
    bench = owned()
    bench.vrpc.claimed(IDENTITY, CLAIMANT)
    bench.do["vrpc_hand_over"](*KEY, 8)
    assert bench.owners == {f"{PLACE}/__agentInfo__": 8, f"{PLACE}/Press/__classInfo__": 8}
    assert (bench.agent["integration_id"], bench.agent["claim"]) == (8, None)
    with pytest.raises(Refused, match="does not ask"):
        bench.do["vrpc_hand_over"](*KEY, 8)


def test_nothing_is_handed_over_to_who_has_not_asked_or_while_the_agent_is_there():
    bench = owned()
    for wanted, claims in ((8, False), (9, True)):
        if claims:
            bench.vrpc.claimed(IDENTITY, CLAIMANT)
        with pytest.raises(Refused, match="does not ask"):
            bench.do["vrpc_hand_over"](*KEY, wanted)
    bench.online()
    with pytest.raises(Refused, match="is connected"):
        bench.do["vrpc_hand_over"](*KEY, 8)
    with pytest.raises(Refused, match="no such agent"):
        bench.do["vrpc_hand_over"](DOMAIN, "unknown", 8)
    assert bench.owners == {f"{PLACE}/__agentInfo__": 7}


def test_who_has_a_name_that_is_too_long_to_be_called_is_not_listed():
    bench = Bench().online().tell(f"{'x' * 201}/__agentInfo__", ONLINE)
    assert [one["agent"] for one in bench.do["vrpc_agents"]()] == [AGENT_NAME]
    for name in ("x" * 200, "x" * 201):
        bench.tell(f"{AGENT_NAME}/{name}/__classInfo__", class_info(name))
    assert [one["name"] for one in bench.vrpc.agent(*KEY)["info"]] == ["x" * 200]


# --- limits


def test_agents_and_classes_beyond_the_limits_are_counted_and_not_listed():
    bench = Bench(agents=1, classes=1).online().online("other")
    for name in ("A", "B"):
        bench.tell(f"{AGENT_NAME}/{name}/__classInfo__", class_info(name))
    assert (bench.agent["agent"], bench.agent["classes"]) == (AGENT_NAME, 1)
    assert (bench.exceeded("VRPC_AGENTS"), bench.exceeded("VRPC_CLASSES")) == (2, 1)
    bench.tell(f"{AGENT_NAME}/A/__classInfo__", b"").tell(f"{AGENT_NAME}/B/__classInfo__", class_info("B"))
    assert [one["name"] for one in bench.vrpc.agent(*KEY)["info"]] == ["B"]


def test_an_agent_that_is_connected_is_listed_before_those_that_are_not():
    bench = Bench(agents=2)
    for name in ("a", "b"):
        bench.tell(f"{name}/__agentInfo__", {"status": "offline"}).tell(f"{name}/A/__classInfo__", class_info("A"))
    bench.wait(1)
    bench.online("a").wait(1)
    bench.leave("a")
    bench.online("c")
    assert [one["agent"] for one in bench.vrpc.agents()] == ["a", "c"], "b was offline for longer"
    assert bench.vrpc.agent(DOMAIN, "b") is None and bench.exceeded("VRPC_AGENTS") == 1
    assert f"{DOMAIN}/b/A/__classInfo__" in bench.kept, "clients of MQTT see it as ever"
    bench.online("a").online("b")
    assert [one["agent"] for one in bench.vrpc.agents()] == ["a", "c"], "they are all connected"


def test_many_agents_may_share_a_domain_which_is_listened_to_once():
    bench = Bench().online("a").online("b", Who("c2", 8, "u", "192.0.2.2", "x"))
    assert bench.filters == [f"{DOMAIN}/__gatehouse__/#"]
