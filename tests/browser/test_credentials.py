"""Adding an integration, changing its credentials in place, and seeing and copying its password."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from portal.kinds import KINDS
from tests.browser.support import clipboard, names, row, settled
from tests.support.processes import wait_until

DOTS = "••••••••"


@pytest.fixture
def turing(records):
    return records.add("vast_turing", note="Press 4, hall B")


def edit_username(page, integration):
    row(page, integration).get_by_role("link", name=integration["username"], exact=True).click()
    field = row(page, integration).get_by_label("Username")
    expect(field).to_be_focused()
    return field


def test_each_type_is_added_with_generated_credentials_and_opened(page, records):
    page.goto("/integrations")
    for kind in KINDS.values():
        if kind.type == "edge":  # has pages of its own
            continue
        known = records.usernames()
        page.locator(".menu summary").click()
        is_asked = kind.type == "vrpc"  # in which domain it is
        page.get_by_role("link" if is_asked else "button", name=re.compile(f"^{kind.label} ")).click()
        if is_asked:
            page.get_by_role("button", name="Add", exact=True).click()
        panel = page.locator("#panel")
        expect(panel).to_contain_text(kind.label)
        (username,) = wait_until(lambda known=known: records.usernames() - known, what="it to be made")
        assert re.fullmatch(r"[a-z]+_[a-z]+", username)
        expect(page).to_have_url(re.compile(r"/integrations/\d+$"))
        expect(panel.get_by_role("link", name=username)).to_be_visible()
        expect(panel).to_contain_text(DOTS)
        expect(names(page).get_by_text(username, exact=True)).to_be_visible()
        lines = {
            "mqtt": "mosquitto_sub -h 127.0.0.1 -p ",
            "opcua": "from asyncua import Client",
            "http": "curl -u ",
            "vrpc": "from vrpc import VrpcAdapter",
        }
        expect(panel.locator(".line-box code").first).to_contain_text(lines[kind.type])


def test_enter_saves_a_username(page, records, turing):
    page.goto("/integrations")
    field = edit_username(page, turing)
    expect(field).to_have_value("vast_turing")
    assert page.evaluate("getSelection().toString()") == "vast_turing", "typing replaces the old name"
    page.keyboard.type("press 4/hall:B@plant.example")
    page.keyboard.press("Enter")
    expect(row(page, turing).get_by_role("link", name="press 4/hall:B@plant.example", exact=True)).to_be_focused()
    assert records.usernames() == {"press 4/hall:B@plant.example"}


def test_escape_restores_a_username(page, records, turing):
    page.goto("/integrations")
    edit_username(page, turing).fill("something else")
    page.keyboard.press("Escape")
    expect(row(page, turing).get_by_role("link", name="vast_turing", exact=True)).to_be_focused()
    expect(row(page, turing).get_by_role("textbox")).to_have_count(0)
    assert records.usernames() == {"vast_turing"}


def test_enter_saves_a_password_and_the_old_one_is_not_shown_for_it(page, records, turing):
    page.goto("/integrations")
    row(page, turing).get_by_role("link", name=DOTS).click()
    field = row(page, turing).get_by_label("New password")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    page.keyboard.type("pass word <1>")
    page.keyboard.press("Enter")
    expect(row(page, turing).get_by_role("link", name=DOTS)).to_be_focused()
    assert records.password(turing) == "pass word <1>"
    assert records.happened("integration.password-changed") == 1


def test_a_refused_username_says_why_beside_the_field(page, records, turing):
    records.add("calm_hopper")
    page.goto("/integrations")
    field = edit_username(page, turing)
    for typed, message in (
        ("calm_hopper", "This username is taken by another integration."),
        ("", "A username is required."),
        (" spaced", "A username cannot start or end with a space."),
        ("bell\a", "A username cannot hold control or invisible characters."),
        ("x" * 129, "A username has at most 128 characters."),
    ):
        field.fill(typed)
        page.keyboard.press("Enter")
        expect(field).to_have_accessible_description(message)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        expect(field).to_have_value(typed)
        expect(row(page, turing).get_by_role("alert")).to_have_text(message)
    assert records.usernames() == {"vast_turing", "calm_hopper"}
    page.keyboard.press("Escape")
    expect(row(page, turing).get_by_role("link", name="vast_turing", exact=True)).to_be_focused()


def test_a_refused_password_says_why_beside_the_field(page, records, turing):
    page.goto("/integrations")
    row(page, turing).get_by_role("link", name=DOTS).click()
    field = row(page, turing).get_by_label("New password")
    for typed, message in (
        ("", "A password is required."),
        ("a\x00b", "A password cannot hold control or invisible characters."),
    ):
        field.fill(typed)
        page.keyboard.press("Enter")
        expect(field).to_have_accessible_description(message)
    assert records.password(turing) == turing["password"]


def test_a_note_is_added_in_the_panel_and_appears_in_the_row(page, records):
    turing = records.add("vast_turing")
    page.goto(f"/integrations/{turing['id']}")
    page.get_by_role("link", name="Add a note").click()
    expect(page.locator("#panel").get_by_label("Note")).to_be_focused()
    page.keyboard.type("Press 4, hall B")
    page.keyboard.press("Enter")
    expect(page.locator("#panel").get_by_role("link", name="Press 4, hall B")).to_be_focused()
    expect(row(page, turing)).to_contain_text("Press 4, hall B")


def test_a_shown_password_ends_by_itself_and_each_click_is_recorded_once(page, records, turing):
    page.clock.install()
    page.goto("/integrations")
    cell = row(page, turing).locator(".c-password")
    expect(cell).to_contain_text(DOTS)
    assert turing["password"] not in page.content()
    cell.get_by_role("button", name="Show the password of vast_turing").click()
    expect(cell).to_contain_text(turing["password"])
    expect(cell.get_by_role("link", name="Hide the password")).to_be_focused()
    page.clock.fast_forward(25_000)
    settled(page)
    expect(cell).to_contain_text(turing["password"])
    page.clock.fast_forward(6_000)
    expect(cell).to_contain_text(DOTS)
    assert turing["password"] not in page.content()
    assert records.happened("integration.password-shown") == 1


def test_a_shown_password_can_be_hidden_at_once(page, records, turing):
    page.goto("/integrations")
    cell = row(page, turing).locator(".c-password")
    cell.get_by_role("button", name="Show the password").click()
    cell.get_by_role("link", name="Hide the password").click()
    expect(cell).to_contain_text(DOTS)
    expect(cell.get_by_role("button", name="Show the password of vast_turing")).to_be_focused()
    assert records.happened("integration.password-shown") == 1


def test_a_password_shown_in_the_panel_fills_the_lines_to_copy(page, turing):
    page.goto(f"/integrations/{turing['id']}")
    panel = page.locator("#panel")
    panel.get_by_role("button", name="Show the password").click()
    expect(panel.locator(".line-box code").first).to_contain_text(f"-P {turing['password']} ")
    panel.get_by_role("link", name="Hide the password").click()
    expect(panel.locator(".line-box code").first).to_contain_text(f"-P '{DOTS}' ")


def test_copying_a_password_does_not_show_it_and_is_recorded(page, records, turing):
    page.goto("/integrations")
    row(page, turing).get_by_role("button", name="Copy the password of vast_turing").click()
    expect(page.get_by_role("status")).to_contain_text("Copied.")
    assert clipboard(page) == turing["password"]
    assert turing["password"] not in page.content()
    assert records.happened("integration.password-shown") == 1


def test_copying_works_where_the_browser_offers_no_clipboard(page, turing):
    """As under plain HTTP from another machine."""
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.goto("/integrations")
    button = row(page, turing).get_by_role("button", name="Copy the password")
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Copied.")
    expect(button).to_be_focused()
    assert clipboard(page) == turing["password"]
    assert page.locator("textarea").count() == 0


def test_a_failed_copy_says_so(page, turing):
    page.route("**/reveal", lambda route: route.fulfill(status=422))
    page.goto("/integrations")
    row(page, turing).get_by_role("button", name="Copy the password").click()
    expect(page.get_by_role("status")).to_contain_text("Not copied: the server answered 422.")


def test_a_line_is_copied_with_the_password_in_it(page, turing, stack):
    page.goto(f"/integrations/{turing['id']}")
    page.get_by_role("button", name="Copy this line, with the password").first.click()
    expect(page.get_by_role("status")).to_contain_text("Copied.")
    login = f"-h 127.0.0.1 -p {stack.mqtt_port} -u vast_turing -P {turing['password']}"
    assert clipboard(page) == f"mosquitto_sub {login} -t '#' -v"
    page.get_by_role("button", name="Copy the username").click()
    wait_until(lambda: clipboard(page) == "vast_turing", what="the username to be copied")


def test_one_edits_while_another_deletes(page, second_context, records, turing):
    page.goto("/integrations")
    field = edit_username(page, turing)
    field.fill("brave_name")
    other = second_context.new_page()
    other.goto("/integrations")
    row(other, turing).get_by_role("link", name="Delete vast_turing").click()
    other.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(other.get_by_role("status")).to_contain_text("vast_turing is deleted.")
    # A poll that no longer has the row leaves what is being typed alone.
    expect(page.get_by_role("heading", name="No integrations yet")).to_be_visible()
    expect(field).to_have_value("brave_name")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("This integration is gone. It was deleted meanwhile.")
    expect(field).to_have_count(0)
    assert records.usernames() == set()


def test_the_last_of_two_edits_wins_and_both_pages_agree(page, second_context, turing):
    other = second_context.new_page()
    other.goto("/integrations")
    page.goto("/integrations")
    edit_username(page, turing).fill("first_name")
    edit_username(other, turing).fill("second_name")
    page.keyboard.press("Enter")
    expect(row(page, turing).get_by_role("link", name="first_name", exact=True)).to_be_visible()
    other.keyboard.press("Enter")
    for browser in (page, other):
        expect(row(browser, turing).get_by_role("link", name="second_name", exact=True)).to_be_visible()
