"""The server page, and the banner on every page for when the protocol servers are not running."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import expect

from tests.browser.support import Visitor
from tests.support.clients import Subscriber


def test_the_server_page_tells_its_limits_with_what_is_used(page, stack, records):
    made = records.add("vast_turing")
    page.goto("/server")
    expect(page.get_by_role("heading", name="Limits")).to_be_visible()
    used = page.locator("#limit-MQTT_MAX_CONNECTIONS")
    expect(used).to_contain_text("Open connections")
    expect(used.get_by_role("img")).to_be_visible()
    expect(page.locator("#server .nodes li")).to_contain_text("Running")
    page.wait_for_timeout(200)
    with Subscriber(stack.mqtt_port, made) as client:
        client.subscribed()
        expect(used).to_contain_text("1 of ")
        expect(page.locator("#server .nodes li")).to_contain_text("1 connection ")
    expect(used).to_contain_text("0 of ")
    page.get_by_role("link", name="Integrations").click()
    page.get_by_role("link", name="Server").click()
    expect(page.get_by_role("link", name="Server")).to_have_attribute("aria-current", "page")


def test_every_page_says_when_the_protocol_servers_stop_and_when_they_are_back(chromium, make_stack):
    stack = make_stack().start()
    with Visitor(chromium, stack) as visitor:
        pages = [visitor.page()]
        visitor.log_in(pages[0])
        pages += [pages[0].context.new_page() for _ in range(2)]
        for page, path in zip(pages, ("/integrations", "/activity", "/server"), strict=True):
            page.goto(path)
            expect(page.get_by_role("alert")).to_have_count(0)
        worker = stack.worker_pid()
        os.kill(worker, signal.SIGSTOP)
        try:
            for page in pages:
                banner = page.get_by_role("alert")
                expect(banner).to_contain_text("The protocol servers are not running.", timeout=9000)
                expect(banner).to_have_count(1)
            expect(pages[2].locator("#server")).to_contain_text("Silent")
            expect(pages[2].locator("#limits")).to_contain_text("cannot be told right now")
        finally:
            os.kill(worker, signal.SIGCONT)
        for page in pages:
            expect(page.get_by_role("alert")).to_have_count(0, timeout=9000)
        expect(pages[2].locator("#limits tbody tr").first).to_be_visible(timeout=9000)
