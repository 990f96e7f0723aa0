"""The page *Agents*: the list, one agent, calls from forms, instances, events; odd names; and nobody answers."""

from __future__ import annotations

import html
import re

import pytest

from portal.models import Activity
from tests.portal.live_agents import a_class, function, param
from tests.portal.visitor import ADA, HTMX

MARKUP = '"><script>alert(1)</script>'
LONG = "z" * 65_000
ADD = function(
    "add",
    param("a", "number", "The first one"),
    param("b", "number", optional=True, default="5"),
    is_static=True,
    description="Adds two numbers.\nSlowly.",
    ret={"type": "number", "description": "the sum"},
)
SAY = function("say", param("text", "string", "What to say"))
ONE = "/agents/one?domain=acme.default&agent=press1"
OPEN = f"{ONE}&class=Press"


def shown(answer) -> str:
    return html.unescape(answer.text)


def links(answer) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="([^"]+)"', answer.text)]


def happened(kind: str) -> list[tuple[str, str]]:
    return [(event.account, event.detail) for event in Activity.select().where(Activity.kind == kind)]


def version(answer) -> str:
    (found,) = re.findall(r'id="agents?".*?data-version="(\w+)"', answer.text, re.S)
    return found


def form(answer) -> tuple[str, dict[str, str]]:
    """Return where the form of the panel is sent to, and what is hidden in it."""
    (address,) = re.findall(r'class="call-form" method="post" action="([^"]+)"', answer.text)
    return html.unescape(address), {"shape": re.findall(r'name="shape" value="(\w*)"', answer.text)[0]}


def note(answer, field: str) -> str:
    """Return what is said to be wrong at a field."""
    found = re.findall(rf'id="{field}-note" role="alert">([^<]*)<', shown(answer))
    return found[0] if found else ""


@pytest.fixture
def press(live_agents):
    """An agent with a class of everything."""
    constructor = function("", param("speed", "integer", optional=True))
    live_agents.add("press1", a_class("Press", ADD, SAY, constructors=(constructor,), instances=("main", "spare")))
    return live_agents


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


def test_polls_are_answered_when_something_shown_changed_and_only_then(ada, press):
    for page, poll in (("/agents", "/agents/rows?"), (OPEN, OPEN.replace("/one", "/one/parts") + "&")):
        seen = version(ada.get(page))
        assert ada.get(f"{poll}v={seen}", headers=HTMX).status_code == 204
        press.agents["acme.default", "press1"]["hostname"] += "x"
        answer = ada.get(f"{poll}v={seen}", headers=HTMX)
        assert answer.status_code == 200 and "<html" not in answer.text and "HX-Push-Url" not in answer.headers
    clicked = ada.get("/agents/one/parts?domain=acme.default&agent=press1&class=Press", headers=HTMX)
    assert clicked.headers["HX-Push-Url"] == OPEN


# --- one agent


def test_a_class_is_only_loaded_when_it_is_opened(ada, press):
    closed = shown(ada.get(ONE))
    assert ">Press</bdi>" in closed and "2 functions, 2 instances" in closed and ">add</bdi>" not in closed
    answer = ada.get(OPEN)
    opened = shown(answer)
    assert ">add</bdi>" in opened and "(<bdi>a, b?</bdi>)" in opened and "Adds two numbers.<" in opened
    assert ">main</bdi>" in opened and "Functions of its instances" in opened
    assert ONE in links(answer), "the link that closes it"
    assert 'Functions of <bdi class="mono">main</bdi>' in shown(ada.get(f"{OPEN}&instance=main"))


def test_a_search_finds_functions_by_name_and_documentation_and_instances(ada, press):
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
def test_what_is_not_there_any_more_is_said(ada, press, more):
    answer = ada.get(f"{ONE}{more}")
    assert answer.status_code == 200
    assert "function" not in more or "The agent does not have this any more." in answer.text
    assert "There is no agent" in ada.get("/agents/one?domain=acme.default&agent=gone").text


# --- the form of a function


def test_a_form_is_made_from_the_documented_parameters(ada, press):
    text = shown(ada.get(f"{OPEN}&function=add"))
    for part in ("Adds two numbers.\nSlowly.", ">a</bdi>", "· <bdi>number</bdi>", "The first one", "· optional",
                 "A number, such as 21.5. Left empty: 5.", ">number</bdi>", "the sum"):  # fmt: skip
        assert part in text, part
    spoken = shown(ada.get(f"{OPEN}&function=say&instance=main"))
    assert "A text as it is, or a JSON string in quotes." in spoken


def test_a_function_of_instances_asks_for_one(ada, press):
    answer = ada.get(f"{OPEN}&function=say")
    assert "Choose an instance of the class to call this with." in answer.text and "call-form" not in answer.text
    assert f"{OPEN}&instance=spare&function=say" in links(answer), "choosing one keeps the function"


def test_one_of_several_functions_of_a_name_is_called_by_its_own_parameters(ada, live_agents):
    live_agents.add("press1", a_class("Press", ADD, function("add", param("text", "string"), is_static=True)))
    address, hidden = form(ada.get(f"{OPEN}&function=add&overload=1"))
    ada.post(address, {**hidden, "arg-0": "hello"})
    assert live_agents.calls == [("acme.default", "press1", "Press", "", "add", '["hello"]', None)]


