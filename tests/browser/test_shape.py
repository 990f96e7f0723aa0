"""Phones, keyboards, screen readers, eyes and slow lines."""

from __future__ import annotations

import re
from itertools import product

import pytest
from playwright.sync_api import expect

from tests.browser.support import names, row, settled

LONG = "demo.default/ar412020-" + "a-rather-long-name" * 5
SHIFTS = """
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
"""
# Relative luminance and contrast as WCAG 2.2 defines them; each element's text against what lies behind it.
CONTRAST = """
    () => {
        const channels = (color) => color.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b]
            .map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (element) => {
            for (let e = element; e; e = e.parentElement) {
                const found = channels(getComputedStyle(e).backgroundColor);
                if (found.length === 3 || found[3] === 1) return found;
            }
            return [255, 255, 255];
        };
        const poor = [];
        for (const element of document.querySelectorAll("body *")) {
            const words = [...element.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim());
            if (!words || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
            const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 120)}`);
        }
        return poor;
    }
"""

NAMELESS = """
    (controls) => {
        const labels = (e) => [...(e.labels || [])].map((label) => label.textContent).join("");
        const name = (e) => (e.getAttribute("aria-label") || e.textContent || labels(e)).trim();
        return controls.filter((e) => !name(e)).map((e) => e.outerHTML);
    }
"""
EARLY = """
    [...document.querySelectorAll("[form]")]
        .filter((control) => control.compareDocumentPosition(control.form) & Node.DOCUMENT_POSITION_FOLLOWING)
        .map((found) => found.outerHTML)
"""
FOCUSED = """
    () => {
        const e = document.activeElement;
        const style = getComputedStyle(e);
        const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
        return [e.getAttribute("aria-label") || e.innerText, ring];
    }
"""


@pytest.fixture
def mixed(records):
    """Integrations of every kind and state, with long names."""
    made = [records.add(f"{type}_one", type) for type in ("mqtt", "opcua", "http", "vrpc", "edge")]
    made.append(records.add(LONG, "edge", note="a note that says much more than fits " * 6))
    made.append(records.add("off_duty"))
    records.set_active(made[-1], False)
    records.had_traffic(made[5])
    for one in made[:3]:
        records.logged_in_ago(one, days=40)
    return made


def paths(mixed):
    opened = f"/integrations/{mixed[5]['id']}"
    return [
        "/integrations",
        "/integrations?q=zzz",
        opened,
        f"{opened}/edit/username",
        f"{opened}/delete",
        f"{opened}/permissions",
        f"/integrations/{mixed[1]['id']}",
        f"/integrations/{mixed[1]['id']}/nodes",
        "/topics?to=a",
        "/agents",
        f"/integrations/{mixed[2]['id']}",
        "/api/v1/",
        "/activity",
        "/server",
        "/server/opcua/switch/OPCUA_ALLOW_NONE/off",
        "/nowhere",
    ]


def assert_fits(page):
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], f"{page.url} scrolls sideways: {width}"


def test_nothing_scrolls_sideways_on_a_phone(phone, visitor, mixed):
    for path in paths(mixed):
        phone.goto(path)
        assert_fits(phone)
    phone.goto("/integrations")
    phone.locator(".menu summary").click()
    expect(phone.locator(".menu-list")).to_be_visible()
    assert_fits(phone)
    box = phone.locator(".menu-list").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    phone.keyboard.press("Escape")
    row(phone, mixed[0]).get_by_role("button", name="Show the password").click()
    expect(row(phone, mixed[0])).to_contain_text(mixed[0]["password"])
    assert_fits(phone)
    row(phone, mixed[5]).get_by_role("link", name="••••").click()
    expect(row(phone, mixed[5]).get_by_label("New password")).to_be_focused()
    assert_fits(phone)
    row(phone, mixed[0]).get_by_role("link", name="Delete").click()
    expect(phone.get_by_role("dialog")).to_be_visible()
    assert_fits(phone)
    stranger = visitor.page(logged_in=False, viewport={"width": 390, "height": 800}, is_mobile=True)
    stranger.goto("/login")
    assert_fits(stranger)


def test_a_phone_shows_each_row_as_a_card_with_everything_on_it(phone, mixed):
    phone.goto("/integrations")
    card = row(phone, mixed[0])
    for text in ("mqtt_one", "MQTT", "Offline", "Last login last month"):
        expect(card.get_by_text(text).first).to_be_in_viewport()
    for name in ("Show the password", "Copy the password", "Deactivate"):
        expect(card.get_by_role("button", name=name)).to_be_visible()


def test_the_menu_of_a_phone_opens_and_closes(phone, mixed):
    phone.goto("/integrations")
    link = phone.get_by_role("link", name="Activity")
    expect(link).to_be_hidden()
    menu = phone.get_by_role("button", name="Menu")
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.click()
    expect(link).to_be_in_viewport()
    expect(menu).to_have_attribute("aria-expanded", "true")
    phone.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    link.click()
    expect(phone.get_by_role("heading", name="Activity")).to_be_visible()


