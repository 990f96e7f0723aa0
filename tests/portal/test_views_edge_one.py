"""The page of one Edge Connector: what it says of itself, what is done to it, and what is said when it is not there."""

from __future__ import annotations

import base64
import hmac
import json
import re
from datetime import timedelta

import pytest

from edge_connector import VERSION
from portal import activity, clock, integrations, presence
from portal.activity import LoginLog, LoginNote
from portal.edge import fleets
from portal.models import Activity, Integration
from tests.portal import edge_pages
from tests.portal.agent_pages import shown
from tests.portal.edge_pages import asked, looked, polled, recorded
from tests.portal.visitor import HTMX

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def place(it: Integration) -> str:
    return f"/edge/{it.id}"


def refuse(it: Integration, reason: str, log: LoginLog | None = None) -> None:
    """Have a login of an Edge Connector refused; of one log, repeats are counted in one row."""
    note = LoginNote(activity.REFUSED, clock.now(), "mqtt", it.username, "192.0.2.99", reason, it.id)
    (log or LoginLog()).write([note])


def connected(key: str, integration_id: int) -> presence.Connected:
    return presence.Connected(key, integration_id, "mqtt", "x", "192.0.2.7", clock.now())


def test_the_page_begins_to_ask_and_shows_what_was_answered_at_the_next_look(ada, hall1, live_hall1):
    page = ada.get(place(hall1))
    assert "Online" in page.text and "Asking the Edge Connector…" in page.text
    assert asked(live_hall1) == [("status", "[]"), ("some_feeds", '["", 0, 50]'), ("log", "[60]")]
    how = shown(ada.get(polled(page, "edge"), headers=HTMX))
    for part in ("cell4", "Linux x86_64", "3.11.7", "1 h 2 min", "17 <small>", "4,211", "3 <small>times", "0.1.0",
                 'box</bdi> <span class="quiet">Files', "/agents/one?domain=acme.default&agent=hall1"):  # fmt: skip
        assert part in how, part
    feeds = shown(ada.get(polled(page, "edge-feeds"), headers=HTMX))
    for part in (
        "machine.cpu</bdi>",
        "/topics?topic=plant/cpu",
        "every 5 s",
        "on change",
        "it took too long",
        "2 left out",
    ):
        assert part in feeds.replace("%2F", "/"), part
    log = ada.get(polled(page, "edge-log"), headers=HTMX).text
    assert log.index("last line") < log.index("first line")
    assert len(live_hall1.calls) == 6, "each look begins the next call"


def test_a_look_has_nothing_new_while_the_agent_thinks_and_puts_nothing_on_record(ada, hall1, live_hall1):
    live_hall1.answers = {}
    before = Activity.select().count()
    page = ada.get(place(hall1))
    for part in ("edge", "edge-feeds", "edge-log"):
        assert ada.get(polled(page, part), headers=HTMX).status_code == 204, part
    assert len(live_hall1.calls) == 3, "one call is under way at a time"
    assert Activity.select().count() == before


def test_a_part_is_sent_again_only_when_it_shows_something_else_and_goes_on_asking(ada, hall1, live_hall1):
    page = ada.get(place(hall1))
    live_hall1.answers = edge_pages.answers(status=edge_pages.STATUS | {"uptime": 3_725.0})
    for part, function, changed in (
        ("edge", "status", edge_pages.STATUS | {"host": "cell5"}),
        ("edge-feeds", "some_feeds", {"count": 1, "matching": 1, "feeds": [edge_pages.FEED | {"fault": "cell5"}]}),
        ("edge-log", "log", ["cell5"]),
    ):
        address = looked(ada.get(looked(page, part), headers=HTMX), part)
        version = address[address.rindex("v=") :]
        live_hall1.answers |= {function: changed}
        before = len(live_hall1.calls)
        same = ada.get(address, headers=HTMX)
        assert same.status_code == 204 and len(live_hall1.calls) == before + 1, part
        assert "cell5" in ada.get(f"{same.headers['X-Next-Poll']}&{version}", headers=HTMX).text, part


def test_the_page_is_sent_whatever_of_it_changes(ada, press_member, live_agents, node, actor):
    (fleet,) = fleets.everything()
    log = LoginLog()
    for change, tells in (
        (lambda: refuse(press_member, "wrong password"), "Its login was refused"),
        (lambda: refuse(press_member, "another instance", log), "Another instance was refused"),
        (lambda: refuse(press_member, "another instance", log), "2 times"),
        (lambda: fleets.delete(fleet.id, actor), "Download"),
        (lambda: integrations.rename(press_member.id, "hall2", actor), ">hall2<"),
        (lambda: live_agents.add("hall2", integration_id=press_member.id, online=False), "last seen"),
        (lambda: node.write([connected("c1", press_member.id)]), "Connected"),
        (lambda: integrations.set_active(press_member.id, False, actor), "Inactive"),
    ):
        address = looked(ada.get(place(press_member)), "edge")
        assert ada.get(address, headers=HTMX).status_code == 204, f"before: {tells}"
        change()
        answer = ada.get(address, headers=HTMX)
        assert answer.status_code == 200 and tells in answer.text, tells


