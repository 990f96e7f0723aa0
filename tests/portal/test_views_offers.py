"""What the row of an integration says when another password than its own is tried, and how that is accepted."""

from __future__ import annotations

import re
from datetime import timedelta

from portal import clock
from portal.models import Integration, KnownLogin
from portal.presence import Connected
from tests.portal.knocking import PASSWORD
from tests.portal.visitor import HTMX


def acceptance(ada) -> str:
    """Return where the row leads from which a password can be accepted."""
    return re.search(r'href="(/integrations/\d+/accept/[\w.-]+)"', ada.get("/integrations").text)[1]


def plain_text(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


def test_a_row_says_that_another_password_was_tried_and_it_is_accepted_after_a_question(ada, opened, turing, sealer):
    shown = ada.get("/integrations/rows").text
    before = re.search(r'id="live" [^>]*data-version="([^"]*)"', shown)[1]
    assert "Somebody tried" not in shown
    opened.offer(turing.id, "turing")
    text = ada.get(f"/integrations/rows?v={before}").text
    told = "Somebody tried another password: client id client-1, from 192.0.2.1, a new address, 1 try."
    assert told in plain_text(text) and PASSWORD not in text
    path = acceptance(ada)
    asked = ada.get(path, headers=HTMX).text
    assert "client id client-1, from 192.0.2.1, a new address, 1 try." in plain_text(asked)
    assert "The client that has the old password is locked out." in asked and "<html" not in asked
    assert re.search(r"<a [^>]*autofocus>Keep the old one</a>", asked)
    assert f'action="{path}"' in asked and "<html" in ada.get(path).text
    answer = ada.post(path)
    assert (answer.status_code, answer.location) == (303, f"/integrations/{turing.id}")
    assert sealer.open(Integration.get().sealed_password) == PASSWORD
    assert "Somebody tried" not in ada.get("/integrations").text
    for again in (ada.post(path, headers=HTMX), ada.get(path, headers=HTMX)):
        assert again.status_code == 409 and "This password is not offered any more." in again.text


def test_an_address_that_its_client_has_logged_in_from_is_not_called_new(ada, opened, turing):
    KnownLogin.create(username="turing", origin="192.0.2.1", last_at=clock.now())
    opened.offer(turing.id, "turing")
    assert "client id client-1, from 192.0.2.1, 1 try." in plain_text(ada.get("/integrations").text)


def test_a_row_counts_the_tries(ada, opened, turing):
    opened.offer(turing.id, "turing")
    before = re.search(r'id="live" [^>]*data-version="([^"]*)"', ada.get("/integrations/rows").text)[1]
    assert ada.get(f"/integrations/rows?v={before}").status_code == 204
    opened.offer(turing.id, "turing")
    assert "from 192.0.2.1, a new address, 2 tries." in plain_text(ada.get(f"/integrations/rows?v={before}").text)


def test_a_client_that_is_online_is_not_cut_off_for_somebody_elses_password(ada, opened, turing, node):
    opened.offer(turing.id, "turing")
    path = acceptance(ada)
    node.write([Connected("c", turing.id, "mqtt", "client", "192.0.2.9", clock.now())])
    text = ada.get("/integrations").text
    assert "1 try. It is online with its own." in plain_text(text) and "Accept it" not in text
    answer = ada.post(path, headers=HTMX)
    assert answer.status_code == 409 and "It is online with its own password." in answer.text


def test_several_passwords_are_told_and_none_can_be_accepted(ada, opened, turing):
    opened.offer(turing.id, "turing")
    opened.offer(turing.id, "turing", "a guess")
    text = ada.get("/integrations").text
    assert "Somebody tried several other passwords: client id client-1, the last from 192.0.2.1" in plain_text(text)
    assert "Accept it" not in text


def test_with_the_window_closed_rows_say_nothing_and_nothing_is_accepted(ada, opened, turing, monkeypatch):
    opened.offer(turing.id, "turing")
    late = clock.now() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "now", lambda: late)
    assert "Somebody tried" not in ada.get("/integrations").text
    assert ada.post(f"/integrations/{turing.id}/accept/mqtt.1", headers=HTMX).status_code == 409
