"""The server page, and the banner on every page for when the protocol servers are not running."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import expect

from tests.browser.opcua_client import OpcUaClient
from tests.browser.support import Visitor
from tests.support.clients import Subscriber


def test_the_server_page_tells_its_limits_with_what_is_used(page, stack, records):
    made = records.add("vast_turing")
    page.goto("/server")
    expect(page.get_by_role("heading", name="Limits")).to_be_visible()
    used = page.locator("#limit-MQTT_MAX_CONNECTIONS")
    expect(used).to_contain_text("Open connections")
    expect(used.get_by_role("img")).to_be_visible()
    server = page.locator("#server .nodes li").filter(has_text="MQTT")
    expect(server).to_contain_text("Running")
    expect(page.locator("#server .nodes li").filter(has_text="OPC UA")).to_contain_text("Running")
    with Subscriber(stack.mqtt_port, made) as client:
        client.subscribed()
        expect(used).to_contain_text("1 of ")
        expect(server).to_contain_text("1 connection ")
    expect(used).to_contain_text("0 of ")
    page.get_by_role("link", name="Integrations").click()
    expect(page.get_by_role("link", name="Integrations")).to_have_attribute("aria-current", "page")
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
        parts = [stack.worker_pid(), stack.opcua_pid()]
        for part in parts:
            os.kill(part, signal.SIGSTOP)
        try:
            for page in pages:
                banner = page.get_by_role("alert")
                expect(banner).to_contain_text("The protocol servers are not running.")
                expect(banner).to_have_count(1)
            expect(pages[2].locator("#server")).to_contain_text("Silent")
            expect(pages[2].locator("#limits")).to_contain_text("cannot be told right now")
        finally:
            for part in parts:
                os.kill(part, signal.SIGCONT)
        for page in pages:
            expect(page.get_by_role("alert")).to_have_count(0)
        expect(pages[2].locator("#limits tbody tr").first).to_be_visible()


def test_when_the_opcua_server_alone_stops_it_is_named_and_nobody_of_it_is_online(chromium, make_stack):
    stack = make_stack().start()
    press, turing = stack.add("opcua", username="calm_press"), stack.add("mqtt", username="vast_turing")
    with (
        Visitor(chromium, stack) as visitor,
        OpcUaClient(stack.opcua_port, press) as client,
        Subscriber(stack.mqtt_port, turing) as subscriber,
    ):
        subscriber.subscribed()
        client.write("a", 1.5)
        page = visitor.page()
        visitor.log_in(page)
        rows = {name: page.locator(".rows tbody tr").filter(has_text=name) for name in ("calm_press", "vast_turing")}
        for row in rows.values():
            expect(row).to_contain_text("Online")
        nodes = page.context.new_page()
        (id,) = [found["id"] for found in stack.json("integrations", "list") if found["type"] == "opcua"]
        nodes.goto(f"/integrations/{id}/nodes")
        expect(nodes.locator("#nodes tbody")).to_contain_text("1.5")
        opcua = stack.opcua_pid()
        os.kill(opcua, signal.SIGSTOP)
        try:
            expect(page.get_by_role("alert")).to_contain_text("The OPC UA server is not running.")
            expect(rows["calm_press"]).to_contain_text("Offline")
            expect(rows["vast_turing"]).to_contain_text("Online")
            expect(nodes.locator("#nodes")).to_contain_text("The OPC UA server does not answer.")
        finally:
            os.kill(opcua, signal.SIGCONT)
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(rows["calm_press"]).to_contain_text("Online")
        expect(nodes.locator("#nodes tbody")).to_contain_text("1.5")