def test_every_part_tells_who_has_gone_offline_and_asks_again_who_is_back(ada, hall1, live_hall1):
    page = ada.get(place(hall1))
    hall = live_hall1.agents["acme.default", "hall1"]
    for part, offline, back in (
        ("edge", "last seen", "Restart"),
        ("edge-feeds", "are shown here while it is online", "Asking the Edge Connector…"),
        ("edge-log", "is shown here while", "Asking the Edge Connector…"),
    ):
        shown = ada.get(looked(page, part), headers=HTMX)
        hall["status"] = "offline"
        gone = ada.get(looked(shown, part), headers=HTMX)
        assert offline in gone.text, part
        same = ada.get(looked(gone, part), headers=HTMX)
        assert same.status_code == 204 and "_call" not in same.headers["X-Next-Poll"], part
        hall["status"] = "online"
        here = ada.get(looked(gone, part), headers=HTMX)
        assert back in here.text and "_call=" in polled(here, part), part


def test_without_scripts_the_page_comes_again_once_with_the_answers(ada, hall1, live_hall1):
    page = ada.get(place(hall1))
    (again,) = [part.split('"')[0] for part in shown(page).split('content="1; url=')[1:]]
    whole = ada.get(again)
    assert "deed=c9" in shown(ada.get(f"{place(hall1)}?deed=c9&what=restart")).split('content="1; url=')[1]
    assert "4,211" in whole.text and "last line" in whole.text and 'content="1; url=' not in whole.text


@pytest.mark.parametrize("value", [None, [], 7, {"values": [], "connectors": [], "uptime": "long", "connection": 1},
                                   {"values": {"sent": True, "buffered": float("1e400")}},
                                   {"uptime": 10**400, "feeds": [{"name": "a", "interval": -(10**400)}], "count": 1},
                                   {"host": "\ud800", "feeds": [{"name": "\udfff", "topic": "\ud800"}]},
                                   ["\ud83d"]])  # fmt: skip
def test_odd_answers_break_nothing(ada, hall1, live_hall1, value):
    live_hall1.answers = dict.fromkeys(("status", "some_feeds", "log"), value)
    page = ada.get(place(hall1))
    for part in ("edge", "edge-feeds", "edge-log"):
        assert ada.get(polled(page, part), headers=HTMX).status_code == 200, part


def test_an_agent_that_says_more_than_it_is_asked_for_fills_no_page(ada, hall1, live_hall1):
    connectors = {f"c{number}": "Files" for number in range(5_000)}
    live_hall1.answers = edge_pages.answers(
        some_feeds={"count": 1, "feeds": [{}] * 20_000}, status=edge_pages.STATUS | {"connectors": connectors}
    )
    page = ada.get(place(hall1))
    assert ada.get(polled(page, "edge-feeds"), headers=HTMX).text.count('<tr id="feed-') == 50
    assert ada.get(polled(page, "edge"), headers=HTMX).text.count('<bdi class="mono">c') == 200


@pytest.mark.parametrize("result", ["[" * 30_000 + "]" * 30_000, "1" * 5_000])
def test_an_answer_that_python_cannot_read_is_told_of(ada, hall1, live_hall1, result):
    page = ada.get(place(hall1))
    for number in (1, 2, 3):
        live_hall1.outcomes[f"c{number}"] |= {"result": result, "size": len(result)}
    for part in ("edge", "edge-feeds", "edge-log"):
        assert "The answer cannot be read" in ada.get(polled(page, part), headers=HTMX).text, part


def test_what_an_agent_says_is_shown_harmless(ada, hall1, live_hall1):
    nasty = "<script>alert(1)</script>\u202e"
    feed = edge_pages.FEED | dict.fromkeys(("name", "connector", "function", "topic", "fault"), nasty)
    status = edge_pages.STATUS | {
        "host": nasty,
        "connectors": {nasty: nasty},
        "update": {"state": "failed", "error": nasty},
    }
    live_hall1.answers = {"status": status, "log": [nasty], "some_feeds": {"count": 1, "matching": 1, "feeds": [feed]}}
    page = ada.get(place(hall1))
    for part in ("edge", "edge-feeds", "edge-log"):
        text = ada.get(polled(page, part), headers=HTMX).text
        assert "alert(1)" in text and "<script>" not in text and "\u202e" not in text, part