def test_rows_keep_their_height_and_nothing_overlaps(page, mixed):
    for width, path in product((1440, 1180, 1000, 821), ("/integrations", f"/integrations/{mixed[0]['id']}")):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path)
        assert_fits(page)
        table, card = (page.locator(selector).bounding_box() for selector in (".rows", "#live"))
        assert table["width"] <= card["width"], f"the table leaves its card: {width} {path}"
        if page.locator(".rows thead").bounding_box()["x"] < 0:
            continue  # cards
        assert heights(page) <= {44, 45}
        row(page, mixed[1]).get_by_role("button", name="Show the password").click()
        expect(row(page, mixed[1])).to_contain_text(mixed[1]["password"])
        assert heights(page) <= {44, 45}
        row(page, mixed[1]).get_by_role("link", name="Hide the password").click()
        expect(row(page, mixed[1])).not_to_contain_text(mixed[1]["password"])


def heights(page):
    return set(page.locator(".rows tbody tr").evaluate_all("rows => rows.map((row) => Math.round(row.offsetHeight))"))


def test_a_panel_has_its_place_before_it_is_there(page, mixed):
    page.goto(f"/integrations/{mixed[0]['id']}")
    beside = page.locator("#live").bounding_box()["width"]
    page.evaluate("document.querySelector('.panel').remove()")  # as on a line that is slow to bring it
    assert page.locator("#live").bounding_box()["width"] == beside


def test_no_button_is_there_before_the_form_that_it_sends(page, mixed):
    for path in paths(mixed):
        page.goto(path)
        assert page.evaluate(EARLY) == [], path


def test_nothing_shifts_while_the_page_loads_and_polls(visitor, mixed):
    page = visitor.page(reduced_motion="no-preference")
    page.add_init_script(SHIFTS)
    for path in ("/integrations", f"/integrations/{mixed[0]['id']}", "/activity"):
        page.goto(path)
        if path != "/activity":
            settled(page)
        assert page.evaluate("window.shift") < 0.01, path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_enough_contrast(visitor, mixed, theme):
    page = visitor.page(color_scheme=theme)
    for path in paths(mixed):
        page.goto(path)
        assert page.evaluate(CONTRAST) == []
    page.goto("/integrations")
    page.locator(".menu summary").click()
    expect(page.locator(".menu-list")).to_be_visible()
    assert page.evaluate(CONTRAST) == []
    stranger = visitor.page(color_scheme=theme, logged_in=False)
    stranger.goto("/login")
    stranger.get_by_role("button", name="Log in").click()
    expect(stranger.get_by_role("alert")).to_be_visible()
    assert stranger.evaluate(CONTRAST) == []


def test_the_theme_is_remembered(page):
    page.goto("/integrations")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.goto("/activity")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Dark", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_sidebar_collapses_to_icons_and_stays_so(page):
    page.goto("/integrations")
    page.get_by_role("button", name="Collapse the sidebar").click()
    for _ in range(2):
        expect(page.locator("html")).to_have_class(re.compile("collapsed"))
        assert page.locator("#sidebar").bounding_box()["width"] < 80
        expect(page.get_by_role("link", name="Activity")).to_be_visible()
        page.reload()


def test_the_first_load_weighs_less_than_150_kb(page, records):
    records.add_many(60)
    finished = []
    page.on("requestfinished", lambda request: finished.append(request))
    page.goto("/integrations", wait_until="load")
    page.wait_for_function("htmx")
    for _ in range(20):  # what is loaded is told a little later
        page.wait_for_timeout(50)
        sizes = [request.sizes() for request in list(finished)]
        total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
        if total > 20_000:
            break
    assert 20_000 < total < 150_000, total


def test_every_control_has_a_name(page, mixed):
    for path in paths(mixed):
        page.goto(path)
        assert (
            page.locator("a, button, input:not([type=hidden]), select, summary, textarea").evaluate_all(NAMELESS) == []
        )


def test_changes_are_announced_politely(page, records, mixed):
    page.goto("/integrations")
    expect(page.locator("[aria-live=polite]")).to_have_attribute("role", "status")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("main")).to_have_count(1)
    expect(page.get_by_role("table").get_by_role("columnheader")).to_have_count(6)


def test_everything_is_reached_by_keyboard_alone(page, records):
    page.goto("/integrations")

    def tab_to(name):
        for _ in range(40):
            page.keyboard.press("Tab")
            found, ring = page.evaluate(FOCUSED)
            assert ring, f"no visible focus on {found!r}"
            if re.search(name, found):
                return
        raise AssertionError(f"{name} was not reached")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    tab_to("Add Integration")
    page.keyboard.press("Enter")
    tab_to("^MQTT")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/integrations/\d+$"))
    (username,) = records.usernames()
    expect(names(page)).to_have_text([username])
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    tab_to(f"^{username}$")
    page.keyboard.press("Enter")
    expect(page.locator(".rows").get_by_label("Username", exact=True)).to_be_focused()
    page.keyboard.type("calm_hopper")
    page.keyboard.press("Enter")
    expect(page.locator(".rows").get_by_role("link", name="calm_hopper", exact=True)).to_be_focused()
    tab_to("Deactivate calm_hopper")
    page.keyboard.press("Space")
    expect(page.locator(".rows").get_by_role("button", name="Activate calm_hopper")).to_be_focused()
    tab_to("Delete calm_hopper")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("link", name="Keep it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No integrations yet")).to_be_visible()
    assert records.usernames() == set()
