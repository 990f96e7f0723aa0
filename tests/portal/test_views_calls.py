"""Calls from the page of an agent: forms, results, instances, events; and what the server refuses."""

from __future__ import annotations

import html
import re

import pytest

from tests.portal.agent_pages import ADD, OPEN, form, happened, links, note, shown
from tests.portal.live_agents import a_class, function, param
from tests.portal.visitor import ADA, HTMX

# --- the form of a function


def test_a_form_is_made_from_the_documented_parameters(ada, press_agent):
    text = shown(ada.get(f"{OPEN}&function=add"))
    for part in ("Adds two numbers.\nSlowly.", ">a</bdi>", "· <bdi>number</bdi>", "The first one", "· optional",
                 "A number, such as 21.5. Left empty: 5.", ">number</bdi>", "the sum"):  # fmt: skip
        assert part in text, part
    spoken = shown(ada.get(f"{OPEN}&function=say&instance=main"))
    assert "A text as it is, or a JSON string in quotes." in spoken


def test_a_function_of_instances_asks_for_one(ada, press_agent):
    answer = ada.get(f"{OPEN}&function=say")
    assert "Choose an instance of the class to call this with." in answer.text and "call-form" not in answer.text
    assert f"{OPEN}&instance=spare&function=say" in links(answer), "choosing one keeps the function"


def test_one_of_several_functions_of_a_name_is_called_by_its_own_parameters(ada, live_agents):
    live_agents.add("press1", a_class("Press", ADD, function("add", param("text", "string"), is_static=True)))
    address, hidden = form(ada.get(f"{OPEN}&function=add&overload=1"))
    ada.post(address, {**hidden, "arg-0": "hello"})
    assert live_agents.calls == [("acme.default", "press1", "Press", "", "add", '["hello"]', None)]


# --- calling


