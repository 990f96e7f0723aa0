"""The nodes of an OPC UA integration: listed, searched, added and deleted; and when the server does not answer."""

from __future__ import annotations

import html
import re

import pytest

from portal import opcua
from portal.models import Activity
from protocols.opcua.values import text
from tests.portal.opcua_server import value
from tests.portal.visitor import ADA, HTMX


@pytest.fixture
def path(press) -> str:
    return f"/integrations/{press.id}/nodes"


def shown(answer) -> str:
    return html.unescape(answer.text)


def names(answer) -> list[str]:
    return re.findall(r'<td class="n-name[^>]*><span>(.*?)</span>', shown(answer))


def happened(kind: str) -> list[tuple[str, str, str]]:
    rows = Activity.select().where(Activity.kind == kind)
    return [(row.username, row.account, row.detail) for row in rows]


def test_every_node_is_listed_with_what_is_known_of_it(ada, path, opcua_server):
    answer = ada.get(path)
    assert names(answer) == ["line1/alarm", "line1/speed"]
    (row,) = re.findall(r'<tr id="value-.*?line1/alarm.*?</tr>', answer.text, re.S)[:1]
    for told in ("Boolean", "false", "BadSensorFailure", "quality bad", "2026-11-25T12:00:00+00:00", "7"):
        assert told in row, told
    assert "ns=2;s=plant%2Fpress/line1/speed" in shown(answer)
    assert "2 nodes in all" in answer.text


def test_a_value_of_markup_is_shown_as_text(ada, path, opcua_server):
    opcua_server.values = [value('"><script>', "<img src=x>", "String")]
    assert "<script>" not in ada.get(path).text.replace("<script src", "")
    assert "<img" not in ada.get(path).text


def test_an_integration_without_nodes_says_how_they_come_to_be(ada, path, opcua_server):
    opcua_server.values = []
    assert "No nodes yet" in ada.get(path).text
    assert "writing to" in ada.get(path).text


def test_a_search_finds_names_by_how_they_begin(ada, path, opcua_server):
    opcua_server.values.append(value("oven"))
    assert names(ada.get(f"{path}?q=line1/s")) == ["line1/speed"]
    assert "No node’s name begins with" in ada.get(f"{path}?q=zz").text
    answer = ada.get(f"{path}/table?q=o", headers={**HTMX, "HX-Trigger": "search"})
    assert names(answer) == ["oven"] and answer.headers["HX-Replace-Url"] == f"{path}?q=o"


def test_pages_have_a_hundred_nodes(ada, path, opcua_server):
    opcua_server.values = [value(f"n{number:03}") for number in range(150)]
    first = ada.get(path)
    assert len(names(first)) == 100 and "First page" not in first.text
    (following,) = re.findall(r'id="page-next" href="([^"]+)"', first.text)
    second = ada.get(html.unescape(following))
    assert names(second)[0] == "n100" and len(names(second)) == 50
    assert "First page" in second.text and "page-next" not in second.text


def test_a_poll_is_answered_when_a_value_changed_and_only_then(ada, path, opcua_server):
    (version,) = re.findall(r'id="nodes".*?data-version="(\w+)"', ada.get(path).text)
    assert ada.get(f"{path}/table?v={version}", headers=HTMX).status_code == 204
    opcua_server.values[0] = value("line1/speed", "22.0")
    answer = ada.get(f"{path}/table?v={version}", headers=HTMX)
    assert answer.status_code == 200 and "22.0" in answer.text and "<html" not in answer.text


def test_the_page_says_when_the_server_does_not_answer(ada, path, opcua_server):
    opcua_server.silent = True
    assert "The OPC UA server does not answer." in ada.get(path).text
    answer = ada.post(path, {"name": "a", "type": "Double", "value": "1"})
    assert answer.status_code == 503 and 'value="a"' in answer.text
    assert ada.post(f"{path}/delete", {"name": "a"}).status_code == 503
    assert not happened("node.created") and not happened("node.deleted")


def test_only_an_opcua_integration_has_nodes(ada, turing, opcua_server):
    assert ada.get(f"/integrations/{turing.id}/nodes").status_code == 404
    assert 'id="panel-nodes"' not in ada.get(f"/integrations/{turing.id}").text


# --- adding


def test_a_node_is_added_and_recorded(ada, press, path, opcua_server):
    answer = ada.post(path, {"name": " oven/door ", "type": "Boolean[]", "value": "[true]"})
    assert answer.location == path
    assert opcua_server.done == [("create_node", press.id, "plant/press", "oven/door", "Boolean[]", "[true]")]
    assert happened("node.created") == [("plant/press", ADA, "oven/door")]
    assert "node oven/door created" in ada.get("/activity").text


