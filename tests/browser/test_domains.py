"""The domain and the role of VRPC integrations, as a person meets them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import clipboard
from tests.support.stack import HOST


def add_vrpc(page: Page) -> None:
    page.goto("/integrations")
    page.locator(".menu summary").click()
    page.get_by_role("link", name=re.compile("^VRPC ")).click()
    expect(page.get_by_role("heading", name="Add a VRPC integration")).to_be_visible()


def test_adding_with_a_mistake_first_by_the_keyboard_alone(page, records):
    add_vrpc(page)
    domain = page.get_by_role("textbox", name="Domain")
    expect(domain).to_be_focused()
    expect(domain).to_have_value("ada.default")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("acme/default")
    page.keyboard.press("Enter")
    expect(domain).to_have_accessible_description(re.compile("one level of a topic"))
    expect(domain).to_be_focused()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("acme.default")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Client")).to_be_checked()
    page.keyboard.press("Enter")
    panel = page.locator("#panel-domain")
    expect(panel).to_contain_text("acme.default")
    expect(panel).to_contain_text("As a client")
    expect(page).to_have_url(re.compile(r"/integrations/\d+$"))
    expect(page.locator("dialog")).not_to_be_visible()


def test_escape_adds_nothing(page, records):
    add_vrpc(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Add a VRPC integration")).not_to_be_visible()
    assert records.usernames() == set()


def test_a_change_in_the_panel_outlives_polls_while_it_is_typed(page, records):
    press = records.add("press", "vrpc", domain="acme.default", role="both")
    page.goto(f"/integrations/{press['id']}")
    panel = page.locator("#panel-domain")
    panel.get_by_role("link", name="Change the domain and the role").click()
    panel.get_by_role("textbox", name="Domain").fill("acme.hall2")
    panel.get_by_role("radio", name=re.compile("^Agent")).check()
    records.set_note(press, "changed elsewhere")
    expect(page.locator("#panel")).to_contain_text("changed elsewhere")
    expect(panel.get_by_role("textbox", name="Domain")).to_have_value("acme.hall2")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("acme.hall2")
    expect(panel).not_to_contain_text("As a client")
    expect(page.locator("#panel-activity")).to_contain_text("an agent in acme.hall2; was agent and client")


def test_an_http_integration_is_granted_a_domain(page, records):
    script = records.add("script", "http")
    page.goto(f"/integrations/{script['id']}")
    panel = page.locator("#panel-domain")
    expect(panel).to_contain_text("May call no VRPC functions.")
    panel.get_by_role("link", name="Change whose VRPC functions it may call").click()
    panel.get_by_role("textbox", name="Domain").fill("acme.default")
    panel.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("May call VRPC functions of the domain acme.default.")


def test_a_script_is_copied_with_the_password(page, records, stack):
    press = records.add("press", "vrpc", domain="acme.default", role="agent")
    page.goto(f"/integrations/{press['id']}")
    page.get_by_role("button", name="Copy this line, with the password").first.click()
    expect(page.get_by_role("status")).to_contain_text("Copied")
    copied = clipboard(page)
    for said in (f"mqtt://{HOST}:{stack.mqtt_port}", "acme.default", press["password"]):
        assert said in copied, said


def test_all_of_it_works_without_scripts(plain, records):
    add_vrpc(plain)
    plain.get_by_role("textbox", name="Domain").fill("a b/c")
    plain.get_by_role("button", name="Add", exact=True).click()
    domain = plain.get_by_role("textbox", name="Domain")
    expect(domain).to_have_accessible_description(re.compile("one level of a topic"))
    domain.fill("acme.default")
    plain.get_by_role("radio", name=re.compile("^Agent")).check()
    plain.get_by_role("button", name="Add", exact=True).click()
    plain.get_by_role("link", name="Change the domain and the role").click()
    plain.get_by_role("radio", name=re.compile("^Client")).check()
    plain.get_by_role("button", name="Save").click()
    expect(plain.locator("#panel-domain")).to_contain_text("As a client")


@pytest.mark.parametrize("width", [390, 320])
def test_nothing_is_wider_than_a_phone(visitor, records, width):
    records.add("press", "vrpc", domain="acme." + "x" * 120, role="both")
    page = visitor.page(viewport={"width": width, "height": 800})
    add_vrpc(page)
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= document.documentElement.clientWidth")
    page.keyboard.press("Escape")
    page.goto("/integrations")
    page.get_by_role("link", name="How to connect press").click()
    expect(page.locator("#panel-domain")).to_contain_text("As an agent")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
