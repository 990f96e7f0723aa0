"""Live without nerves: what a poll changes, and what it leaves alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.support import names, polled, row, settled
from tests.browser.test_shape import mixed as mixed
from tests.browser.test_shape import paths
from tests.support.clients import Subscriber

# Marks every element, so that a later look tells the old ones from new ones.
MARK = "for (const element of document.querySelectorAll('#live *, #panel *')) element.marked = true"
UNMARKED = (
    "[...document.querySelectorAll('#live *, #panel *')]"
    ".filter((element) => !element.marked).map((found) => found.outerHTML)"
)
WATCH = """
    window.mutations = 0;
    const observer = new MutationObserver((list) => window.mutations += list.length);
    for (const part of document.querySelectorAll("#live > *, #panel > *:not(:has(time))")) {
        observer.observe(part, {subtree: true, childList: true, attributes: true, characterData: true});
    }
"""

# What would be dropped while a poll is under way, as it is in step with that and does not say how.
DROPPED = """
    [...document.querySelectorAll("[hx-get], [hx-post]")]
        .filter((control) => !control.matches("[hx-sync]") && control.closest("[hx-sync]")?.matches("[data-poll]"))
        .map((found) => found.outerHTML)
"""


@pytest.fixture
def hopper(records):
    return records.add("calm_hopper")


def test_an_unchanged_poll_is_answered_204_and_touches_nothing(page, turing):
    page.goto(f"/integrations/{turing['id']}")
    settled(page)
    page.evaluate(WATCH)
    assert [polled(page), polled(page)] == [204, 204]
    assert page.evaluate("window.mutations") == 0


def test_a_change_replaces_only_what_changed(page, records, turing, hopper):
    page.goto("/integrations")
    settled(page)
    page.evaluate(MARK)
    records.rename(hopper, "calm_hamilton")
    expect(row(page, hopper)).to_contain_text("calm_hamilton")
    assert page.evaluate(UNMARKED) == [], "nodes were made anew for a changed text"
    records.add("bold_bohr")
    expect(page.locator(".rows tbody tr")).to_have_count(3)
    assert row(page, turing).evaluate("row => row.marked")
    expect(names(page)).to_have_text(["bold_bohr", "calm_hamilton", "vast_turing"])


def test_focus_selection_and_an_open_menu_survive_a_poll(page, records, turing, hopper):
    page.goto("/integrations")
    page.locator(".menu summary").click()
    button = row(page, turing).get_by_role("button", name="Deactivate vast_turing")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="MQTT Devices")).to_be_focused()
    name = row(page, turing).locator(".name span")
    name.evaluate("element => getSelection().selectAllChildren(element)")
    records.set_active(hopper, False)
    records.add("bold_bohr")
    expect(row(page, hopper)).to_contain_text("Inactive")
    expect(page.get_by_role("button", name="MQTT Devices")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == "vast_turing"
    page.keyboard.press("Escape")
    expect(page.locator(".menu summary")).to_be_focused()
    button.focus()
    records.set_active(hopper, True)
    records.set_note(turing, "changed in the focused row")
    expect(row(page, turing)).to_contain_text("changed in the focused row")
    expect(button).to_be_focused()


def test_a_row_being_edited_is_left_alone_while_others_change(page, records, turing, hopper):
    page.goto("/integrations")
    row(page, turing).get_by_role("link", name="vast_turing", exact=True).click()
    field = row(page, turing).get_by_label("Username")
    field.fill("half a na")
    field.evaluate("field => field.setSelectionRange(2, 4)")
    records.set_note(turing, "changed elsewhere")
    records.rename(hopper, "wild_hopper")  # which moves its row to the other side of the edited one
    expect(row(page, hopper)).to_contain_text("wild_hopper")
    expect(field).to_have_value("half a na")
    expect(field).to_be_focused()
    assert field.evaluate("field => [field.selectionStart, field.selectionEnd]") == [2, 4]
    page.keyboard.press("Escape")
    expect(row(page, turing)).to_contain_text("changed elsewhere")


def test_a_shown_password_survives_a_change_of_another_row(page, records, turing, hopper):
    page.goto("/integrations")
    row(page, turing).get_by_role("button", name="Show the password").click()
    expect(row(page, turing)).to_contain_text(turing["password"])
    records.set_active(hopper, False)
    expect(row(page, hopper)).to_contain_text("Inactive")
    expect(row(page, turing)).to_contain_text(turing["password"])


def test_what_is_being_typed_into_the_search_survives_a_poll(page, records, turing, hopper):
    page.goto("/integrations")
    page.keyboard.press("/")
    search = page.get_by_label("Search")
    expect(search).to_be_focused()
    page.keyboard.type("tur")
    expect(page.locator(".rows tbody tr")).to_have_count(1)
    records.set_active(turing, False)
    expect(row(page, turing)).to_contain_text("Inactive")
    expect(search).to_have_value("tur")
    expect(search).to_be_focused()
    expect(names(page)).to_have_text(["vast_turing"])


def test_a_changed_cell_fades_and_not_for_who_wants_no_motion(page, visitor, records, turing):
    watch = """
        window.faded = [];
        document.addEventListener("animationstart", (event) => window.faded.push(event.animationName));
    """
    moving = visitor.page(reduced_motion="no-preference")
    for browser in (moving, page):
        browser.goto("/integrations")
        browser.evaluate(watch)
    records.set_active(turing, False)
    for browser in (moving, page):
        expect(row(browser, turing)).to_contain_text("Inactive")
    moving.wait_for_function("window.faded.includes('changed')")
    assert page.evaluate("window.faded") == []


def test_slow_answers_do_not_pile_up_and_a_click_does_not_wait_for_them(page, records, turing, hopper):
    held = []
    page.goto("/integrations")
    records.set_active(hopper, False)
    expect(row(page, hopper)).to_contain_text("Inactive")
    page.route("**/integrations/rows?v=*", lambda route: held.append(route))
    with page.expect_request("**/integrations/rows?v=*"):  # one that was under way may end before
        pass
    page.wait_for_timeout(1500)
    assert len(held) == 1, "another poll was sent while one was open"
    page.get_by_role("link", name="Inactive 1").click()
    expect(page.locator(".rows tbody tr")).to_have_count(1)


def test_times_are_told_in_the_viewers_zone_with_the_exact_time_on_hover(visitor, records, turing):
    records.logged_in_ago(turing, hours=3, minutes=20)
    page = visitor.page(timezone_id="Asia/Tokyo", locale="en-GB")
    page.goto("/integrations")
    time = row(page, turing).locator("time")
    expect(time).to_have_text("3 hours ago")
    expected = time.evaluate(
        "time => new Date(time.dateTime).toLocaleString('en-GB', "
        "{dateStyle: 'medium', timeStyle: 'medium', timeZone: 'Asia/Tokyo'})"
    )
    expect(time).to_have_attribute("title", expected)


def test_no_click_is_dropped_for_a_poll(page, stack, turing, mixed):
    with Subscriber(stack.mqtt_port, turing, "#", "-i", "kept", "-c", "-q", "1") as client:
        client.subscribed()
    page.goto(f"/integrations/{turing['id']}")
    expect(page.locator("#panel-stored")).to_contain_text("kept")
    assert page.evaluate(DROPPED) == []
    for path in (*paths(mixed), "/topics?topic=plant/a", "/edge"):
        page.goto(path)
        assert page.evaluate(DROPPED) == [], path
