"""What protects the pages: headers, tokens, cookies, escaping; and how files are served."""

from __future__ import annotations

import logging
import re

import pytest

from portal import integrations
from portal.models import Integration
from tests.portal.visitor import ADA, HTMX, PASSWORD, paths


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


@pytest.mark.parametrize("host", ["x" * 5_000, "a..b", "\xff", "\x1b[31m", "localhost:x", "[::1", ""])
@pytest.mark.parametrize("path", ["/login", "/mqtt", "/integrations", "/nowhere"])
def test_a_host_that_is_none_breaks_nothing(flask_app, ada, caplog, host, path):
    for options in ({}, {"headers": HTMX}):
        answer = ada.client.get(path, environ_overrides={"HTTP_HOST": host}, **options)
        assert answer.status_code < 500, answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not caplog.records


@pytest.mark.parametrize("query", ["q=\xff", "\xff", "a=1&\xc3=2&b"])
def test_an_address_that_is_no_utf8_is_no_request(flask_app, ada, stranger, caplog, query):
    for path in {path for path in paths(flask_app, "GET") if not path.startswith("/api/")} | {"/nowhere"}:
        for visitor in (ada, stranger):
            for options in ({}, {"headers": HTMX}):
                for raw in ({"QUERY_STRING": query}, {"PATH_INFO": f"{path}\xff"}):
                    answer = visitor.client.get(path, environ_overrides=raw, **options)
                    assert answer.status_code == 400, (path, raw)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


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


# --- styles and scripts


def test_styles_and_scripts_are_served_here_under_addresses_of_their_content(stranger):
    page = stranger.get("/login").text
    found = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    names = [path.rpartition("/")[2] for path in found]
    styles = [name for name in names if name.endswith(".css")]
    expected = ["bootstrap.css", "gatehouse.css", "parts.css", "live.css", "edge.css", "widths.css"]
    assert styles == expected, "each overrides those before it"
    assert "htmx.js" in names
    for path in found:
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["Cache-Control"]
        zipped = stranger.get(path, headers={"Accept-Encoding": "gzip"})
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Content-Type"] == answer.headers["Content-Type"]
    assert stranger.get("/assets/0000/htmx.js").status_code == 404
    assert stranger.get(found[0] + "/../../secret-key").status_code == 404
