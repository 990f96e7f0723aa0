"""The pages, asked for without a browser: who may see them, what changes answer, and what protects them."""

from __future__ import annotations

import re
from datetime import timedelta

import peewee as pw
import pytest
from argon2 import PasswordHasher

import app as application
from portal import accounts, clock, db, integrations, presence
from portal.integrations import Actor
from portal.models import Account, Activity, Integration
from portal.presence import Connected, Heartbeat, Writer
from portal.views import integrations as integrations_view

ADA, PASSWORD = "ada@example.com", "correct horse"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
DOWN = "The protocol servers are not running"
HTMX = {"HX-Request": "true"}


class Visitor:
    """A browser without JavaScript; with `htmx`, what HTMX would send."""

    def __init__(self, flask_app) -> None:
        self.client = flask_app.test_client()
        self.token = ""

    def get(self, path: str, **options):
        return self._seen(self.client.get(path, **options))

    def post(self, path: str, form: dict | None = None, *, token: str | None = None, **options):
        data = {"csrf_token": self.token if token is None else token, **(form or {})}
        return self._seen(self.client.post(path, data=data, **options))

    def log_in(self, email: str = ADA, password: str = PASSWORD, query: str = ""):
        self.get("/login")
        answer = self.post(f"/login{query}", {"email": email, "password": password})
        if answer.status_code == 303:
            self.get("/integrations")
        return answer

    def _seen(self, answer):
        found = TOKEN.search(answer.get_data().decode("utf-8", "replace"))
        if found:
            self.token = found[1]
        return answer


@pytest.fixture
def flask_app(database, monkeypatch):
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", quick)
    db.database.close_all()  # the application makes a pool of its own
    made = application.create_app(database.settings)
    made.testing = False
    with db.connected():
        yield made


@pytest.fixture
def account(flask_app, actor) -> Account:
    return accounts.create(actor, ADA, PASSWORD)


@pytest.fixture
def stranger(flask_app, account) -> Visitor:
    return Visitor(flask_app)


@pytest.fixture
def ada(stranger) -> Visitor:
    assert stranger.log_in().status_code == 303
    return stranger


@pytest.fixture
def turing(flask_app, actor, sealer) -> Integration:
    return integrations.create(actor, sealer, "mqtt", username="turing", password="secret-7431")


@pytest.fixture
def node(flask_app) -> Writer:
    presence.start_node("node", clock.now(), {"mqtt": 1883})
    return Writer("node")


def paths(flask_app, method: str) -> list[str]:
    """Return an address for each route of a method."""
    found = []
    for rule in flask_app.url_map.iter_rules():
        if method in rule.methods and rule.endpoint not in {"static", "assets.file"}:
            path = re.sub(r"<int:id>", "1", rule.rule)
            found.append(re.sub(r"<any\(.*?\):field>", "note", re.sub(r"<[^>]*field>", "note", path)))
    assert len(found) > 5
    return found


OPEN = {"/login", "/setup"}


# --- who may see what


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


# --- what protects the pages


def test_every_page_forbids_foreign_scripts_frames_and_caches(flask_app, ada, turing):
    for path in paths(flask_app, "GET"):
        answer = ada.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


def test_no_page_holds_what_its_policy_forbids(flask_app, ada, turing):
    for path in paths(flask_app, "GET"):
        text = ada.get(path).text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path
        assert not re.search(r"\son[a-z]+=", text), path
        assert not re.search(r"\sstyle=|<style", text), path
        assert not re.search(r"(?:src|href)=\"https?://", text), path


def test_every_change_needs_the_token_of_its_page(flask_app, ada, turing):
    for path in set(paths(flask_app, "POST")):
        for token in ("", "wrong"):
            answer = ada.post(path, {"value": "x", "type": "mqtt"}, token=token)
            assert answer.status_code == 400, path
    assert Integration.get().note == ""
    assert ada.get("/integrations").status_code == 200, "and nobody was logged out"


def test_the_session_cookie_is_out_of_reach(stranger):
    stranger.get("/login")
    answer = stranger.post("/login", {"email": ADA, "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert PASSWORD not in cookie


def test_over_tls_the_session_cookie_is_secure(stranger):
    options = {"base_url": "https://localhost", "headers": {"Referer": "https://localhost/login"}}
    stranger.get("/login", base_url="https://localhost")
    answer = stranger.post("/login", {"email": ADA, "password": PASSWORD}, **options)
    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "Strict-Transport-Security" in answer.headers


def test_a_username_of_markup_is_shown_as_text(ada, actor, sealer):
    name = "<script>alert(1)</script>\"'&"
    made = integrations.create(actor, sealer, "mqtt", username=name, note="<img src=x>")
    for path in ("/integrations", f"/integrations/{made.id}", f"/integrations/{made.id}/delete", "/activity"):
        text = ada.get(path).text
        assert "<script>alert" not in text and "<img" not in text, path
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text, path


# --- the list


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
    return re.search(r'data-version="([^"]+)"', ada.get("/integrations").text)[1]


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


# --- changes


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
    assert "secret-7431" in copied.json["subscribe"]
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


# --- styles and scripts


def test_styles_and_scripts_are_served_here_under_addresses_of_their_content(stranger):
    page = stranger.get("/login").text
    found = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert {path.rpartition("/")[2] for path in found} >= {"bootstrap.css", "htmx.js", "gatehouse.css"}
    for path in found:
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["Cache-Control"]
        zipped = stranger.get(path, headers={"Accept-Encoding": "gzip"})
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Content-Type"] == answer.headers["Content-Type"]
    assert stranger.get("/assets/0000/htmx.js").status_code == 404
    assert stranger.get(found[0] + "/../../secret-key").status_code == 404


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