def test_a_call_that_fails_says_why_and_the_next_one_is_begun(ada, hall1, live_hall1):
    live_hall1.answers = {}
    page = ada.get(place(hall1))
    live_hall1.outcomes["c1"] |= {"state": "failed", "error": "EdgeConnector has no function status"}
    text = ada.get(polled(page, "edge"), headers=HTMX).text
    assert "EdgeConnector has no function status" in text and len(live_hall1.calls) == 4
    live_hall1.outcomes["c3"] |= {"state": "done", "result": '["cut', "size": 90_000}
    assert "too long to be shown" in ada.get(polled(page, "edge-log"), headers=HTMX).text


def test_who_is_offline_is_not_asked_and_the_page_says_what_can_be_done(ada, hall1, live_agents):
    page = ada.get(place(hall1))
    assert "It has never connected." in page.text and "it has not come yet" in page.text
    assert f'href="/edge/{hall1.id}/download"' in page.text and "Restart" not in page.text
    live_agents.add("hall1", integration_id=hall1.id, online=False)
    page = ada.get(place(hall1))
    assert "journalctl -u gatehouse-edge-hall1" in page.text and "last seen <time" in page.text
    (version,) = re.findall(r'id="edge".*?data-version="(\w+)"', page.text, re.S)
    assert ada.get(f"{polled(page, 'edge')}?v={version}").status_code == 204
    assert not live_agents.calls


def test_an_inactive_one_is_told_of(ada, hall1, live_agents, actor):
    integrations.set_active(hall1.id, False, actor)
    assert "Its integration is inactive" in ada.get(place(hall1)).text


def test_a_second_instance_that_was_refused_is_told_of(ada, hall1, live_hall1):
    refuse(hall1, "another instance of this Edge Connector is online")
    text = ada.get(place(hall1)).text
    assert "Another instance was refused" in text and "192.0.2.99" in text


def test_another_refused_login_is_only_told_of_while_it_is_offline(ada, hall1, live_hall1):
    refuse(hall1, "wrong password")
    assert "Its login was refused" not in ada.get(place(hall1)).text
    live_hall1.agents.clear()
    assert "wrong password" in ada.get(place(hall1)).text


def test_an_old_refusal_is_no_news(ada, hall1, live_hall1):
    refuse(hall1, "another instance of this Edge Connector is online")
    old = clock.now() - timedelta(hours=2)
    Activity.update(at=old, last_at=old).where(Activity.kind == activity.REFUSED).execute()
    Integration.update(last_login=clock.now() - timedelta(hours=1)).where(Integration.id == hall1.id).execute()
    assert "Another instance" not in ada.get(place(hall1)).text


def test_an_agent_of_the_same_name_by_another_integration_is_not_it(ada, hall1, live_agents):
    live_agents.add("hall1", *edge_pages.CLASSES, integration_id=hall1.id + 50)
    assert "It has never connected." in ada.get(place(hall1)).text
    live_agents.add("named-otherwise", *edge_pages.CLASSES, integration_id=hall1.id)
    live_agents.add("a-name-before", *edge_pages.CLASSES, integration_id=hall1.id, online=False)
    live_agents.add("z-name-before", *edge_pages.CLASSES, integration_id=hall1.id, online=False)
    assert "Online" in ada.get(place(hall1)).text, "it is known by its credentials"
    assert ">Online<" in ada.get("/edge/rows").text


def test_a_restart_is_asked_for_recorded_and_its_outcome_told(ada, hall1, live_hall1):
    assert "Restart" in ada.get(f"{place(hall1)}/restart", headers=HTMX).text
    live_hall1.answers["restart"] = True
    answer = ada.post(f"{place(hall1)}/restart")
    assert answer.location == f"{place(hall1)}?deed=c1&what=restart"
    assert "It restarts." in ada.get(answer.location).text
    assert recorded() == [("edge.restarted", "hall1", "")]
    assert "was told to restart" in ada.get("/activity").text


def test_a_restart_under_way_is_looked_at_until_it_has_ended(ada, hall1, live_hall1):
    live_hall1.answers = {}
    answer = ada.get(ada.post(f"{place(hall1)}/restart").location)
    there = polled(answer, "deed")
    assert ada.get(there, headers=HTMX).status_code == 204
    live_hall1.outcomes["c1"] |= {"state": "failed", "error": "not now"}
    assert "It does not restart.</strong> not now" in ada.get(there, headers=HTMX).text
    assert ada.get(f"{place(hall1)}/outcome?deed=c1&what=odd").status_code == 404