def test_a_static_function_is_called_and_its_result_shown_and_recorded(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=add&instance=main"))
    answer = ada.post(address, {**hidden, "arg-0": "1.50", "timeout": "5"})
    assert press_agent.calls == [("acme.default", "press1", "Press", "", "add", "[1.50]", 5.0)]
    assert answer.status_code == 200 and "Waiting for the answer." in answer.text and 'value="1.50"' in answer.text
    assert happened("agent.called") == [(ADA, "Press.add of press1")]
    assert "called Press.add of press1" in ada.get("/activity").text
    press_agent.ends(value={"sum": 6.5, "text": "<b>\u202e"})
    looked = ada.post(address, {**hidden, "arg-0": "1.50", "look": "c1"})
    assert '"sum": 6.5,' in shown(looked) and "Returned after 0.250 s." in looked.text
    assert r'"<b>\u202e"' in shown(looked) and "Call again" in looked.text and 'value="1.50"' in looked.text
    assert len(press_agent.calls) == 1


def test_a_poll_of_a_call_is_answered_when_it_has_come_further(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=say&instance=main"))
    answer = ada.post(address, {**hidden, "arg-0": "hi"}, headers=HTMX)
    assert answer.text.lstrip().startswith('<aside id="call"') and press_agent.calls[0][3:6] == (
        "main",
        "say",
        '["hi"]',
    )
    (poll,) = re.findall(r'id="outcome".*?data-poll="([^"]+)"', answer.text, re.S)
    poll = html.unescape(poll)
    assert ada.get(f"{poll}&v=waiting", headers=HTMX).status_code == 204
    press_agent.ends("promised", promise=True)
    assert "The agent has promised a value" in ada.get(f"{poll}&v=waiting", headers=HTMX).text
    press_agent.ends("done", "kept", promise=True, seconds=12.34)
    ended = ada.get(f"{poll}&v=promised", headers=HTMX).text
    assert "The promised value came after 12.3 s." in ended and "data-poll" not in ended and "&#34;kept&#34;" in ended
    press_agent.ends("failed", error="Error: <off>\n  at press.js")
    assert "<off>\n  at press.js" in shown(ada.get(poll, headers=HTMX))
    press_agent.ends("late", seconds=30.0)
    assert "No answer came within 30.0 s." in ada.get(poll, headers=HTMX).text
    press_agent.outcomes.clear()
    assert "is not kept any more" in ada.get(poll, headers=HTMX).text


def test_a_long_result_is_cut_and_says_how_long_it_is(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    ada.post(address, {**hidden, "arg-0": "1"})
    press_agent.ends(result='["' + "x" * 60_000, size=5_000_000)
    answer = ada.post(address, {**hidden, "arg-0": "1", "look": "c1"})
    assert "x" * 60_000 not in answer.text and "This is the beginning: the result has 5.0 MB." in answer.text


def test_wrong_arguments_are_said_at_their_fields_and_nothing_typed_is_lost(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    answer = ada.post(address, {**hidden, "arg-0": "<one>", "arg-1": "2", "more": "{}", "timeout": "soon"})
    assert answer.status_code == 422 and not press_agent.calls and not happened("agent.called")
    assert note(answer, "arg-0") == "This has to be a number, such as 21.5." and note(answer, "arg-1") == ""
    assert "JSON array" in note(answer, "more") and "number of seconds" in note(answer, "timeout")
    text = shown(answer)
    assert 'value="<one>"' in text and 'value="2"' in text and "\n{}</textarea>" in text and 'value="soon"' in text
    assert answer.text.count("autofocus") == 1


@pytest.mark.parametrize(
    ("field", "there"),
    [("", None), ("agent", None), ("arguments/0", "arg-0"), ("arguments/7", "more"), ("timeout", "timeout")],
)
def test_what_the_server_refuses_is_said_where_it_belongs(ada, press_agent, field, there):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    press_agent.refuses = ("The agent is offline.", field)
    answer = ada.post(address, {**hidden, "arg-0": "1"})
    assert answer.status_code == 422 and 'value="1"' in shown(answer) and not happened("agent.called")
    assert note(answer, there) == "The agent is offline." if there else 'alert-line" role="alert"' in answer.text


def test_a_function_that_has_changed_meanwhile_is_not_called(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=add"))
    press_agent.add("press1", a_class("Press", function("add", param("text", "string"), is_static=True)))
    answer = ada.post(address, {**hidden, "arg-0": "1"})
    assert (
        answer.status_code == 422 and "The parameters are others" in answer.text and "\n1</textarea>" in shown(answer)
    )
    press_agent.add("press1", a_class("Press"))
    answer = ada.post(address, {**hidden, "arg-0": "1", "arg-1": "2"})
    assert "does not have this any more" in answer.text and "\n2</textarea>" in shown(answer) and not press_agent.calls


def test_a_function_of_an_instance_is_not_called_without_one(ada, press_agent):
    address, hidden = form(ada.get(f"{OPEN}&function=say&instance=main"))
    answer = ada.post(address.replace("&instance=main", ""), {**hidden, "arg-0": "hi"})
    assert answer.status_code == 422 and not press_agent.calls


# --- instances


def test_an_instance_is_created_by_the_constructors_parameters(ada, press_agent):
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
    assert press_agent.calls == [("create", "acme.default", "press1", "Press", "new", "[30]", None)]
    assert happened("agent.instance-created") == [(ADA, "Press.new of press1")]
    press_agent.ends(value="new")
    created = ada.post(address, {**hidden, "instance": "new", "arg-0": "30", "look": "c1"})
    assert "Created after" in created.text and f"{OPEN}&instance=new" in links(created)


def test_a_class_without_a_documented_constructor_takes_an_array(ada, live_agents):
    live_agents.add("press1", a_class("Press"))
    address, hidden = form(ada.get(f"{OPEN}&act=create"))
    ada.post(address, {**hidden, "instance": "new", "more": "[1, 2]"})
    assert live_agents.calls == [("create", "acme.default", "press1", "Press", "new", "[1, 2]", None)]


def test_deleting_an_instance_asks_once_and_shows_what_came_of_it(ada, press_agent):
    page = ada.get(f"{OPEN}&instance=main")
    (confirm,) = {link for link in links(page) if link.startswith("/agents/delete?")}
    question = ada.get(confirm)
    assert "Delete the instance" in question.text and question.text.index("Keep it") < question.text.index(
        ">Delete</button>"
    )
    answer = ada.post(confirm)
    assert press_agent.calls == [("delete", "acme.default", "press1", "Press", "main", None)]
    assert happened("agent.instance-deleted") == [(ADA, "Press.main of press1")]
    waiting = ada.get(answer.location)
    assert "Waiting for the answer." in waiting.text and '<noscript><meta http-equiv="refresh"' in waiting.text
    press_agent.ends(value=True)
    assert "Deleted after" in ada.get(answer.location).text
    press_agent.ends(value=False)
    assert "has no such instance any more" in ada.get(answer.location).text
    assert (
        ada.get("/agents/delete?domain=d&agent=a").status_code
        == ada.post("/agents/delete?domain=d&agent=a").status_code
        == 404
    )


# --- events


def test_an_event_is_watched_until_it_is_stopped(ada, press_agent):
    asked = ada.get(f"{OPEN}&instance=main&act=watch")
    (address,) = re.findall(r'action="(/agents/watch[^"]+)"', asked.text)
    address = html.unescape(address)
    refused = ada.post(address, {"event": ""})
    assert refused.status_code == 422 and "The name of an event is required" in note(refused, "event")
    watching = ada.get(ada.post(address, {"event": "changed"}).location)
    assert "None yet." in watching.text and press_agent.watched.keys() == {"acme.default/press1/Press/main/changed"}
    (poll,) = re.findall(r'id="events".*?data-poll="([^"]+)" data-version="(\w+)"', watching.text, re.S)
    poll = f"{html.unescape(poll[0])}&v={poll[1]}"
    assert ada.get(poll, headers=HTMX).status_code == 204
    (events,) = press_agent.watched.values()
    events += [{"number": number, "time": 1_700_000_000.0, "arguments": f'["<{number}>"]'} for number in (1, 2)]
    told = shown(ada.get(poll, headers=HTMX))
    assert told.index('["<2>"]</span>') < told.index('["<1>"]</span>') and "Events <b>2</b>" in told
    (stop,) = re.findall(r'action="(/agents/unwatch[^"]+)"', watching.text)
    assert ada.post(html.unescape(stop)).status_code == 303 and not press_agent.watched
    assert "This watch has ended" in ada.get(poll, headers=HTMX).text


def test_what_the_server_refuses_of_a_watch_is_said_at_the_field(ada, press_agent):
    press_agent.refuses = ("There are too many watches.", "event")
    ada.get(OPEN)
    answer = ada.post(f"{OPEN}&instance=main".replace("/one", "/watch"), {"event": "typed<"})
    assert answer.status_code == 422 and note(answer, "event") == "There are too many watches."
    assert 'value="typed<"' in shown(answer)
    assert ada.post(OPEN.replace("/one", "/watch"), {"event": "x"}).status_code == 404


def test_events_are_offered_where_functions_take_a_listener(ada, live_agents):
    members = [
        function("moved", param("listener", "function")),
        function("stop"),
        function("odd\n", param("f", "callback")),
    ]
    live_agents.add("press1", a_class("Press", *members, instances=("main",)))
    assert re.findall(r'<option value="([^"]*)">', ada.get(f"{OPEN}&instance=main&act=watch").text) == ["moved"]
    live_agents.add("press1", a_class("Press", *members, function("on"), instances=("main",)))
    assert "<datalist" not in ada.get(f"{OPEN}&instance=main&act=watch").text
