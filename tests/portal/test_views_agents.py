"""The page *Agents*: the list, one agent, removing; odd names; and nobody answers."""

from __future__ import annotations

import re

import pytest

from portal import integrations, vrpc_told
from tests.portal.agent_pages import ADD, ONE, OPEN, SAY, form, happened, links, note, shown, version
from tests.portal.live_agents import a_class, function, param
from tests.portal.visitor import ADA, HTMX

MARKUP = '"><script>alert(1)</script>'
LONG = "z" * 65_000


# --- the list


def test_the_list_shows_agents_with_state_host_integration_and_what_they_offer(ada, live_agents, turing):
    live_agents.add(
        "press1", a_class("Press", ADD, SAY, instances=("main",)), integration_id=turing.id, integration="turing"
    )
    live_agents.add("oven", online=False)
    answer = ada.get("/agents")
    press, oven = re.findall(r'<tr id="agent-.*?</tr>', answer.text, re.S)[::-1]
    for part in (">press1<", ">acme.default<", ">Online<", ">cell4<", ">1.2.3<", "1 class<", "2 functions, 1 instance<",
                 f'href="/integrations/{turing.id}"', 'datetime="2023-11-14T22:13:20+00:00"'):  # fmt: skip
        assert part in press, part
    assert ">Offline<" in oven and "0 classes" in oven
    assert ada.get(next(link for link in links(answer) if "press1" in link)).status_code == 200
    assert 'href="/agents" title="Agents" aria-current="page"' in answer.text
    assert 'href="/agents" title="Agents" aria-current="page"' in ada.get(ONE).text


def test_twins_and_faults_are_flagged_with_their_addresses(ada, live_agents):
    twins = {"addresses": ["192.0.2.7", "198.51.100.9"], "since": 1_700_000_000.0, "times": 7}
    live_agents.add("press1", twins=twins)
    live_agents.add("oven", fault="its info is no JSON")
    live_agents.add("fine")
    listed = ada.get("/agents?state=faults").text
    assert (
        "192.0.2.7" in listed and "198.51.100.9" in listed and "its info is no JSON" in listed and "fine" not in listed
    )
    page = ada.get(ONE).text
    assert (
        "Two agents fight for this name" in page
        and "198.51.100.9" in page
        and "7 times so far" in re.sub(r"\s+", " ", page)
    )
    live_agents.add("press1", twins=twins | {"addresses": ["192.0.2.7", "192.0.2.7"]})
    assert 'both from <span class="mono">192.0.2.7</span>' in ada.get("/agents").text
    assert "its info is no JSON" in ada.get("/agents/one?domain=acme.default&agent=oven").text


def names(answer) -> list[str]:
    return re.findall(r'<tr id="agent-\w+">.*?<bdi>([^<]*)</bdi>', answer.text, re.S)


def test_the_list_is_searched_and_filtered_and_has_pages(ada, live_agents):
    for number in range(150):
        live_agents.add(f"a{number:03}", online=number % 2 == 0, hostname=f"Host{number}")
    first = ada.get("/agents")
    assert names(first) == [f"a{number:03}" for number in range(100)] and "1–100 of 150" in first.text
    assert len(names(ada.get(next(link for link in links(first) if "page=2" in link)))) == 50
    assert names(ada.get("/agents?q=HOST14&state=online")) == ["a014", "a140", "a142", "a144", "a146", "a148"]
    assert "No agent matches." in ada.get("/agents?q=nobody").text and ">75</b>" in first.text
    assert ada.get("/agents?page=99999").status_code == ada.get("/agents?page=x&state=x").status_code == 200
    answer = ada.get("/agents/rows?q=a01&state=all", headers={**HTMX, "HX-Trigger": "search"})
    assert answer.headers["HX-Replace-Url"] == "/agents?q=a01"


def test_without_any_agent_the_page_says_how_to_get_one_in(ada, live_agents):
    text = shown(ada.get("/agents"))
    assert "No agents yet" in text
    for part in ("An agent in Python", "An agent in Node", "mqtt://localhost:1883", '"USERNAME"', '"ada.default"'):
        assert part in text, part


def test_polls_are_answered_when_something_shown_changed_and_only_then(ada, press_agent):
    for page, poll in (("/agents", "/agents/rows?"), (OPEN, OPEN.replace("/one", "/one/parts") + "&")):
        seen = version(ada.get(page))
        assert ada.get(f"{poll}v={seen}", headers=HTMX).status_code == 204
        press_agent.agents["acme.default", "press1"]["hostname"] += "x"
        answer = ada.get(f"{poll}v={seen}", headers=HTMX)
        assert answer.status_code == 200 and "<html" not in answer.text and "HX-Push-Url" not in answer.headers
    clicked = ada.get("/agents/one/parts?domain=acme.default&agent=press1&class=Press", headers=HTMX)
    assert clicked.headers["HX-Push-Url"] == OPEN