@pytest.mark.parametrize(
    ("form", "refusal", "field", "message"),
    [
        ({"name": " "}, ("", ""), "name", "A name is required."),
        ({"type": "Nothing"}, ("", ""), "type", "Choose one of the types."),
        ({}, ("This is no Double.", "value"), "value", "This is no Double."),
        ({}, ("A value has 9 bytes, more than 8.", "value"), "value", "A value has 9 bytes, more than 8."),
        ({}, ("A value is no name.", "name"), "name", "A value is no name."),
        ({}, ("This is no name.", "name"), "name", "This is no name."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(ada, path, opcua_server, form, refusal, field, message):
    opcua_server.refusal, opcua_server.refused_field = refusal
    answer = ada.post(path, {"name": "a", "type": "Double", "value": "x"} | form)
    assert answer.status_code == 422
    assert f'id="{field}-note" role="alert">{message}<' in shown(answer)
    assert answer.text.count('class="field-error"') == 1
    assert 'value="x"' in answer.text and " open>" in answer.text
    assert not happened("node.created")


def test_what_is_wrong_with_no_field_is_said_above_the_form(ada, path, opcua_server):
    opcua_server.refusal = "This integration has as many nodes as it may."
    answer = ada.post(path, {"name": "a", "type": "Double", "value": "x"})
    assert answer.status_code == 422
    assert re.search(r'class="alert-line" role="alert">.*This integration has as many nodes', answer.text)
    assert "field-error" not in answer.text and 'value="x"' in answer.text and " open>" in answer.text
    assert not happened("node.created")


@pytest.mark.parametrize(
    ("data_type", "allowed"),
    [
        ("Double", "Double: a number, such as 21.5."),
        ("Byte[]", "Byte[]: values in brackets, such as [1, 2, 3], each a whole number from 0 to 255."),
    ],
)
def test_what_is_allowed_is_said_beside_a_value_that_is_not(ada, path, opcua_server, data_type, allowed):
    opcua_server.refusal, opcua_server.refused_field = "It is none.", "value"
    text = shown(ada.post(path, {"name": "a", "type": data_type, "value": "x"}))
    assert f'id="value-hint">{allowed}<' in text and 'aria-describedby="value-note value-hint"' in text
    opcua_server.refused_field = "name"
    assert "value-hint" not in ada.post(path, {"name": "a", "type": data_type, "value": "x"}).text


def test_the_types_are_those_of_the_server():
    assert set(opcua.SCALARS) == set(text.TYPES)


# --- deleting


def test_deleting_asks_once_and_says_what_is_lost(ada, path, opcua_server):
    opcua_server.values += [value("line1"), value("line1/x/y")]
    question = ada.get(f"{path}/delete?name=line1&q=l")
    assert "Its value and history are gone for good, and so are the 3 nodes below it" in question.text
    assert question.text.index("Keep it") < question.text.index(">Delete</button>")
    assert "below it" not in ada.get(f"{path}/delete?name=line1/speed").text
    assert "<html" not in ada.get(f"{path}/delete?name=line1", headers=HTMX).text


def test_a_node_is_deleted_and_recorded(ada, press, path, opcua_server):
    answer = ada.post(f"{path}/delete?q=l&after=b", {"name": "line1/speed"})
    assert answer.location == f"{path}?q=l&after=b"
    assert opcua_server.done == [("delete_node", press.id, "line1/speed")]
    assert happened("node.deleted") == [("plant/press", ADA, "line1/speed")]


def test_a_node_that_is_gone_is_said_and_not_recorded(ada, path, opcua_server):
    opcua_server.refusal = "There is no node 'a'."
    assert ada.post(f"{path}/delete", {"name": "a"}).status_code == 303
    assert "There is no node 'a'." in shown(ada.get(path))
    assert not happened("node.deleted")


# --- in the panel


def test_the_panel_shows_the_first_nodes_and_the_way_to_all(ada, press, opcua_server):
    opcua_server.values = [value(f"n{number}", f"{number}.5") for number in range(8)]
    (part,) = re.findall(r'id="panel-nodes".*?</section>', ada.get(f"/integrations/{press.id}").text, re.S)
    assert "<b>8</b>" in part and "4.5" in part and "5.5" not in part
    assert f'href="/integrations/{press.id}/nodes"' in part
    opcua_server.silent = True
    assert "The OPC UA server does not answer." in ada.get(f"/integrations/{press.id}").text