def updating(**changes) -> dict:
    """Return the status of an agent of another version, and of its update."""
    return edge_pages.STATUS | {"version": "0.0.9", "update": edge_pages.STATUS["update"] | changes}


def test_an_update_is_sent_with_what_proves_that_it_is_from_here(ada, hall1, live_hall1, sealer):
    live_hall1.answers = {"status": updating(), "update": True}
    page = ada.get(polled(ada.get(place(hall1)), "edge"), headers=HTMX)
    assert f'href="{place(hall1)}/update"' in page.text and f"{VERSION} is available" in page.text
    assert f"to {VERSION}?" in ada.get(f"{place(hall1)}/update", headers=HTMX).text
    live_hall1.agents["acme.default", "hall1"]["version"] = "\u202e1.0"
    assert r"It runs version <bdi>\u202e1.0</bdi>" in ada.get(f"{place(hall1)}/update", headers=HTMX).text
    live_hall1.calls.clear()
    answer = ada.post(f"{place(hall1)}/update")
    version, archive, mac = json.loads(live_hall1.calls[0][5])
    password = sealer.open(hall1.sealed_password).encode()
    body = base64.b64decode(archive)
    assert version == VERSION and mac == hmac.digest(password, version.encode() + b"\0" + body, "sha256").hex()
    assert "what becomes of it is said above" in ada.get(answer.location).text
    assert recorded() == [("edge.updated", "hall1", VERSION)]


@pytest.mark.parametrize(
    ("changes", "says", "is_offered"),
    [
        ({"state": "installing", "version": "0.1.0"}, "it is being installed", False),
        ({"state": "trial", "version": "0.1.0"}, "on trial", False),
        (
            {"state": "failed", "version": "0.1.0", "error": "no disk"},
            "and version 0.0.9 runs: no disk",
            True,
        ),
        ({"possible": False}, "download and install it", False),
        ({"state": "done", "version": "0.0.9"}, "is available", True),
    ],
)
def test_the_progress_of_an_update_is_told(ada, hall1, live_hall1, changes, says, is_offered):
    live_hall1.answers = {"status": updating(**changes)}
    text = ada.get(polled(ada.get(place(hall1)), "edge"), headers=HTMX).text
    assert says in text and (f'href="{place(hall1)}/update"' in text) == is_offered


def test_a_password_that_cannot_be_opened_is_told_of(ada, hall1, live_hall1):
    Integration.update(sealed_password=b"damaged").where(Integration.id == hall1.id).execute()
    for answer in (
        ada.post(f"{place(hall1)}/update"),
        ada.post(f"{place(hall1)}/download", {"host": "a", "way": "tls"}),
    ):
        assert answer.status_code == 409 and "cannot be read" in answer.text
    assert not live_hall1.calls and not recorded()


def test_who_is_offline_is_not_told_to_restart(ada, hall1, live_agents):
    assert ada.post(f"{place(hall1)}/restart").status_code == 409
    assert not live_agents.calls and not recorded()


def test_one_is_removed_with_its_credentials(ada, hall1, live_hall1):
    assert "cut off at once" in ada.get(f"{place(hall1)}/remove", headers=HTMX).text
    assert ada.post(f"{place(hall1)}/remove").location == "/edge"
    assert "hall1 is removed." in ada.get("/edge").text and not Integration.select().exists()
    assert recorded() == [("edge.removed", "hall1", "")]


def test_other_integrations_have_no_such_page(ada, turing, live_agents):
    for path in ("", "/look", "/feeds", "/log", "/feed", "/restart", "/remove", "/download", "/waiting"):
        assert ada.get(f"/edge/{turing.id}{path}").status_code == 404, path
        assert ada.get(f"/edge/999{path}").status_code == 404, path


def test_the_page_says_when_the_protocol_servers_are_away(ada, hall1, live_hall1):
    live_hall1.stop()
    page = ada.get(place(hall1))
    assert page.status_code == 200 and "The protocol servers do not answer." in page.text
    assert "Not known" in page.text and "Offline" not in page.text
    for part in ("edge", "edge-feeds", "edge-log"):
        assert ada.get(polled(page, part), headers=HTMX).status_code in (200, 204), part
    assert ada.post(f"{place(hall1)}/restart").status_code == 503


def test_its_integration_leads_to_its_page(ada, hall1, live_hall1, turing):
    assert f'href="/edge/{hall1.id}"' in ada.get(f"/integrations/{hall1.id}").text
    assert 'href="/edge/' not in ada.get(f"/integrations/{turing.id}").text.replace('href="/edge/new"', "")


def test_connected_as_somebody_else_is_told_of(ada, hall1, live_agents, node):
    node.write([connected("c1", hall1.id)])
    text = ada.get(place(hall1)).text
    assert "has not said to be an agent of this name" in text