# --- one agent


def test_a_class_is_only_loaded_when_it_is_opened(ada, press_agent):
    closed = shown(ada.get(ONE))
    assert ">Press</bdi>" in closed and "2 functions, 2 instances" in closed and ">add</bdi>" not in closed
    answer = ada.get(OPEN)
    opened = shown(answer)
    assert ">add</bdi>" in opened and "(<bdi>a, b?</bdi>)" in opened and "Adds two numbers.<" in opened
    assert ">main</bdi>" in opened and "Functions of its instances" in opened
    assert ONE in links(answer), "the link that closes it"
    assert 'Functions of <bdi class="mono">main</bdi>' in shown(ada.get(f"{OPEN}&instance=main"))


def test_a_search_finds_functions_by_name_and_documentation_and_instances(ada, press_agent):
    text = ada.get(f"{OPEN}&q=SLOW").text
    assert ">add</bdi>" in text and ">say</bdi>" not in text and "None contains this." in text
    assert ">spare</bdi>" in ada.get(f"{OPEN}&q=spar").text
    assert "Nothing contains" in ada.get(f"{OPEN}&q=nowhere").text


def test_what_is_listed_of_a_class_is_bounded_and_the_search_finds_the_rest(ada, live_agents):
    functions = [function(f"f{number:04}", is_static=number % 2 == 0) for number in range(1_000)]
    live_agents.add("press1", a_class("Press", *functions, instances=tuple(f"i{number:04}" for number in range(500))))
    text = ada.get(f"{OPEN}&instance=i0499").text
    assert "f0598" in text and "f0600" not in text and "i0099" in text and "i0100" not in text
    assert ">i0499</bdi></a>" in text, "the one that is chosen"
    assert "And 799 more" in text
    assert "f0999" in ada.get(f"{OPEN}&q=f0999").text


def test_a_class_that_cannot_be_read_or_not_yet_says_so(ada, live_agents):
    live_agents.add("press1", a_class("Press", fault="it is <no> JSON"), a_class("Oven") | {"reading": True})
    assert "What this class offers cannot be read: it is <no> JSON" in shown(ada.get(OPEN))
    assert "is being read" in ada.get(f"{ONE}&class=Oven").text


@pytest.mark.parametrize("more", ["&class=Gone", "&class=Press&function=gone", "&class=Press&function=add&overload=1"])
def test_what_is_not_there_any_more_is_said(ada, press_agent, more):
    answer = ada.get(f"{ONE}{more}")
    assert answer.status_code == 200
    assert "function" not in more or "The agent does not have this any more." in answer.text
    assert "There is no agent" in ada.get("/agents/one?domain=acme.default&agent=gone").text


# --- removing


def test_an_offline_agent_is_removed_and_an_online_one_is_not(ada, live_agents):
    live_agents.add("press1", online=False)
    (confirm,) = {link for link in links(ada.get(ONE)) if link.startswith("/agents/remove?")}
    question = ada.get(confirm)
    assert "Its retained topics are cleared" in question.text
    live_agents.add("press1")
    assert "/agents/remove" not in ada.get(ONE).text
    assert ada.post(confirm).location == ONE and "The agent is online." in ada.get(ONE).text
    live_agents.add("press1", online=False)
    assert ada.post(confirm).location == "/agents" and not live_agents.agents
    assert happened("agent.removed") == [(ADA, "press1")] and "press1 is removed." in ada.get("/agents").text


# --- handing over


def claimed_by(integration) -> dict:
    """Return the claim of an integration."""
    return {
        "integration_id": integration.id, "username": integration.username, "address": "198.51.100.9", "seen_at": 1.7e9,
    }  # fmt: skip


@pytest.mark.parametrize("few", [0, vrpc_told.FEW])
def test_an_agent_that_is_offline_is_shown_with_the_integration_that_it_belongs_to(
    ada, live_agents, turing, monkeypatch, few
):
    monkeypatch.setattr(vrpc_told, "FEW", few)
    live_agents.add("press1", online=False, integration_id=turing.id)
    live_agents.add("oven", online=False, integration_id=4_711)
    press, oven = re.findall(r'<tr id="agent-.*?</tr>', ada.get("/agents").text, re.S)[::-1]
    assert f'href="/integrations/{turing.id}">turing<' in press and "/integrations/" not in oven
    assert f'href="/integrations/{turing.id}">turing<' in ada.get(ONE).text