# --- calling


def test_a_static_function_is_called_and_its_result_shown_and_recorded(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=add&instance=main"))
    answer = ada.post(address, {**hidden, "arg-0": "1.50", "timeout": "5"})
    assert press.calls == [("acme.default", "press1", "Press", "", "add", "[1.50]", 5.0)]
    assert answer.status_code == 200 and "Waiting for the answer." in answer.text and 'value="1.50"' in answer.text
    assert happened("agent.called") == [(ADA, "Press.add of press1")]
    assert "called Press.add of press1" in ada.get("/activity").text
    press.ends(value={"sum": 6.5, "text": "<b>\u202e"})
    looked = ada.post(address, {**hidden, "arg-0": "1.50", "look": "c1"})
    assert '"sum": 6.5,' in shown(looked) and "Returned after 0.250 s." in looked.text
    assert r'"<b>\u202e"' in shown(looked) and "Call again" in looked.text and 'value="1.50"' in looked.text
    assert len(press.calls) == 1


def test_a_poll_of_a_call_is_answered_when_it_has_come_further(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=say&instance=main"))
    answer = ada.post(address, {**hidden, "arg-0": "hi"}, headers=HTMX)
    assert answer.text.lstrip().startswith('<aside id="call"') and press.calls[0][3:6] == ("main", "say", '["hi"]')
    (poll,) = re.findall(r'id="outcome".*?data-poll="([^"]+)"', answer.text, re.S)
    poll = html.unescape(poll)
    assert ada.get(f"{poll}&v=waiting", headers=HTMX).status_code == 204
    press.ends("promised", promise=True)
    assert "The agent has promised a value" in ada.get(f"{poll}&v=waiting", headers=HTMX).text
    press.ends("done", "kept", promise=True, seconds=12.34)
    ended = ada.get(f"{poll}&v=promised", headers=HTMX).text
    assert "The promised value came after 12.3 s." in ended and "data-poll" not in ended and "&#34;kept&#34;" in ended
    press.ends("failed", error="Error: <off>\n  at press.js")
    assert "<off>\n  at press.js" in shown(ada.get(poll, headers=HTMX))
    press.ends("late", seconds=30.0)
    assert "No answer came within 30.0 s." in ada.get(poll, headers=HTMX).text
    press.outcomes.clear()
    assert "is not kept any more" in ada.get(poll, headers=HTMX).text


def test_a_long_result_is_cut_and_says_how_long_it_is(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    ada.post(address, {**hidden, "arg-0": "1"})
    press.ends(result='["' + "x" * 60_000, size=5_000_000)
    answer = ada.post(address, {**hidden, "arg-0": "1", "look": "c1"})
    assert len(answer.text) < 60_000 and "This is the beginning: the result has 5.0 MB." in answer.text


def test_wrong_arguments_are_said_at_their_fields_and_nothing_typed_is_lost(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    answer = ada.post(address, {**hidden, "arg-0": "<one>", "arg-1": "2", "more": "{}", "timeout": "soon"})
    assert answer.status_code == 422 and not press.calls and not happened("agent.called")
    assert note(answer, "arg-0") == "This has to be a number, such as 21.5." and note(answer, "arg-1") == ""
    assert "JSON array" in note(answer, "more") and "number of seconds" in note(answer, "timeout")
    text = shown(answer)
    assert 'value="<one>"' in text and 'value="2"' in text and "\n{}</textarea>" in text and 'value="soon"' in text
    assert answer.text.count("autofocus") == 1


@pytest.mark.parametrize(
    ("field", "there"),
    [("", None), ("agent", None), ("arguments/0", "arg-0"), ("arguments/7", "more"), ("timeout", "timeout")],
)
def test_what_the_server_refuses_is_said_where_it_belongs(ada, press, field, there):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    press.refuses = ("The agent is offline.", field)
    answer = ada.post(address, {**hidden, "arg-0": "1"})
    assert answer.status_code == 422 and 'value="1"' in shown(answer) and not happened("agent.called")
    assert note(answer, there) == "The agent is offline." if there else 'alert-line" role="alert"' in answer.text


def test_a_function_that_has_changed_meanwhile_is_not_called(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    press.add("press1", a_class("Press", function("add", param("text", "string"), is_static=True)))
    answer = ada.post(address, {**hidden, "arg-0": "1"})
    assert (
        answer.status_code == 422 and "The parameters are others" in answer.text and "\n1</textarea>" in shown(answer)
    )
    press.add("press1", a_class("Press"))
    answer = ada.post(address, {**hidden, "arg-0": "1", "arg-1": "2"})
    assert "does not have this any more" in answer.text and "\n2</textarea>" in shown(answer) and not press.calls


def test_a_function_of_an_instance_is_not_called_without_one(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=say&instance=main"))
    answer = ada.post(address.replace("&instance=main", ""), {**hidden, "arg-0": "hi"})
    assert answer.status_code == 422 and not press.calls


# --- instances


def test_an_instance_is_created_by_the_constructors_parameters(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&act=create"))
    for name, fault in (
        ("", "A name is required"),
        ("a/b", "cannot hold"),
        ("x" * 201, "at most"),
        ("a\u202eb", "invisible"),
    ):
        answer = ada.post(address, {**hidden, "instance": name, "arg-0": "x"})
        assert fault in note(answer, "instance") and "whole number" in note(answer, "arg-0"), name
    answer = ada.post(address, {**hidden, "instance": "new", "arg-0": "30"})
    assert press.calls == [("create", "acme.default", "press1", "Press", "new", "[30]", None)]
    assert happened("agent.instance-created") == [(ADA, "Press.new of press1")]
    press.ends(value="new")
    created = ada.post(address, {**hidden, "instance": "new", "arg-0": "30", "look": "c1"})
    assert "Created after" in created.text and f"{OPEN}&instance=new" in links(created)


def test_a_class_without_a_documented_constructor_takes_an_array(ada, live_agents):
    live_agents.add("press1", a_class("Press"))
    address, hidden = form(ada.get(f"{OPEN}&act=create"))
    ada.post(address, {**hidden, "instance": "new", "more": "[1, 2]"})
    assert live_agents.calls == [("create", "acme.default", "press1", "Press", "new", "[1, 2]", None)]


def test_deleting_an_instance_asks_once_and_shows_what_came_of_it(ada, press):
    page = ada.get(f"{OPEN}&instance=main")
    (confirm,) = {link for link in links(page) if link.startswith("/agents/delete?")}
    question = ada.get(confirm)
    assert "Delete the instance" in question.text and question.text.index("Keep it") < question.text.index(
        ">Delete</button>"
    )
    answer = ada.post(confirm)
    assert press.calls == [("delete", "acme.default", "press1", "Press", "main", None)]
    assert happened("agent.instance-deleted") == [(ADA, "Press.main of press1")]
    waiting = ada.get(answer.location)
    assert "Waiting for the answer." in waiting.text and '<noscript><meta http-equiv="refresh"' in waiting.text
    press.ends(value=True)
    assert "Deleted after" in ada.get(answer.location).text
    press.ends(value=False)
    assert "has no such instance any more" in ada.get(answer.location).text
    assert (
        ada.get("/agents/delete?domain=d&agent=a").status_code
        == ada.post("/agents/delete?domain=d&agent=a").status_code
        == 404
    )


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


# --- events


def test_an_event_is_watched_until_it_is_stopped(ada, press):
    asked = ada.get(f"{OPEN}&instance=main&act=watch")
    (address,) = re.findall(r'action="(/agents/watch[^"]+)"', asked.text)
    address = html.unescape(address)
    refused = ada.post(address, {"event": ""})
    assert refused.status_code == 422 and "The name of an event is required" in note(refused, "event")
    watching = ada.get(ada.post(address, {"event": "changed"}).location)
    assert "None yet." in watching.text and press.watched.keys() == {"acme.default/press1/Press/main/changed"}
    (poll,) = re.findall(r'id="events".*?data-poll="([^"]+)" data-version="(\w+)"', watching.text, re.S)
    poll = f"{html.unescape(poll[0])}&v={poll[1]}"
    assert ada.get(poll, headers=HTMX).status_code == 204
    (events,) = press.watched.values()
    events += [{"number": number, "time": 1_700_000_000.0, "arguments": f'["<{number}>"]'} for number in (1, 2)]
    told = shown(ada.get(poll, headers=HTMX))
    assert told.index('["<2>"]</span>') < told.index('["<1>"]</span>') and "Events <b>2</b>" in told
    (stop,) = re.findall(r'action="(/agents/unwatch[^"]+)"', watching.text)
    assert ada.post(html.unescape(stop)).status_code == 303 and not press.watched
    assert "This watch has ended" in ada.get(poll, headers=HTMX).text


def test_what_the_server_refuses_of_a_watch_is_said_at_the_field(ada, press):
    press.refuses = ("There are too many watches.", "event")
    ada.get(OPEN)
    answer = ada.post(f"{OPEN}&instance=main".replace("/one", "/watch"), {"event": "typed<"})
    assert answer.status_code == 422 and note(answer, "event") == "There are too many watches."
    assert 'value="typed<"' in shown(answer)
    assert ada.post(OPEN.replace("/one", "/watch"), {"event": "x"}).status_code == 404


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
def test_an_address_that_nobody_made_breaks_nothing(ada, press, query):
    for path in ("one", "one/parts", "outcome", "events", "delete", "remove"):
        assert ada.get(f"/agents/{path}?domain=acme.default&agent=press1&{query}").status_code in (200, 404), path
    for path in ("one", "one/parts", "outcome", "events", "delete", "remove"):
        assert ada.get(f"/agents/{path}?{query}").status_code == 404, path


# --- nobody answers


def test_the_pages_say_when_the_protocol_servers_are_away(ada, press):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    press.stop()
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
        assert ada.get(f"/agents/{path}?domain=d&agent=a&call=c1").status_code == 503
    assert not happened("agent.called")
