"""The list of integrations: what it shows, and what its polls are answered."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal import clock, integrations, presence
from portal.presence import Connected, Heartbeat
from portal.views import integrations as integrations_view

DOWN = "The protocol servers are not running"


def test_the_list_shows_integrations_and_never_a_password(ada, turing, node):
    text = ada.get("/integrations").text
    assert "turing" in text
    assert "secret-7431" not in text
    assert DOWN not in text


def test_an_empty_list_says_what_to_do(ada):
    assert "No integrations yet" in ada.get("/integrations").text


def test_without_a_heartbeat_the_list_says_so_and_nobody_is_online(ada, turing, node, monkeypatch):
    node.write([Connected("1", turing.id, "mqtt", "c", "192.0.2.1", clock.now())])
    assert "Online" in re.search(r"<tr id=.*?</tr>", ada.get("/integrations").text, re.S)[0]
    later = clock.now() + presence.FRESH + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    text = ada.get("/integrations").text
    assert DOWN in text
    assert "Online" not in re.search(r"<tr id=.*?</tr>", text, re.S)[0]


def version(ada) -> str:
    return re.search(r'id="live".*?data-version="([^"]+)"', ada.get("/integrations").text)[1]


def test_an_unchanged_poll_is_answered_with_nothing(ada, turing, node):
    answer = ada.get(f"/integrations/rows?v={version(ada)}")
    assert (answer.status_code, answer.data) == (204, b"")
    node.write([Heartbeat(clock.now())])
    assert ada.get(f"/integrations/rows?v={version(ada)}").status_code == 204


def test_a_poll_after_any_change_is_answered_with_the_list(ada, turing, node, actor, sealer):
    def connect() -> None:
        node.write([Connected("1", turing.id, "mqtt", "c", "192.0.2.1", clock.now())])

    for change in (
        connect,
        lambda: integrations.set_note(turing.id, "on the roof", actor),
        lambda: integrations.set_active(turing.id, False, actor),
        lambda: integrations.create(actor, sealer, "mqtt"),
        lambda: integrations.delete(turing.id, actor),
        lambda: presence.stop_node("node"),
    ):
        before = version(ada)
        change()
        answer = ada.get(f"/integrations/rows?v={before}")
        assert answer.status_code == 200
        assert "<html" not in answer.text
        assert ada.get(f"/integrations/rows?v={version(ada)}").status_code == 204


def test_a_poll_after_the_last_heartbeat_went_stale_is_answered(ada, turing, node, monkeypatch):
    before = version(ada)
    later = clock.now() + presence.FRESH + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    answer = ada.get(f"/integrations/rows?v={before}")
    assert answer.status_code == 200
    assert DOWN in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "?page=\N{SUPERSCRIPT TWO}",
        "?selected=\N{SUPERSCRIPT TWO}",
        f"?selected={'9' * 40}",
        f"?page={'9' * 40}",
        "?q=%00",
        "?q=%ff",
        "?sort=nothing&state=nothing&type=nothing",
        "?v=" + "x" * 5000,
    ],
)
def test_a_strange_query_string_is_answered_with_the_list(ada, turing, query):
    for path in ("/integrations", "/integrations/rows"):
        assert ada.get(path + query).status_code == 200


@pytest.mark.parametrize("before", ["\N{SUPERSCRIPT TWO}", "-1", "x", "9" * 40, "9" * 17])
def test_a_strange_page_of_activity_is_answered(ada, before):
    assert ada.get(f"/activity?before={before}&show=nothing").status_code == 200


def test_a_change_while_the_list_is_read_is_shown_by_the_next_poll(ada, turing, node, actor, monkeypatch):
    read = integrations_view.listing.read

    def read_then_change(*args: object) -> object:
        found = read(*args)
        integrations.set_active(turing.id, False, actor)
        return found

    monkeypatch.setattr(integrations_view.listing, "read", read_then_change)
    shown = version(ada)
    monkeypatch.undo()
    assert ada.get(f"/integrations/rows?v={shown}").status_code == 200
