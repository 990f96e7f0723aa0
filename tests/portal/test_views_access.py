"""Who may see the pages: logging in and out, and the first account."""

from __future__ import annotations

import pytest

from portal import accounts
from portal.integrations import Actor
from portal.models import Account, Integration
from tests.portal.visitor import ADA, HTMX, OPEN, PASSWORD, Visitor, paths


def test_a_stranger_is_sent_to_the_login_page_from_everywhere(flask_app, stranger, turing):
    for path in set(paths(flask_app, "GET")) - OPEN:
        answer = stranger.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/login"), path
        assert "turing" not in answer.text


def test_a_stranger_changes_nothing(flask_app, stranger, turing):
    stranger.get("/login")
    for path in set(paths(flask_app, "POST")) - OPEN - {"/logout"}:
        answer = stranger.post(path, {"value": "x", "type": "mqtt"})
        assert answer.status_code in {302, 303}, path
        assert answer.location.startswith("/login"), path
    assert [row.username for row in Integration.select()] == ["turing"]
    assert Integration.get().note == ""
    assert Integration.get().active


def test_a_strangers_poll_sends_the_whole_browser_to_the_login_page(stranger):
    answer = stranger.get("/integrations/rows", headers=HTMX)
    assert answer.headers["HX-Redirect"] == "/login"
    assert answer.text == ""


def test_after_logging_in_the_browser_goes_where_it_wanted_to(stranger):
    asked = stranger.get("/activity?show=refused")
    assert asked.location == "/login?next=/activity?show%3Drefused"
    answer = stranger.log_in(query="?next=/activity?show%3Drefused")
    assert answer.location == "/activity?show=refused"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "javascript:x", "/\n/evil"],
)
def test_after_logging_in_the_browser_goes_to_no_other_site(stranger, target):
    stranger.get("/login")
    answer = stranger.client.post(
        "/login",
        query_string={"next": target},
        data={"csrf_token": stranger.token, "email": ADA, "password": PASSWORD},
    )
    assert answer.location == "/integrations"


def test_a_wrong_login_says_so_and_does_not_say_what_was_wrong(stranger):
    wrong = stranger.log_in(ADA, "wrong password")
    unknown = stranger.log_in("eve@example.com", "wrong password")
    assert wrong.status_code == unknown.status_code == 401
    assert "do not belong together" in wrong.text
    assert "wrong password" not in wrong.text
    assert stranger.get("/integrations").status_code == 302


def test_too_many_wrong_logins_have_to_wait(stranger):
    for _ in range(accounts.MAX_FAILURES_PER_EMAIL):
        stranger.log_in(ADA, "wrong")
    assert stranger.log_in(ADA, PASSWORD).status_code == 429


def test_logging_out_ends_the_session(ada):
    assert ada.post("/logout").status_code == 303
    assert ada.get("/integrations").status_code == 302


def test_logging_out_takes_a_post(ada):
    assert ada.get("/logout").status_code == 405
    assert ada.get("/integrations").status_code == 200


def test_a_changed_password_ends_every_session_of_its_account(ada):
    accounts.set_password(Actor("command line"), ADA, "battery staple")
    assert ada.get("/integrations").status_code == 302


def test_a_deleted_account_is_logged_out(ada):
    Account.delete().execute()
    assert ada.get("/integrations").status_code == 302


def test_a_forged_cookie_is_nobody(stranger):
    stranger.client.set_cookie("gatehouse", "eyJfdXNlcl9pZCI6IjEifQ.aaaa.bbbb")
    assert stranger.get("/integrations").status_code == 302


# --- the first account


def test_without_an_account_every_page_leads_to_the_set_up(flask_app):
    visitor = Visitor(flask_app)
    assert visitor.get("/integrations").location.startswith("/login")
    assert visitor.get("/login").location == "/setup"


def test_the_first_account_needs_the_token(flask_app, database):
    visitor = Visitor(flask_app)
    token = accounts.setup_token(database.settings)
    visitor.get("/setup")
    form = {"email": ADA, "password": PASSWORD}
    wrong = visitor.post("/setup", {**form, "token": token + "x"})
    assert wrong.status_code == 422
    assert not accounts.exist()
    short = visitor.post("/setup", {**form, "token": token, "password": "short"})
    assert short.status_code == 422
    assert "at least 8 characters" in short.text
    assert visitor.post("/setup", {**form, "token": token}).status_code == 303
    assert visitor.get("/integrations").status_code == 200
    assert visitor.get("/setup").location == "/login"
