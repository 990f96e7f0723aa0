"""What others write into the pages stays text, and the pages keep to their Content-Security-Policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.support import row, settled
from tests.support.clients import Subscriber
from tests.support.processes import wait_until

HTML = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"


@pytest.fixture
def listening(page):
    """A page that fails the test when a script of somebody else speaks."""
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return page


def test_html_in_names_notes_and_client_ids_is_shown_as_text(listening, records, stack):
    made = records.add(HTML, note=f"note {HTML}")
    listening.goto(f"/integrations/{made['id']}")
    expect(row(listening, made).locator(".name")).to_have_text(HTML)
    expect(row(listening, made).locator(".note")).to_have_text(f"note {HTML}")
    panel = listening.locator("#panel")
    with Subscriber(stack.mqtt_port, made, "#", "-i", f"client {HTML}") as client:
        client.subscribed()
        expect(panel.locator("li .mono").first).to_have_text(f"client {HTML}")
    expect(panel.locator(".line-box code").first).to_contain_text("<img src=x")
    row(listening, made).get_by_role("link", name="Delete").click()
    expect(listening.get_by_role("dialog").locator("h2")).to_contain_text(HTML)
    listening.keyboard.press("Escape")
    row(listening, made).get_by_role("link", name=HTML, exact=True).click()
    expect(row(listening, made).get_by_label("Username", exact=True)).to_have_value(HTML)
    assert listening.locator("img").count() == 0


def test_html_in_a_refused_username_is_shown_as_text(listening, records, stack):
    with Subscriber(stack.mqtt_port, {"username": HTML, "password": "x"}) as client:
        client.wait_for("Connection Refused")

    def is_shown() -> bool:
        listening.goto("/activity?show=refused")
        return listening.locator(".event").count() > 0

    wait_until(is_shown, what="the refusal to be written")
    expect(listening.locator(".event .mono").first).to_have_text(HTML)
    assert listening.locator("img").count() == 0


def test_html_in_a_search_is_shown_as_text(listening, records):
    records.add("vast_turing")
    listening.goto("/integrations")
    listening.get_by_label("Search").fill(HTML)
    expect(listening.get_by_text("No integration matches.")).to_be_visible()
    listening.reload()
    expect(listening.get_by_label("Search")).to_have_value(HTML)
    assert listening.locator("img").count() == 0


def test_every_page_keeps_to_a_strict_policy(visitor, page, records):
    made = records.add("vast_turing")
    for path in ("/integrations", f"/integrations/{made['id']}", "/activity", "/nowhere", "/login"):
        if path == "/login":
            page = visitor.page(logged_in=False)
        answer = page.goto(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.locator("[style], [onclick], script:not([src]), style").count() == 0
        if page.locator("#live").count():
            settled(page)
        assert visitor.problems == [], path


def test_the_policy_stops_an_inline_script(visitor, page):
    """The tests above would not notice a policy that allows everything."""
    page.goto("/integrations")
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
        )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in problem for problem in visitor.problems)
    visitor.problems.clear()
