"""Bans on the server page: they appear by themselves, are lifted with a click, and fit a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from portal import clock, db
from portal.models import Ban, Revision
from tests.browser.support import Records

LONG = "somebody/" + "made-this-up-" * 9


@pytest.fixture(autouse=True)
def no_bans_left(records: Records) -> Iterator[None]:
    yield
    with db.connected(), db.writing():
        Ban.delete().execute()
        Revision.bump("bans")


def ban(kind: str, name: str, minutes: float = 9.5) -> None:
    """Ban as the protocols worker does."""
    now = clock.now()
    with db.connected(), db.writing():
        Revision.bump("bans")
        Ban.create(
            kind=kind,
            name=name,
            since=now,
            until=now + timedelta(minutes=minutes),
            times=1,
            failures=20,
            protocol="mqtt",
            last_username=LONG,
            last_address="192.0.2.7",
        )


def test_a_ban_appears_by_itself_and_is_lifted_with_a_click(page: Page, records: Records):
    page.goto("/server")
    part = page.locator("#bans")
    expect(part).to_contain_text("Nobody is banned.")
    ban("address", "192.0.2.66")
    ban("username", "turing")
    expect(part.locator(".ban")).to_have_count(2)
    expect(part).to_contain_text("ends in 10 minutes")
    page.get_by_role("button", name="Lift the ban of 192.0.2.66").click()
    expect(part.locator(".ban")).to_have_count(1)
    assert records.happened("ban.lifted") == 1
    expect(page.get_by_role("button", name="Lift the ban of turing")).to_be_visible()


def test_the_focus_stays_while_bans_come(page: Page, records: Records):
    ban("address", "192.0.2.66")
    page.goto("/server")
    button = page.get_by_role("button", name="Lift the ban of 192.0.2.66")
    button.focus()
    ban("address", "192.0.2.67")
    expect(page.locator(".ban")).to_have_count(2)
    expect(button).to_be_focused()


def test_without_scripts_a_ban_is_lifted_too(plain: Page, records: Records):
    ban("address", "192.0.2.66")
    plain.goto("/server")
    plain.get_by_role("button", name="Lift the ban of 192.0.2.66").click()
    expect(plain.locator("#bans")).to_contain_text("Nobody is banned.")
    expect(plain.locator(".notice")).to_contain_text("The ban of 192.0.2.66 is lifted.")


def test_the_panel_leads_to_the_ban_of_its_username(page: Page, records: Records):
    turing = records.add("turing")
    ban("username", "turing")
    page.goto(f"/integrations/{turing['id']}")
    page.get_by_role("link", name="Lift the ban").click()
    expect(page).to_have_url("/server#bans")
    expect(page.get_by_role("button", name="Lift the ban of turing")).to_be_visible()


def test_nothing_scrolls_sideways_on_a_phone(phone: Page, records: Records):
    ban("username", LONG)
    ban("address", "2001:db8:1234:5678::/64")
    phone.goto("/server")
    expect(phone.locator(".ban")).to_have_count(2)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
