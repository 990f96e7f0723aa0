"""The box of smart onboarding: what it shows, and what each click in it does, with HTMX and without."""

from __future__ import annotations

import re

import pytest

from portal.models import Activity, Ban, IgnoredClient, Integration, OnboardingDecision, OnboardingWindow
from portal.onboarding import ignored, window
from tests.portal.knocking import GRACE, PASSWORD
from tests.portal.visitor import ADA, HTMX

EMPTY = "Nobody knocks yet."
WAYS = pytest.mark.parametrize("headers", [{}, HTMX], ids=["a plain form", "HTMX"])


def version(text: str) -> str:
    return re.search(r'id="onboarding" [^>]*data-version="(\w+)"', text)[1]


def ids(ada) -> list[str]:
    return re.findall(r'id="request-([\w.-]+)"', ada.get("/onboarding/box").text)


def click(ada, path: str, headers: dict, **form):
    """Post a form; without HTMX go where the answer leads."""
    answer = ada.post(path, form, headers=headers)
    if headers:
        assert answer.status_code == 200 and "<html" not in answer.text
        assert answer.headers["HX-Trigger"] == "integrations-changed"
        return answer
    assert (answer.status_code, answer.location) == (303, "/integrations")
    return ada.get("/integrations")


def test_closed_there_is_a_button_and_nothing_else(ada, doors):
    text = ada.get("/integrations").text
    assert 'formaction="/onboarding/open"' in text and "onboarding-box" not in text
    assert EMPTY not in text


@WAYS
def test_the_button_opens_the_box_and_closes_it(ada, doors, headers):
    text = click(ada, "/onboarding/open", headers).text
    assert f"opened by {ADA}" in text and EMPTY in text and "Let in only clients that you know" in text
    assert re.search(r'data-left="(600|599)"', text)
    text = click(ada, "/onboarding/extend", headers).text
    assert re.search(r'data-left="(1200|1199)"', text)
    text = click(ada, "/onboarding/close", headers).text
    assert "onboarding-box" not in text
    assert OnboardingWindow.select().count() == 0


@WAYS
def test_a_window_that_has_closed_cannot_be_extended(ada, doors, headers):
    assert "Smart onboarding is closed." in click(ada, "/onboarding/extend", headers).text


def test_everybody_sees_on_every_page_that_it_is_open_and_who_opened_it(ada, opened):
    for path in ("/activity", "/server", "/topics"):
        text = ada.get(path).text
        assert "Smart onboarding is open." in text and GRACE.name in text, path
    window.close(GRACE)
    assert "Smart onboarding is open." not in ada.get("/activity").text


def test_the_bar_is_told_of_by_its_poll(ada, doors):
    before = re.search(r'id="banner" [^>]*data-version="([^"]*)"', ada.get("/activity").text)[1]
    assert ada.get(f"/banner?v={before}").status_code == 204
    window.open_one(GRACE)
    assert "Smart onboarding is open." in ada.get(f"/banner?v={before}").text


def test_an_unchanged_poll_is_answered_with_nothing(ada, opened):
    before = version(ada.get("/onboarding/box").text)
    assert ada.get(f"/onboarding/box?v={before}").status_code == 204
    opened.knock()
    text = ada.get(f"/onboarding/box?v={before}").text
    assert "press" in text and "<html" not in text
    window.close(GRACE)
    assert "onboarding-box" not in ada.get(f"/onboarding/box?v={version(text)}").text


def test_a_request_shows_what_is_known_of_the_client_and_never_its_password(ada, opened):
    opened.knock(client_id="va3c0ffee", will_topic="acme.default/press/__agentInfo__", name="Press 4")
    text = ada.get("/integrations").text
    for part in (
        "press",
        "192.0.2.1",
        "va3c0ffee",
        "acme.default/press/__agentInfo__",
        "Press 4",
        "1 try",
        "VRPC",
        "comes as an agent of",
    ):
        assert part in text, part
    assert "Waits at the door" in text and EMPTY not in text
    assert PASSWORD not in text


def test_markup_and_text_from_right_to_left_are_harmless(ada, opened):
    opened.knock("<script>alert(1)</script>", client_id='"><img src=x>' + "\u202e", name="\u05d0\u05d1")
    text = ada.get("/integrations").text
    assert "<script>alert" not in text and "<img src=x>" not in text and "\u202e" not in text
    assert '<bdi class="mono">&lt;script&gt;alert(1)&lt;/script&gt;</bdi>' in text


def test_while_nobody_knocks_it_says_where_to_connect_to(ada, opened):
    text = ada.get("/onboarding/box").text
    for address in ("mqtt://localhost:1883", "opc.tcp://localhost:4840", "http://localhost/api/v1"):
        assert f'data-copy-text="{address}"' in text, address
    opened.knock()
    assert "data-copy-text" not in ada.get("/onboarding/box").text


def rivals(ada) -> list[str]:
    return re.findall(r"The same username also comes (.*?)\. Only one", ada.get("/onboarding/box").text)


def test_rivals_are_warned_of_and_it_is_said_by_what_they_differ(ada, opened):
    opened.knock()
    assert rivals(ada) == []
    opened.knock(password="another")
    assert rivals(ada) == ["with another password"] * 2
    opened.knock(address="198.51.100.1")
    assert rivals(ada) == [
        "with another password; from 198.51.100.1",
        "with another password; from 198.51.100.1",
        "from 192.0.2.1",
    ]


