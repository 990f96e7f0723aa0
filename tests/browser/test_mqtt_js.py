"""MQTT.js and the client of VRPC in a real browser: over a WebSocket of the broker, and through the portal's port."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from tests.browser.support import PATIENCE_MS, clipboard, polled
from tests.support import npm
from tests.support.processes import wait_until
from tests.support.stack import HOST

PAGE = b'<!doctype html><meta charset="utf-8"><title>client</title><script src="/mqtt.js"></script>'
ROUND_TRIP = """async ({ url, username, password }) => {
  const client = await mqtt.connectAsync(url, { username, password, reconnectPeriod: 0, protocolVersion: 5 });
  const got = [];
  const done = new Promise((resolve) => client.on("message", (topic, payload) => {
    got.push(payload.length);
    if (got.length === 4) resolve();
  }));
  await client.subscribeAsync("browser", { qos: 1 });
  for (const size of [0, 1, 70000, 500000]) await client.publishAsync("browser", new Uint8Array(size), { qos: 1 });
  await done;
  window.ended = new Promise((resolve) => client.on("close", resolve));
  return got;
}"""

CALL = """async ({ broker, domain, agent, username, password }) => {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const client = new vrpc.VrpcClient({ broker, domain, agent, username, password, timeout: 5000, log });
  await client.connect();
  const press = await client.create({ className: "Press", instance: "in-a-browser", args: [20], isIsolated: true });
  let hear;
  const stroke = new Promise((resolve) => (hear = (...heard) => resolve(heard)));
  await press.on("stroke", hear);
  await press.strike(2.5);
  const sum = await client.callStatic({ className: "Press", functionName: "add", args: [1, 2] });
  return [sum, await press.settle(), ...(await stroke)];
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of another site, whose page has MQTT.js."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == "/mqtt.js"
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if script else "text/html")
            self.end_headers()
            self.wfile.write(npm.BUNDLE.read_bytes() if script else PAGE)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("way", ["ws", "wss", "web"])
def test_a_page_of_another_site_sends_receives_and_is_cut_off(chromium, stack, records, site, way):
    turing = records.add("vast_turing")
    port = {"ws": stack.ws_port, "wss": stack.wss_port, "web": stack.port}[way]
    scheme = "wss" if way == "wss" else "ws"
    context = chromium.new_context(ignore_https_errors=True)  # as one does who accepts the certificate
    try:
        page = context.new_page()
        page.goto(site)
        login = {"username": turing["username"], "password": turing["password"]}
        assert page.evaluate(ROUND_TRIP, {"url": f"{scheme}://{HOST}:{port}/mqtt", **login}) == [0, 1, 70000, 500000]
        records.set_active(turing, False)
        page.evaluate(
            "patience => Promise.race([window.ended, new Promise((_, fail) => setTimeout(fail, patience))])",
            PATIENCE_MS,
        )
    finally:
        context.close()


@pytest.mark.parametrize("way", ["ws", "web"])
def test_the_client_of_vrpc_for_browsers_calls_an_agent(chromium, stack, team, site, way):
    agent = team.agent("npm")
    port = {"ws": stack.ws_port, "web": stack.port}[way]
    login = {name: team.integration("client")[name] for name in ("username", "password")}
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(site)
        page.add_script_tag(path=npm.VRPC_BUNDLE)
        options = {"broker": f"ws://{HOST}:{port}/mqtt", "domain": team.domain, "agent": agent.name, **login}
        assert page.evaluate(CALL, options) == [3, 20, 1, 2.5]
    finally:
        context.close()
    wait_until(lambda: agent.count("clientGone"), what="the agent to learn that the tab is closed")


def test_the_panel_shows_one_way_at_a_time_and_keeps_the_choice(page, records):
    turing = records.add("vast_turing")
    page.goto(f"/integrations/{turing['id']}")
    panel = page.locator("#panel")
    shown = panel.locator(".way:visible")
    expect(shown).to_have_count(1)
    panel.get_by_text("TLS", exact=True).click()
    polled(page, "/panel?")
    records.set_note(turing, "moved")
    expect(panel.get_by_text("moved")).to_be_visible()
    expect(shown).to_have_attribute("data-way", "tls")
    panel.get_by_label("TLS", exact=True).press("ArrowRight")
    expect(shown).to_have_attribute("data-way", "ws")


def test_the_choice_fits_a_phone(phone, records):
    turing = records.add("vast_turing")
    phone.goto(f"/integrations/{turing['id']}")
    for label in ("TCP", "TLS", "WebSocket", "WebSocket, TLS", "This portal"):
        phone.locator("#panel").get_by_text(label, exact=True).click()
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_server_page_shows_the_fingerprint_that_clients_see(page, stack):
    page.goto("/server")
    seen = ssl.get_server_certificate((HOST, stack.tls_port), timeout=20)
    shown = page.locator("#listeners .fingerprint").inner_text()
    page.get_by_role("button", name="Copy the fingerprint", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Copied.")
    assert clipboard(page) == shown
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the certificate").click()
    assert download.value.suggested_filename == "gatehouse.pem"
    assert download.value.path().read_text().strip() == seen.strip()
    assert json.dumps(shown).count(":") == 31
