"""Who is in: rows follow real clients, and clients follow what is clicked."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.support import Visitor, row
from tests.support.clients import Subscriber
from tests.support.processes import wait_until

DOWN = re.compile("ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|htmx:afterRequest|htmx:sendError")


@pytest.fixture
def subscribed(stack, turing):
    """Its client, connected."""
    with Subscriber(stack.mqtt_port, turing) as client:
        yield client.subscribed()


def state(page, integration):
    return row(page, integration).locator(".c-online")


def test_a_row_is_green_while_its_client_is_connected(visitor, stack, turing):
    page = visitor.page(poll_ms=2000)
    page.goto("/integrations")
    expect(state(page, turing)).to_have_text("Offline")
    expect(row(page, turing).locator(".c-last")).to_contain_text("never")
    with Subscriber(stack.mqtt_port, turing) as client:
        client.subscribed()
        expect(state(page, turing)).to_have_text("Online")
        expect(state(page, turing).locator(".dot.on")).to_be_visible()
        expect(row(page, turing).locator("time")).to_have_text("just now")
        expect(page.locator("#chip-online")).to_have_text("Online 1")
        client.interrupt()
        client.ended()
        expect(state(page, turing)).to_have_text("Offline")
        expect(row(page, turing).locator("time")).to_be_visible()


def test_deactivating_cuts_the_client_off_until_it_is_activated(page, stack, turing, subscribed):
    page.goto("/integrations")
    expect(state(page, turing)).to_have_text("Online")
    row(page, turing).get_by_role("button", name="Deactivate vast_turing").click()
    expect(state(page, turing)).to_have_text("Inactive")
    expect(row(page, turing).get_by_role("button", name="Activate vast_turing")).to_be_focused()
    subscribed.wait_for("Connection Refused")  # mosquitto_sub comes back by itself, and is refused
    row(page, turing).get_by_role("button", name="Activate vast_turing").click()
    expect(state(page, turing)).to_have_text("Offline")
    with Subscriber(stack.mqtt_port, turing) as client:
        client.subscribed()
        expect(state(page, turing)).to_have_text("Online")


def test_deleting_asks_first_and_keeps_it_by_default(page, turing, subscribed, records):
    page.goto("/integrations")
    expect(state(page, turing)).to_have_text("Online")
    bin = row(page, turing).get_by_role("link", name="Delete vast_turing")
    bin.click()
    dialog = page.get_by_role("dialog", name="Delete vast_turing?")
    expect(dialog).to_contain_text("Its open connection is cut.")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(bin).to_be_focused()
    bin.click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert records.usernames() == {"vast_turing"}
    assert subscribed.running


def test_deleting_cuts_the_client_off_for_good(page, stack, turing, subscribed, records):
    page.goto("/integrations")
    row(page, turing).get_by_role("link", name="Delete vast_turing").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    for _ in range(5):
        page.keyboard.press("Tab")
        assert dialog.evaluate(
            "dialog => dialog.contains(document.activeElement) || document.activeElement == document.body"
        )
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("vast_turing is deleted.")
    expect(row(page, turing)).to_have_count(0)
    subscribed.wait_for("Connection Refused")
    assert records.usernames() == set()


def test_the_panel_shows_connections_and_what_happened(page, stack, turing):
    page.goto(f"/integrations/{turing['id']}")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("No open connection.")
    with Subscriber(stack.mqtt_port, turing, "#", "-i", "press-4") as client:
        client.subscribed()
        expect(panel).to_contain_text("press-4")
        expect(panel.get_by_role("heading", name="Connections 1")).to_be_visible()
        expect(panel.locator(".event").first).to_contain_text("logged in")
        expect(panel.locator(".event").first).to_contain_text("MQTT from 127.0.0.1")
    expect(panel).to_contain_text("No open connection.")


def test_a_refused_client_is_on_the_activity_page(page, stack, turing, records):
    with Subscriber(stack.mqtt_port, {"username": "vast_turing", "password": "wrong"}) as client:
        client.wait_for("Connection Refused")
    wait_until(lambda: records.happened("login.refused"), what="the refusal to be written")
    page.goto("/activity?show=refused")
    expect(page.locator(".event").first).to_contain_text("vast_turing · refused: wrong password")


def test_nobody_is_shown_as_online_while_the_protocol_servers_are_down(chromium, make_stack):
    stack = make_stack().start()
    made = stack.add("mqtt", username="vast_turing")
    with Visitor(chromium, stack) as visitor, Subscriber(stack.mqtt_port, made) as client:
        client.subscribed()
        page = visitor.page()
        visitor.log_in(page)
        expect(state(page, made)).to_have_text("Online")
        worker, opcua = stack.worker_pid(), stack.opcua_pid()
        for part in (worker, opcua):
            os.kill(part, signal.SIGSTOP)
        try:
            expect(page.get_by_role("alert")).to_contain_text("The protocol servers are not running.")
            expect(page.locator(".rows .dot.on")).to_have_count(0)
            expect(state(page, made)).to_have_text("Offline")
        finally:
            for part in (worker, opcua):
                os.kill(part, signal.SIGCONT)
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(state(page, made)).to_have_text("Online")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: client.text.count("CONNACK (0)") > 1, what="the client to come back")
        expect(state(page, made)).to_have_text("Online")


def test_a_page_says_when_the_portal_does_not_answer_and_recovers(chromium, make_stack):
    stack = make_stack().start()
    made = stack.add("mqtt", username="vast_turing")
    with Visitor(chromium, stack) as visitor:
        page = visitor.page()
        visitor.log_in(page)
        stack.stop()
        expect(page.get_by_role("status")).to_contain_text("Gatehouse does not answer.")
        expect(page.locator("#live.old")).to_be_visible()
        expect(page.locator(".notice")).to_have_count(1)
        expect(row(page, made)).to_be_visible()
        stack.start()
        expect(page.locator(".notice")).to_have_count(0)
        expect(page.locator("#live.old")).to_have_count(0)
        visitor.problems = [text for text in visitor.problems if not DOWN.search(text)]
