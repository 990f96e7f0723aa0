"""Bans on the server page and in the panel: who is refused, until when, and the way to end it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import bans, clock
from portal.guard import ADDRESS, USERNAME
from portal.models import Activity, Ban, Revision
from tests.portal.visitor import ADA, HTMX, TOKEN

EMPTY = "Nobody is banned."


def ban(kind: str = ADDRESS, name: str = "192.0.2.66", minutes: float = 10, **more) -> Ban:
    now = clock.now()
    values = {"times": 1, "failures": 20, "protocol": "mqtt", "last_username": "turing", "last_address": "192.0.2.66"}
    Revision.bump("bans")
    return Ban.create(kind=kind, name=name, since=now, until=now + timedelta(minutes=minutes), **(values | more))


def version(ada) -> str:
    text = ada.get("/bans").text
    return text.split('data-version="')[1].split('"')[0]


def test_without_a_ban_the_page_says_what_leads_to_one(ada):
    text = ada.get("/server").text
    assert EMPTY in text
    assert "20 different wrong passwords within 10 minutes from one address, or 20 for one username" in text


def test_a_ban_is_shown_with_what_led_to_it_and_when_it_ends(ada):
    made = ban(times=3)
    text = ada.get("/server").text
    assert EMPTY not in text
    for part in ("192.0.2.66", "20 wrong passwords over MQTT", "turing", "ban 3 in a row", made.until.isoformat()):
        assert part in text


def test_a_ban_that_is_over_is_not_shown(ada):
    ban(minutes=-1)
    assert EMPTY in ada.get("/server").text


def test_an_unchanged_poll_is_answered_with_nothing(ada, monkeypatch):
    before = version(ada)
    assert ada.get(f"/bans?v={before}").status_code == 204
    made = ban()
    answer = ada.get(f"/bans?v={before}")
    assert answer.status_code == 200 and "<html" not in answer.text
    shown = version(ada)
    assert ada.get(f"/bans?v={shown}").status_code == 204
    monkeypatch.setattr(clock, "now", lambda: made.until)
    assert EMPTY in ada.get(f"/bans?v={shown}").text


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["a plain form", "HTMX"])
def test_a_ban_is_lifted_by_a_click(ada, headers):
    made = ban()
    ada.get("/server")
    answer = ada.post(f"/bans/{made.id}/lift", headers=headers)
    if headers:
        assert answer.status_code == 200 and EMPTY in answer.text and "<html" not in answer.text
    else:
        assert (answer.status_code, answer.location) == (303, "/server")
        assert "The ban of 192.0.2.66 is lifted." in ada.get("/server").text
    row = Activity.get(Activity.kind == "ban.lifted")
    assert (row.account, row.detail) == (ADA, "address 192.0.2.66")
    assert "ban of address 192.0.2.66 lifted" in ada.get("/activity").text


def test_lifting_a_ban_that_is_over_says_so(ada):
    assert ada.post("/bans/7/lift").status_code == 303
    assert "This ban is over already." in ada.get("/server").text
    assert ada.post("/bans/7/lift", headers=HTMX).status_code == 200


def test_the_buttons_form_is_on_the_page(ada):
    ban()
    text = ada.get("/server").text
    assert 'form="act"' in text and '<form id="act" method="post" hidden>' in text
    assert TOKEN.search(text)


def test_the_panel_says_that_its_username_is_under_a_ban(ada, turing):
    path = f"/integrations/{turing.id}"
    assert "Lift the ban" not in ada.get(path).text
    made = ban(USERNAME, "turing")
    text = ada.get(path).text
    assert "Lift the ban" in text and made.until.isoformat() in text


def test_a_username_of_markup_is_shown_as_text(ada):
    ban(USERNAME, "<script>alert(1)</script>")
    text = ada.get("/server").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_of_many_bans_the_newest_are_shown(ada, monkeypatch):
    monkeypatch.setattr("portal.views.bans.SHOWN", 3)
    for number in range(5):
        ban(name=f"192.0.2.{number}")
    text = ada.get("/server").text
    assert "The 3 newest of 5 are shown." in text
    assert "192.0.2.4" in text and "192.0.2.1<" not in text


def test_a_ban_that_begins_is_shown_in_activity(ada, database):
    bans._save(bans.guard.Ban(ADDRESS, "192.0.2.66", 0.0, 600.0, 1, 20, "mqtt", "turing", "192.0.2.66"))
    for page in ("/activity", "/activity?show=refused"):
        assert "address 192.0.2.66 banned for 10 minutes after 20 wrong passwords" in ada.get(page).text