def test_an_agent_is_handed_over_to_the_integration_that_asks_for_it(ada, live_agents, turing, actor, sealer):
    lovelace = integrations.create(actor, sealer, "vrpc", username="lovelace", domain="acme.default")
    live_agents.add("press1", online=False, integration_id=turing.id, claim=claimed_by(lovelace))
    assert "wants to be it, and is refused" in ada.get("/agents?state=faults").text
    page = ada.get(ONE)
    assert 'belongs to <bdi class="mono">turing</bdi>' in page.text and "198.51.100.9" in page.text
    (confirm,) = {link for link in links(page) if link.startswith("/agents/hand-over?")}
    question = ada.get(confirm, headers=HTMX)
    assert "cannot be it any more" in question.text and "Leave it" in question.text
    (address,) = re.findall(r'action="(/agents/hand-over/[^"]+)"', shown(question))
    assert ada.post(address).location == ONE
    assert live_agents.agents["acme.default", "press1"]["integration_id"] == lovelace.id
    assert happened("agent.handed-over") == [(ADA, "press1")]
    assert "press1 belongs to lovelace" in ada.get(ONE).text
    assert "was given the agent press1" in ada.get("/activity").text
    for gone in (address, address.replace(f"/{lovelace.id}?", "/4711?")):
        assert ada.post(gone).location == ONE
    assert "no integration has the id 4711" in (late := ada.get(ONE).text) and "does not ask any more" in late
    assert ada.get(confirm).location == ONE and "Nobody asks for this agent any more." in ada.get(ONE).text
    assert len(happened("agent.handed-over")) == 1


def test_nothing_is_handed_over_while_the_agent_is_online(ada, live_agents, turing):
    live_agents.add("press1", claim=claimed_by(turing))
    assert "hand-over" not in ada.get(ONE).text and "wants to be it" not in ada.get("/agents").text


# --- odd names


ODD = ("", LONG, f"{MARKUP}", "\u202eevil\x00\x1b", "a%2F?b#c&d=e+f", "..", "\ud800half", "a\nb")


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_whatever_things_are_called_they_are_shown_harmless_and_can_be_called(ada, live_agents, name):
    topic = name.replace("\x00", "").replace("\ud800", "")
    odd = function(
        name, param(name, name, name * 2), is_static=True, description=name, ret={"type": name, "description": name}
    )
    live_agents.add(topic, a_class(name, odd, instances=(name,)), domain=topic, hostname=name, version=name, fault=name)
    page = ada.get("/agents")
    for marker in ("class=", "instance=", "function="):
        assert "<script>alert" not in page.text and "\u202e" not in page.text
        page = ada.get(
            next(link for link in links(page) if link.startswith("/agents/one?") and marker.rstrip("=") in link)
            if marker != "class="
            else class_link(ada, page)
        )
        assert page.status_code == 200
    assert "<script>alert" not in page.text and "\u202e" not in page.text and len(page.text) < 120_000
    address, hidden = form(page)
    assert len(address) < 4_000
    ada.post(address, {**hidden, "arg-0": '"x"'})
    assert live_agents.calls == [(topic, topic, name, "", name, '["x"]', None)]
    ((_, detail),) = happened("agent.called")
    assert detail.isprintable() and len(detail) <= 256


def class_link(ada, page) -> str:
    """Follow the list to an agent, and return the link to its class."""
    agent = ada.get(next(link for link in links(page) if link.startswith("/agents/one?")))
    return next(link for link in links(agent) if "&class=" in link)


@pytest.mark.parametrize(
    "query",
    ["class=%00", "overload=%00", "overload=²", "class-digest=zz&class=x", "act=x", "q=%01", "call=%00", "watch=%00"],
)
def test_an_address_that_nobody_made_breaks_nothing(ada, press_agent, query):
    for path in ("one", "one/parts", "outcome", "events", "delete", "remove"):
        assert ada.get(f"/agents/{path}?domain=acme.default&agent=press1&{query}").status_code in (200, 404), path
    for path in ("one", "one/parts", "outcome", "events", "delete", "remove"):
        assert ada.get(f"/agents/{path}?{query}").status_code == 404, path


# --- nobody answers


def test_the_pages_say_when_the_protocol_servers_are_away(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    press_agent.stop()
    for path in ("/agents", f"{OPEN}&function=add&call=c1&watch=w1"):
        answer = ada.get(path)
        assert answer.status_code == 200 and "The protocol servers do not answer." in answer.text, path
    assert 'data-poll="/agents/one/parts?domain=acme.default&amp;agent=press1&amp;class=Press' in answer.text
    answer = ada.post(address, {**hidden, "arg-0": "typed", "more": "[1]"})
    assert answer.status_code == 503 and "\ntyped</textarea>" in shown(answer) and "\n[1]</textarea>" in shown(answer)
    assert ada.post(address, {**hidden, "arg-0": "typed"}, headers=HTMX).mimetype == "text/plain"
    answer = ada.post(f"{OPEN}&instance=main".replace("/one", "/watch"), {"event": "typed"})
    assert answer.status_code == 503 and 'value="typed"' in answer.text and "Try again." in note(answer, "event")
    for path in ("outcome", "events"):
        assert ada.get(f"/agents/{path}?domain=d&agent=a&call=c1").status_code == 204
    assert not happened("agent.called")
