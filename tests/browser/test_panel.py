"""An integration opened: its live connections, its permissions, its last day."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.browser.support import polled
from tests.support.clients import Subscriber, publish
from tests.support.processes import wait_until

_tries = itertools.count(1)


@pytest.fixture
def opened(page, turing):
    """The panel of the integration."""
    page.goto(f"/integrations/{turing['id']}")
    return page.locator("#panel")


def connection(panel, client_id: str):
    return panel.locator(".connection").filter(has_text=client_id)


def figure(item, name: str):
    return item.locator(".figures div").filter(has=item.page.locator(f"dt:text-is('{name}')")).locator("dd")


# --- live connections


def test_an_open_connection_is_told_with_figures_that_move(opened, stack, turing):
    with Subscriber(stack.mqtt_port, turing, "plant/#", "-i", "press-4", "-t", "other") as client:
        client.subscribed()
        item = connection(opened, "press-4")
        expect(item).to_contain_text("127.0.0.1 · MQTT 3.1.1 over TCP")
        expect(figure(item, "Out")).to_have_text(re.compile(r"^0 "))
        expect(item).to_contain_text("2 subscriptions")
        for number in range(3):
            assert publish(stack.mqtt_port, turing, "plant/a", f"hello {number}").returncode == 0
        expect(figure(item, "Out")).to_have_text(re.compile(r"^3 \d+ B"))
        expect(figure(item, "Queue")).to_have_text("0")


def test_focus_and_an_open_fold_survive_figures_that_move(page, opened, stack, turing):
    with Subscriber(stack.mqtt_port, turing, "plant/#", "-i", "press-4") as client:
        client.subscribed()
        item = connection(opened, "press-4")
        item.locator("summary").click()
        expect(item.locator(".filters")).to_contain_text("plant/# QoS 0")
        button = item.get_by_role("button", name="Disconnect press-4")
        button.focus()
        publish(stack.mqtt_port, turing, "plant/a", "hello")
        expect(figure(item, "Out")).to_have_text(re.compile("^1 "))
        expect(item.locator(".filters")).to_be_visible()
        expect(button).to_be_focused()


def test_disconnecting_closes_one_connection_and_its_client_may_come_back(opened, stack, turing, records):
    with (
        Subscriber(stack.mqtt_port, turing, "#", "-i", "press-4") as goes,
        Subscriber(stack.mqtt_port, turing, "#", "-i", "press-5") as stays,
    ):
        goes.subscribed(), stays.subscribed()
        expect(opened).to_contain_text("A client that is disconnected may come back.")
        first = connection(opened, "press-4").get_attribute("id")
        connection(opened, "press-4").get_by_role("button", name="Disconnect").click()
        expect(opened.locator(f"#{first}")).to_have_count(0)
        expect(opened.locator(".event").filter(has_text="disconnected, client press-4")).to_contain_text(
            "by ada@example.com"
        )
        wait_until(lambda: goes.text.count("CONNACK (0)") == 2, what="the client to come back")
        assert stays.text.count("CONNACK (0)") == 1
        expect(connection(opened, "press-4")).to_be_visible()
        assert records.happened("integration.disconnected") == 1


def test_a_refused_login_is_told_with_its_reason(opened, stack, turing):
    with Subscriber(stack.mqtt_port, {**turing, "password": "wrong"}) as client:
        client.wait_for("Connection Refused")
        expect(opened.locator(".refused")).to_contain_text("Last refused login: wrong password, from 127.0.0.1, ")


# --- permissions


def edit(panel):
    panel.get_by_role("link", name="Change the permissions").click()
    expect(panel.get_by_label("May publish to")).to_be_focused()


def is_dropped(stack, integration, subscriber: Subscriber, topic: str) -> bool:
    """Publish, then something that is permitted, and tell whether a subscriber has heard of the latter alone."""
    number = f"try {next(_tries)}"
    for one in (topic, "other/x"):
        publish(stack.mqtt_port, integration, one, number)
    subscriber.wait_for(f"other/x {number}\n")
    return f"{topic} {number}\n" not in subscriber.text


def test_changed_permissions_take_effect_on_an_open_connection(opened, stack, turing, records):
    with Subscriber(stack.mqtt_port, turing, "#", "-i", "press-4") as client:
        client.subscribed()
        publish(stack.mqtt_port, turing, "plant/a", "before")
        client.wait_for("plant/a before")
        edit(opened)
        opened.get_by_label("May publish to").fill("other/#\nplant/%u")
        opened.get_by_role("button", name="Save", exact=True).click()
        expect(opened.locator("#panel-permissions code").first).to_have_text("other/#")
        assert records.permissions(turing) == (("other/#", "plant/%u"), ("#",))
        wait_until(lambda: is_dropped(stack, turing, client, "plant/a"), what="the permissions to take effect")
        for topic, payload in (("plant/a", "forbidden"), ("plant/vast_turing", "mine"), ("other/x", "after")):
            publish(stack.mqtt_port, turing, topic, payload)
        client.wait_for("other/x after")
        assert "plant/vast_turing mine" in client.text
        assert "forbidden" not in client.text
        assert client.text.count("CONNACK (0)") == 1, "nobody was cut off"


def test_a_mistake_is_said_beside_the_lines_and_nothing_typed_is_lost(opened, turing, records):
    edit(opened)
    opened.get_by_label("May subscribe to").fill("plant/#\nplant/a+/b")
    opened.get_by_role("button", name="Save", exact=True).click()
    expect(opened.get_by_label("May subscribe to")).to_have_accessible_description(
        re.compile(r"^Line 2 \(plant/a\+/b\): \+ stands for a whole level")
    )
    expect(opened.get_by_label("May subscribe to")).to_be_focused()
    expect(opened.get_by_label("May subscribe to")).to_have_value("plant/#\nplant/a+/b")
    opened.get_by_label("May subscribe to").fill("plant/#")
    opened.get_by_role("button", name="Save", exact=True).click()
    expect(opened.get_by_role("link", name="Change the permissions")).to_be_focused()
    assert records.permissions(turing) == (("#",), ("plant/#",))


def test_what_is_being_typed_survives_a_poll_and_escape_restores(page, opened, turing, records):
    edit(opened)
    area = opened.get_by_label("May publish to")
    area.fill("half a fil")
    records.set_note(turing, "changed elsewhere")
    records.permit(turing, subscribe=["other/#"])
    expect(opened.locator(".facts").first).to_contain_text("changed elsewhere")
    expect(area).to_have_value("half a fil")
    expect(area).to_be_focused()
    page.keyboard.press("Escape")
    expect(area).to_have_count(0)
    expect(opened.locator("#panel-permissions")).to_contain_text("other/#")
    assert records.permissions(turing) == (("#",), ("other/#",))


# --- the last day


def test_the_last_day_is_a_picture_with_times_of_the_viewers_zone(visitor, records, turing):
    page = visitor.page(timezone_id="Asia/Tokyo", locale="en-GB")
    page.goto(f"/integrations/{turing['id']}")
    day = page.locator("#panel-day")
    expect(day).to_contain_text("Online times and traffic of the last day appear here.")
    records.had_traffic(turing)
    picture = day.get_by_role("img", name="Online for")
    expect(picture.locator("rect.day-online")).to_have_count(39)
    expect(picture).to_have_accessible_name(re.compile(r"of the last 24 hours; \d+ messages in \(\d+ kB\), [\d,]+ out"))
    expect(picture.locator("rect.day-in").nth(20)).to_be_attached()
    title = picture.locator("title").first
    expected = title.evaluate(
        "title => new Date(title.dataset.start)"
        ".toLocaleTimeString('en-GB', {timeStyle: 'short', timeZone: 'Asia/Tokyo'})"
    )
    expect(title).to_have_text(re.compile(f"^{expected}–"))
    polled(page, "/panel?"), polled(page, "/panel?")
    expect(title).to_have_text(re.compile(f"^{expected}–"))
