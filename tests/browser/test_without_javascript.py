"""Every change works without scripts."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.support import names, row
from tests.support.clients import Subscriber, connack
from tests.support.processes import wait_until


def panel(page):
    return page.locator("#panel")


def test_adding(plain, records):
    plain.goto("/integrations")
    plain.locator(".menu summary").click()
    plain.get_by_role("button", name="MQTT").click()
    expect(plain).to_have_url(re.compile(r"/integrations/\d+$"))
    expect(names(plain)).to_have_text(list(records.usernames()))


def test_editing_with_a_mistake_first(plain, records, turing):
    plain.goto("/integrations")
    row(plain, turing).get_by_role("link", name="vast_turing", exact=True).click()
    field = panel(plain).get_by_label("Username", exact=True)
    field.fill("")
    panel(plain).get_by_role("button", name="Save").click()
    expect(field).to_have_accessible_description("A username is required.")
    field.fill("calm_hopper")
    panel(plain).get_by_role("button", name="Save").click()
    expect(panel(plain).get_by_role("link", name="calm_hopper", exact=True)).to_be_visible()
    panel(plain).get_by_role("link", name="••••").click()
    panel(plain).get_by_label("New password").fill("another one")
    panel(plain).get_by_role("button", name="Save").click()
    expect(panel(plain).get_by_role("link", name="••••")).to_be_visible()
    assert records.usernames() == {"calm_hopper"}
    assert records.password(turing) == "another one"


def test_cancelling_an_edit(plain, records, turing):
    plain.goto("/integrations")
    row(plain, turing).get_by_role("link", name="vast_turing", exact=True).click()
    panel(plain).get_by_role("link", name="Cancel").click()
    expect(panel(plain).get_by_role("link", name="vast_turing", exact=True)).to_be_visible()


def test_showing_a_password(plain, records, turing):
    plain.goto("/integrations")
    row(plain, turing).get_by_role("button", name="Show the password").click()
    expect(panel(plain)).to_contain_text(turing["password"])
    panel(plain).get_by_role("link", name="Hide the password").click()
    expect(panel(plain).get_by_role("link", name="••••")).to_be_visible()
    assert records.happened("integration.password-shown") == 1


def test_deactivating_and_activating(plain, records, turing):
    plain.goto("/integrations")
    row(plain, turing).get_by_role("button", name="Deactivate").click()
    expect(row(plain, turing)).to_contain_text("Inactive")
    assert not records.is_active(turing)
    row(plain, turing).get_by_role("button", name="Activate").click()
    expect(row(plain, turing)).to_contain_text("Offline")
    assert records.is_active(turing)


def test_deleting_asks_first(plain, records, turing):
    plain.goto("/integrations")
    row(plain, turing).get_by_role("link", name="Delete").click()
    expect(plain.get_by_role("heading", name="Delete vast_turing?")).to_be_visible()
    plain.get_by_role("link", name="Keep it").click()
    row(plain, turing).get_by_role("link", name="Delete").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_role("status")).to_contain_text("vast_turing is deleted.")
    assert records.usernames() == set()


def test_searching_filtering_sorting_and_turning_pages(plain, records, turing):
    records.add_many(60)
    plain.goto("/integrations")
    plain.get_by_role("link", name="Next").click()
    expect(plain.get_by_role("navigation", name="Pages")).to_contain_text("51–61 of 61")
    plain.get_by_role("columnheader", name="Username").get_by_role("link").click()
    expect(names(plain).first).to_have_text("vast_turing")
    plain.get_by_label("Search").fill("client_0001")
    plain.get_by_role("button", name="Search").click()
    expect(plain.locator(".rows tbody .name")).to_have_count(10)
    expect(plain.get_by_role("columnheader", name="Username")).to_have_attribute("aria-sort", "descending")
    plain.get_by_role("link", name="Inactive").click()
    expect(plain.get_by_text("No integration matches.")).to_be_visible()


def test_permissions(plain, records, turing):
    plain.goto(f"/integrations/{turing['id']}")
    panel(plain).get_by_role("link", name="Change the permissions").click()
    panel(plain).get_by_label("May publish to").fill("plant/#/x")
    panel(plain).get_by_role("button", name="Save", exact=True).click()
    expect(panel(plain).get_by_label("May publish to")).to_have_accessible_description(re.compile("# stands alone"))
    panel(plain).get_by_label("May publish to").fill("plant/#\nother")
    panel(plain).get_by_label("May subscribe to").fill("")
    panel(plain).get_by_role("button", name="Save", exact=True).click()
    expect(panel(plain).locator("#panel-permissions dd")).to_have_text(["plant/#other", "nothing"])
    assert records.permissions(turing) == (("plant/#", "other"), ())


def test_disconnecting(plain, stack, turing):
    wait_until(lambda: connack(stack.mqtt_port, turing["username"], turing["password"]) == 0)
    with Subscriber(stack.mqtt_port, turing, "#", "-i", "press-4") as client:
        client.subscribed()
        wait_until(lambda: stack.is_online("vast_turing"))
        plain.goto(f"/integrations/{turing['id']}")
        panel(plain).get_by_role("button", name="Disconnect press-4").click()
        wait_until(lambda: client.text.count("CONNACK (0)") == 2, what="the client to come back")


def test_every_page_is_readable_and_offers_nothing_that_needs_scripts(plain, turing):
    for path in ("/integrations", f"/integrations/{turing['id']}", "/activity", "/server"):
        plain.goto(path)
        expect(plain.get_by_role("button", name="Log out")).to_be_visible()
        for selector in (".js", ".themes", ".collapse-button", "[data-drawer]"):
            assert not [found for found in plain.locator(selector).all() if found.is_visible()], selector
    expect(plain.locator("time").first).to_contain_text(" UTC")


def test_logging_out(plain):
    plain.goto("/integrations")
    plain.get_by_role("button", name="Log out").click()
    expect(plain).to_have_url(re.compile("/login$"))