def test_rivals_over_another_protocol_are_told_of_as_such(ada, opened):
    opened.knock()
    opened.knock(protocol="http")
    opened.knock(protocol="opcua", address="198.51.100.1")
    assert rivals(ada)[0] == "over HTTP; over OPC UA from 198.51.100.1"


def test_of_many_rivals_three_are_told_of(ada, opened):
    for number in range(1, 7):
        opened.knock(address=f"192.0.2.{number}")
    assert rivals(ada)[0] == "from 192.0.2.2; from 192.0.2.3; from 192.0.2.4; and in 2 more ways"


@WAYS
def test_a_click_lets_a_client_in(ada, opened, headers):
    opened.knock()
    text = click(ada, f"/onboarding/requests/{ids(ada)[0]}/approve", headers).text
    assert "press is let in." in text and "request-mqtt" not in text
    assert (Integration.get().username, Integration.get().created_by) == ("press", ADA)


@WAYS
def test_several_are_let_in_at_once(ada, opened, headers):
    for name in ("a", "b", "c"):
        opened.knock(name)
    text = click(ada, "/onboarding/approve", headers, request=ids(ada)[:2]).text
    assert "2 clients are let in." in text
    assert {row.username for row in Integration.select()} == {"a", "b"}
    assert "Choose the clients" in click(ada, "/onboarding/approve", headers).text


@WAYS
@pytest.mark.parametrize("verb", ["approve", "ignore", "ignore-for-good", "ban"])
def test_a_request_that_is_gone_is_told(ada, opened, headers, verb):
    text = click(ada, f"/onboarding/requests/mqtt.gone/{verb}", headers).text
    assert "This request is gone" in text
    assert not Integration.select().exists() and not Ban.select().exists()


def test_the_second_of_two_operators_is_told(ada, opened, sealer):
    opened.knock()
    (id,) = ids(ada)
    ada.post(f"/onboarding/requests/{id}/approve", headers=HTMX)
    assert "This request is gone" in ada.post(f"/onboarding/requests/{id}/approve", headers=HTMX).text
    assert Integration.select().count() == 1


@WAYS
def test_a_click_ignores_a_client(ada, opened, headers):
    opened.knock()
    text = click(ada, f"/onboarding/requests/{ids(ada)[0]}/ignore", headers).text
    assert "press is ignored until this window closes." in text and EMPTY in text
    opened.knock()
    assert ids(ada) == []


@WAYS
def test_who_is_ignored_for_good_is_listed_and_that_can_be_undone(ada, opened, headers):
    opened.knock()
    text = click(ada, f"/onboarding/requests/{ids(ada)[0]}/ignore-for-good", headers).text
    assert "press is ignored for good." in text and "1 client is" in text
    assert "client-1" in ada.get("/server").text
    (row,) = IgnoredClient.select()
    answer = ada.post(f"/onboarding/ignored/{row.id}/forget", headers=headers)
    assert (answer.status_code, answer.location) == ((200, None) if headers else (303, "/server#ignored"))
    assert "Nobody is ignored." in (answer if headers else ada.get("/server")).text
    assert ada.post(f"/onboarding/ignored/{row.id}/forget", headers=headers).status_code in {200, 303}


@WAYS
def test_a_click_bans_the_address(ada, opened, headers):
    opened.knock()
    text = click(ada, f"/onboarding/requests/{ids(ada)[0]}/ban", headers).text
    assert "192.0.2.1 is banned for 24 hours." in text and EMPTY in text
    assert "banned by an operator" in ada.get("/server").text


@pytest.mark.parametrize("what", ["approve", "ignore", "ignore-for-good", "ban"])
def test_a_click_after_the_window_has_closed_is_told_so(ada, opened, what):
    opened.knock()
    (id,) = ids(ada)
    window.close(GRACE)
    answer = ada.post(f"/onboarding/requests/{id}/{what}", headers=HTMX)
    assert "Smart onboarding is closed." in answer.text
    assert not any(table.select().exists() for table in (Integration, IgnoredClient, Ban, OnboardingDecision))


def test_a_part_that_does_not_answer_is_told_of_and_decides_nothing(ada, opened):
    opened.knock()
    (id,) = ids(ada)
    opened.silent.add("mqtt")
    assert "The MQTT and HTTP server does not answer" in ada.get("/onboarding/box").text
    assert ada.post(f"/onboarding/requests/{id}/approve", headers=HTMX).status_code == 503


def test_what_operators_did_is_in_the_activity(ada, opened):
    for name in ("a", "b", "c"):
        opened.knock(name)
    for id, verb in zip(ids(ada), ("approve", "ignore", "ignore-for-good"), strict=True):
        ada.post(f"/onboarding/requests/{id}/{verb}", headers=HTMX)
    ada.post("/onboarding/close", headers=HTMX)
    text = ada.get("/activity?show=changes").text
    for said in (
        "smart onboarding opened for 10 minutes",
        "let in by smart onboarding: client client-1 from 192.0.2.1, 1 try",
        "onboarding request ignored: client client-1 from 192.0.2.1, 1 try",
        "ignored for good: client client-1 from 192.0.2.1",
        "smart onboarding closed",
    ):
        assert said in text, said
    assert PASSWORD not in text and PASSWORD not in str([row.__data__ for row in Activity.select()])


def test_many_that_are_ignored_are_listed_with_undo(ada, doors):
    for number in range(3):
        ignored.add(GRACE, "mqtt", f"<i>{number}</i>", "", "192.0.2.1")
    text = ada.get("/server").text
    assert text.count("with any client id") == 3 and "<i>0</i>" not in text
