"""The form for a poll or a watch: what can be read, what is refused here, and what the agent says to the rest."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from portal.edge import feed_form
from tests.portal import edge_pages
from tests.portal.agent_pages import note, shown
from tests.portal.edge_pages import asked, polled, recorded
from tests.portal.live_agents import a_class, function
from tests.portal.visitor import HTMX

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

PART = {**HTMX, "HX-Target": "feed-form"}
POLL = {"name": "a", "source": "box/read", "arg-0": "box/a.txt", "topic": "plant/a", "interval": "0.5"}


@pytest.fixture
def place(hall1, live_hall1) -> str:
    """The address of the form."""
    live_hall1.answers = {}
    return f"/edge/{hall1.id}/feed"


def test_what_only_reads_can_be_chosen(ada, place):
    text = shown(ada.get(place))
    assert re.findall(r'<option value="([^"]+)"', text.partition('id="source"')[2].partition("</select>")[0]) == [
        "box/read",
        "box/watch",
        "machine/cpu",
    ]
    assert "box.watch (watch)" in text and "disabled>Save" in text


def test_choosing_brings_the_fields_and_keeps_what_was_typed(ada, place, live_hall1):
    text = shown(ada.post(f"{place}/choose", {"name": "typed", "source": "box/read"}, headers=PART))
    assert text.startswith('<form id="feed-form"') or '<form id="feed-form"' in text[:400]
    for part in ('value="typed"', 'id="arg-0"', 'id="arg-1"', "Left empty: 100.", 'id="interval"', 'value="5"'):
        assert part in text, part
    watch = shown(ada.post(f"{place}/choose", {"source": "box/watch"}))
    assert 'id="interval"' not in watch and 'id="arg-1"' not in watch and "It tells by itself" in watch
    assert "<html" in watch, "without scripts it is a page"
    assert not live_hall1.calls


def test_a_poll_is_sent_to_the_agent_and_recorded_and_the_page_follows_when_it_is_taken(ada, place, live_hall1, hall1):
    typed = POLL | {"arg-1": "", "send": "change", "deadband": "0,25", "spread": "on"}
    answer = ada.post(place, typed, headers=PART)
    ((function, arguments),) = asked(live_hall1)
    assert function == "set_feed" and json.loads(arguments) == [
        "a",
        edge_pages.DEFINITION | {"arguments": ["box/a.txt"]},
    ]
    assert recorded() == [("edge.feed-set", "hall1", "a")]
    there = polled(answer, "feed-outcome")
    assert ada.get(there, headers=HTMX).status_code == 204
    live_hall1.ends(value=True)
    done = ada.get(there, headers=HTMX)
    assert done.headers["HX-Redirect"] == f"/edge/{hall1.id}" and "a is set." in ada.get(f"/edge/{hall1.id}").text


def test_what_the_agent_refuses_is_told_at_the_form(ada, place, live_hall1):
    answer = ada.post(place, POLL, headers=PART)
    live_hall1.ends("failed", error="there would be 5001 feeds")
    text = ada.get(polled(answer, "feed-outcome"), headers=HTMX).text
    assert "does not take it: there would be 5001 feeds" in text and "data-poll" not in text


def test_without_scripts_a_button_looks_what_came_of_it(ada, place, live_hall1, hall1):
    answer = ada.post(place, POLL)
    assert 'name="look" value="c1"' in answer.text and 'value="plant/a"' in answer.text
    assert "is asked to take it" in ada.post(place, POLL | {"look": "c1"}).text
    live_hall1.ends("failed", error="no")
    assert "does not take it: no" in ada.post(place, POLL | {"look": "c1"}).text
    live_hall1.ends(value=True)
    assert ada.post(place, POLL | {"look": "c1"}).location == f"/edge/{hall1.id}"
    assert len(live_hall1.calls) == 1


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        ("name", " ", "A name is required"),
        ("name", "a\x1b", "control or invisible"),
        ("name", "a" * 201, "at most 200"),
        ("topic", "", "A topic is required"),
        ("topic", "plant/#", "cannot hold + or #"),
        ("topic", "$SYS/x", "the server's own"),
        ("topic", "a" * 1001, "at most 1,000"),
        ("topic", "a\u202e", "control or invisible"),
        ("interval", "", "from 0.05 to 604,800"),
        ("interval", "0.01", "from 0.05 to 604,800"),
        ("interval", "nan", "from 0.05 to 604,800"),
        ("deadband", "-1", "A number, such as 0.5."),
        ("deadband", "inf", "A number, such as 0.5."),
        ("arg-0", "", "A value is required."),
        ("arg-1", "many", "This has to be a whole number"),
        ("source", "box/write", "does not offer this any more"),
        ("source", "", "Choose what is to be read."),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_sent(ada, place, live_hall1, field, text, why):
    answer = ada.post(place, POLL | {field: text}, headers=PART)
    assert answer.status_code == 422 and why in note(answer, field)
    assert not live_hall1.calls and not recorded()


def test_a_feed_is_changed_with_what_the_agent_has_of_it(ada, place, live_hall1):
    first = ada.get(f"{place}?name=a")
    assert asked(live_hall1) == [("feed", '["a"]')]
    assert ada.get(first.location, headers=HTMX).status_code == 204
    assert "Asking the Edge Connector" in ada.get(first.location).text
    live_hall1.ends(value=edge_pages.DEFINITION)
    assert ada.get(first.location, headers=HTMX).headers["HX-Redirect"] == first.location
    text = shown(ada.get(first.location))
    for part in ('name="original" value="a"', "box/a.txt</textarea>", 'value="plant/a"', 'value="0.5"', 'value="0.25"',
                 '"change" selected', 'name="spread" checked'):  # fmt: skip
        assert part in text, part
    assert 'name="retain" checked' not in text
    assert parse_qs(urlsplit(first.location).query) == {"name": ["a"], "call": ["c1"]}


def test_of_an_agent_that_says_it_offers_millions_some_are_shown(ada, place, live_hall1, hall1, monkeypatch):
    monkeypatch.setattr(feed_form, "MOST_CLASSES", 3)
    monkeypatch.setattr(feed_form, "MOST_SOURCES", 40)
    reads = [function(f"f{number}", reads=True) for number in range(30)]
    for offered, most in ((reads, (30, 10)), (reads[:1], (3, 3))):
        classes = [a_class(f"C{number}", *offered, instances=("a", "b")) for number in range(9)]
        live_hall1.add("hall1", *classes, integration_id=hall1.id, integration="hall1")
        text = ada.get(place).text
        assert (text.count('<option value="a/'), text.count('<option value="b/')) == most


def test_an_odd_definition_breaks_nothing(ada, place, live_hall1):
    first = ada.get(f"{place}?name=a")
    live_hall1.ends(value=edge_pages.DEFINITION | {"interval": 10**400, "deadband": "x", "topic": "\ud800"})
    live_hall1.outcomes["c1"]["result"] = live_hall1.outcomes["c1"]["result"].replace('"x"', "1e999")
    answer = ada.get(first.location)
    assert answer.status_code == 200 and 'value="?"' in answer.text


def test_a_feed_that_is_gone_is_told_of(ada, place, live_hall1):
    first = ada.get(f"{place}?name=a")
    live_hall1.ends(value=None)
    assert "no poll or watch of this name any more" in ada.get(first.location).text


def test_a_feed_is_removed_after_a_question(ada, place, live_hall1, hall1):
    assert "Remove <bdi" in ada.get(f"{place}/remove?name=a", headers=HTMX).text
    answer = ada.post(f"{place}/remove?name=a")
    assert asked(live_hall1) == [("remove_feed", '["a"]')] and recorded() == [("edge.feed-removed", "hall1", "a")]
    assert answer.location == f"/edge/{hall1.id}?deed=c1&what=feed-removed"
    assert ada.post(f"{place}/remove").status_code == 404


def test_nothing_is_lost_while_the_agent_or_the_servers_are_away(ada, place, live_hall1):
    live_hall1.agents["acme.default", "hall1"]["status"] = "offline"
    answer = ada.post(place, POLL)
    assert answer.status_code == 422 and "not online" in answer.text and 'value="plant/a"' in answer.text
    live_hall1.stop()
    answer = ada.post(place, POLL)
    assert answer.status_code == 503 and 'value="plant/a"' in answer.text and "\nbox/a.txt</textarea>" in answer.text
    assert not recorded()
