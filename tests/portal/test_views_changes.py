"""Changes made from the pages, and what they answer when they fail."""

from __future__ import annotations

import peewee as pw
import pytest

from portal import db, integrations
from portal.models import Activity, Integration
from tests.portal.visitor import ADA, HTMX


def test_an_added_integration_has_generated_credentials_and_is_opened(ada):
    answer = ada.post("/integrations", {"type": "mqtt"})
    made = Integration.get()
    assert answer.location == f"/integrations/{made.id}"
    assert made.created_by == ADA
    assert made.username in ada.get(answer.location).text


def test_an_unknown_type_is_refused(ada):
    assert ada.post("/integrations", {"type": "pigeon"}).status_code == 303
    assert "A type is one of" in ada.get("/integrations").text
    assert Integration.select().count() == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("username", "", "A username is required."),
        ("username", "hopper", integrations.TAKEN),
        ("username", "a\x07b", "A username cannot hold control or invisible characters."),
        ("password", "", "A password is required."),
        ("note", "x" * 501, "A note has at most 500 characters."),
    ],
)
def test_a_refused_value_gets_its_message_beside_the_field(ada, turing, actor, sealer, field, value, message):
    integrations.create(actor, sealer, "mqtt", username="hopper")
    path = f"/integrations/{turing.id}/edit/{field}"
    for headers in ({}, {**HTMX, "HX-Target": f"row-{turing.id}"}, {**HTMX, "HX-Target": "panel"}):
        answer = ada.post(path, {"value": value}, headers=headers)
        assert answer.status_code == 422
        if field != "note" or headers.get("HX-Target") != f"row-{turing.id}":
            assert message in answer.text
    assert integrations.by_id(turing.id).username == "turing"


def test_a_saved_value_is_shown(ada, turing, actor, sealer):
    for field, value in (("username", "plant/line 1"), ("note", "on the roof"), ("password", "new one")):
        answer = ada.post(f"/integrations/{turing.id}/edit/{field}", {"value": value})
        assert answer.location == f"/integrations/{turing.id}"
    page = ada.get(f"/integrations/{turing.id}").text
    assert "plant/line 1" in page and "on the roof" in page
    assert integrations.reveal(turing.id, actor, sealer) == "new one"


def test_a_change_by_htmx_is_answered_with_the_piece_that_asked(ada, turing):
    headers = {**HTMX, "HX-Target": f"row-{turing.id}"}
    answer = ada.post(f"/integrations/{turing.id}/deactivate", headers=headers)
    assert answer.status_code == 200
    assert answer.text.strip().startswith(f'<tr id="row-{turing.id}"')
    assert "Activate turing" in answer.text
    assert "HX-Trigger" in answer.headers


def test_a_password_is_shown_on_request_only_and_that_is_recorded(ada, turing):
    path = f"/integrations/{turing.id}"
    assert "secret-7431" not in ada.get(path).text
    assert ada.get(f"{path}/reveal").status_code == 405
    assert "secret-7431" in ada.post(f"{path}/reveal").text
    copied = ada.post(f"{path}/reveal", headers={"Accept": "application/json"})
    assert copied.json["password"] == "secret-7431"
    assert "secret-7431" in copied.json["tcp-subscribe"]
    shown = Activity.select().where(Activity.kind == "integration.password-shown")
    assert [row.account for row in shown] == [ADA, ADA]
    assert "secret-7431" not in ada.get(path).text


def test_deleting_asks_first(ada, turing):
    path = f"/integrations/{turing.id}/delete"
    assert "turing" in ada.get(path).text
    assert integrations.by_id(turing.id)
    assert ada.post(path).status_code == 303
    assert "turing is deleted" in ada.get("/integrations").text
    assert Integration.select().count() == 0


@pytest.mark.parametrize("id", ["999", "9" * 30])
def test_what_is_gone_says_so(ada, id):
    for path in (f"/integrations/{id}", f"/integrations/{id}/panel", f"/integrations/{id}/delete"):
        assert ada.get(path).status_code == 404, path
    for verb in ("activate", "deactivate", "reveal", "delete", "edit/note"):
        answer = ada.post(f"/integrations/{id}/{verb}", {"value": "x"})
        assert answer.status_code == 404, verb
        assert "<html" in answer.text
    fragment = ada.post(f"/integrations/{id}/deactivate", headers=HTMX)
    assert fragment.status_code == 404
    assert "<" not in fragment.text


def test_while_the_database_is_unavailable_nothing_is_reported_saved(ada, turing, monkeypatch):
    def unavailable(*args: object) -> None:
        raise pw.OperationalError("database is locked")

    monkeypatch.setattr(integrations, "set_active", unavailable)
    answer = ada.post(f"/integrations/{turing.id}/deactivate")
    assert answer.status_code == 503
    assert "Nothing was changed" in answer.text
    fragment = ada.post(f"/integrations/{turing.id}/deactivate", headers=HTMX)
    assert fragment.status_code == 503
    assert "Nothing was changed" in fragment.text
    assert "<" not in fragment.text


def test_an_unexpected_fault_shows_no_inside(ada, turing, monkeypatch):
    monkeypatch.setattr(integrations, "set_active", lambda *args: 1 / 0)
    answer = ada.post(f"/integrations/{turing.id}/deactivate")
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text and "Traceback" not in answer.text


def test_a_page_that_is_not_there_says_so(ada):
    answer = ada.get("/nothing/here")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_a_request_of_too_many_bytes_is_refused(ada, turing):
    answer = ada.post(f"/integrations/{turing.id}/edit/note", {"value": "x" * 300_000})
    assert answer.status_code == 413


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_read_only_database_answers_with_a_clear_page_and_a_line_in_the_log(ada, turing, caplog, database):
    db.database.close_all()
    db.database.obj.pragma("query_only", 1, permanent=True)
    assert turing.username in ada.get("/integrations").text
    answer = ada.post(f"/integrations/{turing.id}/deactivate")
    assert answer.status_code == 503
    assert "Nothing was changed" in answer.text
    assert "the database cannot be used: attempt to write a readonly database" in caplog.text
    assert integrations.by_id(turing.id).active
