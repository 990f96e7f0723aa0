"""Finding one among many: search, filters, sorting, pages, the panel's address, back and reload."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.browser.support import names, row

ROWS = ".rows tbody tr"


@pytest.fixture
def many(records):
    """120 integrations, four of them not like the others."""
    records.add_many(116)
    made = {
        "edge": records.add("site_one", "edge"),
        "opcua": records.add("press_plc", "opcua", note="100% of hall_B"),
        "inactive": records.add("old_gateway"),
        "recent": records.add("z_recent"),
    }
    records.set_active(made["inactive"], False)
    records.logged_in_ago(made["recent"], minutes=2)
    records.logged_in_ago(made["edge"], hours=2)
    return made


def count(page, number):
    expect(page.locator(ROWS)).to_have_count(number)


def test_pages_hold_fifty_rows(page, many):
    page.goto("/integrations")
    count(page, 50)
    pager = page.get_by_role("navigation", name="Pages")
    expect(pager).to_contain_text("1–50 of 120")
    expect(pager.get_by_role("link", name="Previous")).to_have_count(0)
    pager.get_by_role("link", name="Next").click()
    expect(pager).to_contain_text("51–100 of 120")
    expect(names(page).first).to_have_text("client_00050")
    pager.get_by_role("link", name="Next").click()
    expect(pager).to_contain_text("101–120 of 120")
    count(page, 20)
    expect(page).to_have_url(re.compile(r"/integrations\?page=3$"))
    page.reload()
    count(page, 20)
    page.go_back()
    expect(pager).to_contain_text("51–100 of 120")
    page.go_back()
    expect(pager).to_contain_text("1–50 of 120")


def test_chips_count_and_filter(page, many):
    page.goto("/integrations")
    chips = page.get_by_role("navigation", name="State")
    expect(chips.get_by_role("link")).to_have_text(["All 120", "Online 0", "Offline 119", "Inactive 1"])
    chips.get_by_role("link", name="Inactive").click()
    count(page, 1)
    expect(chips.get_by_role("link", name="Inactive")).to_have_attribute("aria-current", "true")
    expect(page).to_have_url(re.compile("state=inactive$"))
    expect(names(page)).to_have_text(["old_gateway"])
    chips.get_by_role("link", name="Online").click()
    expect(page.get_by_text("No integration matches.")).to_be_visible()
    page.get_by_role("link", name="Show all 120").click()
    count(page, 50)


def test_search_narrows_while_typing_and_takes_its_text_literally(page, many):
    page.goto("/integrations")
    search = page.get_by_label("Search")
    search.fill("one")
    count(page, 1)
    expect(page).to_have_url(re.compile(r"\?q=one$"))
    expect(names(page)).to_have_text(["site_one"])
    for text, expected in (
        ("0% of", ["press_plc"]),
        ("%", ["press_plc"]),
        ("HALL_b", ["press_plc"]),
        ("e_o", ["site_one"]),
    ):
        search.fill(text)
        expect(page).to_have_url(f"/integrations?{urlencode({'q': text})}")
        expect(names(page)).to_have_text(expected)
    page.reload()
    expect(search).to_have_value("e_o")
    expect(names(page)).to_have_text(["site_one"])


def test_filters_combine_and_their_counts_follow(page, many):
    page.goto("/integrations?page=2")
    page.get_by_label("Type").select_option(label="OPC UA")
    count(page, 1)
    expect(page).to_have_url(re.compile(r"\?type=opcua$"))
    chips = page.get_by_role("navigation", name="State")
    expect(chips.get_by_role("link")).to_have_text(["All 1", "Online 0", "Offline 1", "Inactive 0"])
    chips.get_by_role("link", name="Offline").click()
    expect(page).to_have_url(re.compile(r"type=opcua&state=offline$"))
    page.get_by_label("Search").fill("zzz")
    expect(page.get_by_text("No integration matches.")).to_be_visible()


def test_a_click_on_a_head_sorts_and_another_turns_it_round(page, many):
    page.goto("/integrations")
    head = page.get_by_role("columnheader", name="Last login")
    assert head.get_attribute("aria-sort") is None
    expect(page.get_by_role("columnheader", name="Username")).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(names(page).first).to_have_text("site_one")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    for place, name in enumerate(("z_recent", "site_one", "client_00000")):
        expect(names(page).nth(place)).to_have_text(name)
    expect(head.get_by_role("link")).to_be_focused()
    expect(page).to_have_url(re.compile(r"sort=-last_login$"))


def test_the_panel_opens_beside_the_list_with_its_own_address(page, many):
    page.goto("/integrations?type=opcua")
    plc = many["opcua"]
    row(page, plc).get_by_role("link", name="How to connect press_plc").click()
    panel = page.get_by_role("complementary", name="press_plc")
    expect(panel).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/integrations/{plc['id']}\?type=opcua$"))
    expect(row(page, plc)).to_have_class(re.compile("selected"))
    page.reload()
    expect(panel).to_be_visible()
    count(page, 1)
    page.go_back()
    expect(page).to_have_url(re.compile(r"/integrations\?type=opcua$"))
    expect(page.locator("#panel")).to_be_hidden()
    count(page, 1)
    page.go_forward()
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/integrations\?type=opcua$"))
    expect(page.locator("#panel")).to_be_hidden()


def test_the_filter_and_the_chosen_row_survive_a_change_of_that_row(page, many):
    plc = many["opcua"]
    page.goto(f"/integrations/{plc['id']}?type=opcua")
    row(page, plc).get_by_role("button", name="Deactivate press_plc").click()
    expect(row(page, plc)).to_contain_text("Inactive")
    expect(page.locator("#panel")).to_contain_text("Inactive")
    expect(row(page, plc)).to_have_class(re.compile("selected"))
    link = row(page, plc).get_by_role("link", name="How to connect press_plc")
    expect(link).to_have_attribute("href", re.compile(r"\?type=opcua$"))


def test_a_change_in_a_row_shows_in_the_panel_and_the_chips_without_waiting_for_a_poll(visitor, many):
    plc = many["opcua"]
    page = visitor.page(poll_ms=60_000)
    page.goto(f"/integrations/{plc['id']}?type=opcua")
    row(page, plc).get_by_role("button", name="Deactivate press_plc").click()
    expect(page.locator("#panel")).to_contain_text("Inactive")
    expect(page.locator("#chip-inactive")).to_have_text("Inactive 1")


def test_an_integration_that_is_gone_has_a_page_that_says_so(page, many):
    answer = page.goto("/integrations/999999")
    assert answer.status == 404
    expect(page.get_by_role("heading", name="This integration is gone")).to_be_visible()
    page.get_by_role("link", name="Show the integrations").click()
    count(page, 50)


def test_a_panel_closes_when_its_integration_is_deleted_elsewhere(page, many, second_context):
    plc = many["opcua"]
    page.goto(f"/integrations/{plc['id']}")
    other = second_context.new_page()
    other.goto(f"/integrations/{plc['id']}/delete")
    other.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/integrations$"))
    expect(page.locator("#panel")).to_be_hidden()


def test_an_empty_list_says_what_to_do(page, records):
    page.goto("/integrations")
    expect(page.get_by_role("heading", name="No integrations yet")).to_be_visible()
    expect(page.locator("#live")).to_contain_text("Use Add Integration above to create the first pair.")
    records.add("vast_turing")
    expect(page.locator(ROWS)).to_have_count(1)
