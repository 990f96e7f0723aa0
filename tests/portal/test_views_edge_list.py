"""The page *Edge Connectors*: all of them with what they say, their fleets, and what is shown of none."""

from __future__ import annotations

import re

import pytest

from portal import integrations
from portal.edge import connectors, fleets, listing
from portal.models import Activity
from tests.portal.agent_pages import shown
from tests.portal.edge_pages import STATUS, looked, polled
from tests.portal.visitor import HTMX


def names(answer) -> list[str]:
    return re.findall(r'<td class="e-name"><a [^>]*><bdi>([^<]+)<', answer.text)


def test_all_are_listed_with_what_they_are_made_of_and_what_they_say(
    ada, hall1, live_hall1, press_member, actor, sealer
):
    integrations.create(actor, sealer, "edge", username="by-hand", domain="acme.default")
    page = ada.get("/edge")
    assert names(page) == ["by-hand", "hall1", "press-0a1b2c3d"]
    assert "fleet press" in page.text and 'title="HTTP"' in page.text and "1 member, 0 online" in page.text
    assert [call[1:5] for call in live_hall1.calls] == [("hall1", "EdgeConnector", "", "status")]
    text = shown(ada.get(polled(page, "edges"), headers=HTMX))
    assert "2 connectors" in text and "1 poll or watch" in text and "4,211" in text and "</span>17</td>" in text
    assert not Activity.select().where(Activity.kind == "agent.called").exists()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_list_is_sent_again_only_when_it_shows_something_else_and_goes_on_asking(ada, hall1, live_hall1):
    shown = ada.get(looked(ada.get("/edge"), "edges"), headers=HTMX)
    live_hall1.answers = {"status": STATUS | {"uptime": 3_900.0}}
    address = looked(shown, "edges")
    for calls in (3, 4):
        same = ada.get(address, headers=HTMX)
        assert same.status_code == 204 and len(live_hall1.calls) == calls
        address = same.headers["X-Next-Poll"] + address[address.rindex("&v=") :]
    live_hall1.answers = {"status": STATUS | {"values": STATUS["values"] | {"sent": 4_212}}}
    before = ada.get(address, headers=HTMX)
    assert before.status_code == 204, "what is shown is what was answered to the call before"
    address = before.headers["X-Next-Poll"] + address[address.rindex("&v=") :]
    assert "4,212" in ada.get(address, headers=HTMX).text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_list_is_sent_whatever_of_it_changes(ada, hall1, live_hall1, press_member, actor, sealer):
    live_hall1.answers = {}
    (fleet,) = fleets.everything()
    hall = live_hall1.agents["acme.default", "hall1"]
    for change, tells in (
        (lambda: integrations.set_note(hall1.id, "by the door", actor), "by the door"),
        (lambda: integrations.rename(hall1.id, "hall2", actor), "hall2"),
        (lambda: hall.update(version="0.0.9"), "is available"),
        (lambda: hall.update(status="offline"), "Offline <b>2<"),
        (lambda: integrations.set_active(hall1.id, False, actor), "Inactive"),
        (lambda: fleets.set_open(fleet.id, False, actor), "Closed"),
        (lambda: fleets.delete(fleet.id, actor), "press-0a1b2c3d"),
        (lambda: integrations.create(actor, sealer, "edge", username="third", domain="acme.default"), "third"),
        (lambda: connectors.remove(press_member.id, actor), "third"),
        (live_hall1.stop, "do not answer"),
    ):
        address = looked(ada.get("/edge"), "edges")
        assert ada.get(address, headers=HTMX).status_code == 204, f"before: {tells}"
        change()
        answer = ada.get(address, headers=HTMX)
        assert answer.status_code == 200 and tells in answer.text, tells


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_search_keeps_the_state_and_the_fleet_which_the_list_names(ada, hall1, live_hall1, press_member):
    fleet = fleets.everything()[0]
    page = ada.get(f"/edge?fleet={fleet.id}&state=offline&q=press")
    form = page.text[page.text.index('<form class="search"') :]
    assert f'name="fleet" value="{fleet.id}"' in form and 'name="state" value="offline"' in form
    assert form.count('name="q"') == 1
    assert "Only members of the fleet" in page.text and 'href="/edge?q=press&state=offline"' in shown(page)
    assert "Only members" not in ada.get("/edge").text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_list_is_searched_and_filtered(ada, hall1, live_hall1, press_member):
    assert names(ada.get("/edge?q=CELL4")) == ["hall1"]
    assert names(ada.get("/edge?q=press")) == ["press-0a1b2c3d"]
    assert names(ada.get("/edge?state=online")) == ["hall1"]
    assert names(ada.get("/edge?state=offline")) == ["press-0a1b2c3d"]
    fleet = fleets.everything()[0]
    assert names(ada.get(f"/edge?fleet={fleet.id}")) == ["press-0a1b2c3d"]
    assert "No Edge Connector matches." in ada.get("/edge?q=absent").text
    live_hall1.answers = {}
    rows = ada.get("/edge/rows?state=offline", headers=HTMX)
    assert rows.headers["HX-Push-Url"] == "/edge?state=offline"
    (version,) = re.findall(r'id="edges".*?data-version="(\w+)"', rows.text, re.S)
    assert ada.get(f"/edge/rows?state=offline&v={version}").status_code == 204
    for odd in ("page=²", "page=0", "fleet=x", "calls=,:,x:y,1", "state=odd", "fleet=99999999999999999999"):
        assert ada.get(f"/edge?{odd}").status_code == 200, odd


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_version_that_is_not_this_releases_is_told_of(ada, hall1, live_hall1):
    assert "is available" not in ada.get("/edge").text
    live_hall1.agents["acme.default", "hall1"]["version"] = "0.0.9"
    assert "is available" in ada.get("/edge").text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_many_are_shown_page_by_page(ada, hall1, live_hall1, press_member, monkeypatch):
    monkeypatch.setattr(listing, "PAGE", 1)
    first = ada.get("/edge")
    assert names(first) == ["hall1"] and "1–1 of 2" in first.text and 'href="/edge?page=2"' in first.text
    assert names(ada.get("/edge?page=2")) == ["press-0a1b2c3d"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_empty_page_explains_and_offers_the_first_step(ada, live_agents, actor, sealer):
    page = ada.get("/edge")
    assert "No Edge Connector yet" in page.text and 'href="/edge/new"' in page.text
    live_agents.stop()
    connectors.create(actor, sealer, name="a", domain="acme.default", connectors=[], target="docker")
    silent = ada.get("/edge")
    assert "The protocol servers do not answer." in silent.text and names(silent) == ["a"]
