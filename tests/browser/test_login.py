"""Coming in: the first account, logging in, being kept out, and leaving."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.support import Visitor, follow, settled
from tests.support.processes import wait_until
from tests.support.stack import EMAIL, PASSWORD

INTEGRATIONS = re.compile(r"/integrations$")


@pytest.fixture
def stranger(visitor):
    """A browser that nobody logged in with."""
    return visitor.page(logged_in=False)


def log_in(page, email, password):
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    follow(page.get_by_role("button", name="Log in"))


def test_the_one_time_token_creates_the_first_account_and_no_second(chromium, make_stack):
    stack = make_stack(ADMIN_EMAIL="", ADMIN_PASSWORD="")
    stack.launch()
    wait_until(stack.beats, what="Gatehouse to be ready")  # it has no login page to answer with yet
    token = (stack.folder / "data" / "setup-token").read_text().strip()
    assert f"/setup?token={token}" in stack.log()
    with Visitor(chromium, stack) as visitor:
        page = visitor.page()
        page.goto("/")
        expect(page).to_have_url(re.compile(r"/login\?next=|/setup$"))
        page.goto("/login")
        expect(page).to_have_url(re.compile("/setup$"))
        expect(page.get_by_label("One-time token")).to_be_focused()

        page.get_by_label("One-time token").fill("not the token")
        page.get_by_label("E-mail address").fill("grace@example.com")
        page.get_by_label("Password").fill("good enough")
        page.get_by_role("button", name="Create the account").click()
        expect(page.get_by_label("One-time token")).to_have_accessible_description(
            "This is not the token that Gatehouse printed when it started."
        )
        expect(page.get_by_label("One-time token")).to_be_focused()
        expect(page.get_by_label("E-mail address")).to_have_value("grace@example.com")

        page.goto(f"/setup?token={token}")
        expect(page.get_by_label("One-time token")).to_have_value(token)
        expect(page.get_by_label("E-mail address")).to_be_focused()
        page.get_by_label("E-mail address").fill("grace@example.com")
        page.get_by_label("Password").fill("short")
        page.get_by_role("button", name="Create the account").click()
        expect(page.get_by_label("Password")).to_have_accessible_description("A password has at least 8 characters.")
        page.get_by_label("Password").fill("good enough")
        page.get_by_role("button", name="Create the account").click()
        expect(page).to_have_url(INTEGRATIONS)
        expect(page.get_by_role("heading", name="No integrations yet")).to_be_visible()

        other = visitor.page()
        other.goto(f"/setup?token={token}")
        expect(other).to_have_url(re.compile("/login$"))
        log_in(other, "grace@example.com", "good enough")
        expect(other).to_have_url(INTEGRATIONS)


def test_a_wrong_password_is_told_apart_from_nothing(stranger):
    stranger.goto("/login")
    expect(stranger.get_by_label("E-mail address")).to_be_focused()
    for email in (EMAIL, "nobody@example.com"):
        log_in(stranger, email, "wrong password")
        expect(stranger.get_by_label("E-mail address")).to_have_value(email)
        expect(stranger.get_by_label("Password")).to_be_focused()
        expect(stranger.get_by_role("alert")).to_have_text("This e-mail address and password do not belong together.")


def test_the_sixth_try_has_to_wait_even_with_the_right_password(stranger, records):
    stranger.goto("/login")
    for _ in range(5):
        log_in(stranger, EMAIL, "wrong password")
        expect(stranger.get_by_role("alert")).to_contain_text("do not belong together")
    log_in(stranger, EMAIL, PASSWORD)
    expect(stranger.get_by_role("alert")).to_have_text(
        "Too many failed logins. Wait a quarter of an hour, then try again."
    )
    expect(stranger).to_have_url(re.compile("/login$"))


def test_logging_in_goes_on_to_the_page_that_was_asked_for(stranger):
    stranger.goto("/activity?show=refused")
    expect(stranger).to_have_url(re.compile(r"/login\?next="))
    log_in(stranger, EMAIL, PASSWORD)
    expect(stranger).to_have_url(re.compile(r"/activity\?show=refused$"))


def test_logging_in_never_goes_on_to_another_site(visitor):
    for elsewhere in (
        "https://example.com/",
        "//example.com/",
        r"/\example.com/",
        "/%09/example.com/",
        "javascript:alert(1)",
    ):
        page = visitor.page(logged_in=False)
        page.goto(f"/login?next={elsewhere}")
        log_in(page, EMAIL, PASSWORD)
        expect(page).to_have_url(INTEGRATIONS)


def test_logging_out_ends_the_session(page):
    page.goto("/integrations")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login$"))
    page.goto("/integrations")
    expect(page).to_have_url(re.compile(r"/login\?next="))


def test_a_link_cannot_log_anybody_out(page):
    answer = page.goto("/logout")
    assert answer.status == 405
    page.goto("/integrations")
    expect(page.get_by_role("heading", name="Integrations", exact=True)).to_be_visible()


def test_a_tab_that_was_logged_out_elsewhere_goes_to_the_login_page_by_itself(page, requests_of):
    page.goto("/integrations")
    polls = requests_of(page, "/integrations/rows")
    other = page.context.new_page()
    other.goto("/activity")
    settled(page)
    with page.expect_response(lambda answer: answer.request.resource_type == "xhr" and answer.status != 204) as first:
        other.get_by_role("button", name="Log out").click()
    assert first.value.headers["hx-redirect"] == "/login", "the first poll that is not let in sends it there"
    expect(other).to_have_url(re.compile("/login$"))
    expect(page).to_have_url(re.compile("/login"))
    before = len(polls)
    page.wait_for_timeout(1000)
    assert len(polls) == before, "the login page does not poll"
