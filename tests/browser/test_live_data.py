"""Live data: what integrations publish by MQTT is on the page, calmly; the tree, the search, publishing, phones."""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.support import clipboard, follow
from tests.browser.test_shape import CONTRAST, NAMELESS, SHIFTS, assert_fits
from tests.support.clients import Subscriber, logged_in, receive, remaining_length
from tests.support.processes import wait_until

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
MARKUP = "<img src=x onerror=alert(1)>"
# Marks every element, so that a later look tells the old ones from new ones.
MARK = "for (const element of document.querySelectorAll('#topics *')) element.marked = true"
UNMARKED = "[...document.querySelectorAll('#topics *')].filter((e) => !e.marked).map((found) => found.outerHTML)"
HEIGHTS = "rows => [...new Set(rows.map((row) => Math.round(row.offsetHeight)))]"


def packet(topic: str, payload: bytes, *, retain: bool = False) -> bytes:
    """Return a PUBLISH of MQTT 3.1.1 with QoS 0 (section 3.3)."""
    name = topic.encode()
    body = struct.pack("!H", len(name)) + name + payload
    return bytes([0x31 if retain else 0x30]) + remaining_length(len(body)) + body


class Device:
    """An integration's client that publishes; at its end it deletes every value again."""

    def __init__(self, port: int, credentials: dict) -> None:
        self._socket = logged_in(port, credentials, "device")
        self._seen: set[str] = set()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish; the answer to a PINGREQ says that it has arrived."""
        self._seen.add(topic)
        self._socket.sendall(packet(topic, payload) + b"\xc0\x00")
        assert receive(self._socket, 2) == b"\xd0\x00"

    def flood(self, topics: list[str], ended: threading.Event) -> None:
        """Publish another value on each of these topics ten times a second."""
        self._seen.update(topics)
        number = 0
        while not ended.wait(0.1):
            number += 1
            self._socket.sendall(b"".join(packet(topic, b"%d.5" % (1_000 + number)) for topic in topics))

    def close(self) -> None:
        self._socket.sendall(b"".join(packet(topic, b"", retain=True) for topic in self._seen) + b"\xe0\x00")
        self._socket.settimeout(10)
        while self._socket.recv(65536):
            pass
        self._socket.close()


@pytest.fixture
def device(stack, records) -> Iterator[Device]:
    made = Device(stack.mqtt_port, records.add("plant"))
    yield made
    made.close()


def row(page, name: str):
    """Return the row of a level."""
    return page.locator(".live-rows tbody tr").filter(has=page.locator(f".level .mono:text-is('{name}')"))


def value(page, name: str):
    return row(page, name).locator(".t-value")


def typed_value(page):
    return page.get_by_role("textbox", name="Value")


def twig(page, name: str):
    return page.get_by_role("link", name=f"Levels below {name}", exact=True)


def test_without_any_value_the_page_says_how_to_get_one_in(page):
    page.goto("/topics")
    expect(page.get_by_text("No values yet")).to_be_visible()
    for protocol, words in (("MQTT", "mosquitto_pub "), ("OPC UA", "opc.tcp://"), ("HTTP", "curl ")):
        page.get_by_role("button", name=f"Copy the line for {protocol}").click()
        wait_until(lambda words=words: words in clipboard(page), what=f"{words} to be copied")
        expect(page.get_by_role("status")).to_contain_text("Copied.")


def test_a_thousand_topics_change_ten_times_a_second_and_nothing_flickers(visitor, device):
    page = visitor.page(reduced_motion="no-preference")
    page.add_init_script(SHIFTS)
    topics = [f"flood/n{number:04}" for number in range(1_000)]
    for topic in topics:
        device.publish(topic, b"1000.5")
    for number in range(100):  # so that the picture has as many parts from then on
        device.publish("flood/n0050", b"%d.5" % (1_001 + number))
    ended = threading.Event()
    flood = threading.Thread(target=device.flood, args=(topics, ended))
    flood.start()
    try:
        page.goto("/topics?at=flood/&topic=flood/n0050")
        expect(page.locator(".live-rows tbody tr")).to_have_count(100)
        expect(page.locator(".plot-line")).to_be_visible()
        link = page.get_by_role("link", name="n0050", exact=True)
        link.focus()
        value(page, "n0099").scroll_into_view_if_needed()
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#topic .topic-name h2'))")
        expect(page.get_by_role("heading", name="Recent values 100")).to_be_visible()
        page.evaluate(f"{MARK}; window.shift = 0")
        place, heights = page.evaluate("scrollY"), page.locator(".live-rows tbody tr").evaluate_all(HEIGHTS)
        for _ in range(3):
            before = [value(page, name).inner_text() for name in ("n0000", "n0099")]
            for name, old in zip(("n0000", "n0099"), before, strict=True):
                expect(value(page, name)).not_to_have_text(old)
        assert page.evaluate(UNMARKED) == [], "nodes were made anew for changed values"
        assert page.locator(".live-rows tbody tr").evaluate_all(HEIGHTS) == heights
        assert page.evaluate("scrollY") == place and page.evaluate("window.shift") < 0.01
        expect(link).to_be_focused()
        assert page.evaluate("getSelection().toString()") == "flood/n0050"
        expect(page.locator("#topic pre.large")).to_have_text(re.compile(r"^1\d\d\d\.5$"))
    finally:
        ended.set()
        flood.join()


def test_a_page_that_nothing_changes_on_is_left_alone_while_others_change(page, device, requests_of):
    device.publish("still/a", b"1")
    device.publish("other/a", b"1")
    page.goto("/topics?at=still/")
    expect(value(page, "a")).to_have_text("1")
    page.evaluate(
        "window.mutations = 0;"
        "const watch = new MutationObserver((list) => window.mutations += list.length);"
        "for (const cell of document.querySelectorAll('.live-rows td:not(.t-time)'))"
        "    watch.observe(cell, {subtree: true, childList: true, characterData: true, attributes: true});"
    )
    statuses = []
    for number in range(3):
        device.publish("other/a", str(number).encode())
        with page.expect_response(lambda response: "/topics/table?" in response.url) as answer:
            pass
        statuses.append(answer.value.status)
    assert statuses == [204, 204, 204]
    assert page.evaluate("window.mutations") == 0


def test_the_tree_opens_by_mouse_and_keyboard_and_its_state_is_an_address(page, device):
    device.publish("plant/line1/speed", b"1450")
    device.publish("plant/line1/state", b"on")
    device.publish("store/level", b"7")
    page.goto("/topics")
    twig(page, "plant").click()
    expect(row(page, "line1/")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/topics\?open=plant/$"))
    twig(page, "plant").focus()
    page.keyboard.press("ArrowDown")
    expect(twig(page, "line1")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(value(page, "speed")).to_have_text("1450")
    expect(twig(page, "line1")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    panel = page.locator("#topic")
    expect(panel).to_contain_text("plant/line1/speed")
    expect(panel.locator("pre")).to_have_text("1450")
    device.publish("plant/line1/speed", b"1500")
    expect(panel.locator("pre")).to_have_text("1500")
    expect(panel.locator(".plot-line")).to_be_visible()
    expect(page.get_by_role("link", name="speed", exact=True)).to_be_focused()
    page.reload()
    expect(value(page, "speed")).to_have_text("1500")
    expect(panel.locator("pre")).to_have_text("1500")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(value(page, "speed")).to_be_visible()
    page.go_back()
    expect(panel.locator("pre")).to_have_text("1500")
    twig(page, "line1").click()
    expect(row(page, "speed")).to_have_count(0)
    expect(panel.locator("pre")).to_have_text("1500")


def test_a_search_finds_while_typing_and_stays_live(page, device):
    device.publish("plant/line1/speed", b"1")
    device.publish("plant/line2/state", b"2")
    page.goto("/topics")
    page.keyboard.press("/")
    search = page.get_by_label("Topic contains")
    expect(search).to_be_focused()
    page.keyboard.type("SPEED")
    expect(value(page, "plant/line1/speed")).to_have_text("1")
    expect(page).to_have_url(re.compile(r"\?q=SPEED$"))
    device.publish("plant/line1/speed", b"3")
    device.publish("plant/line9/speed", b"4")
    expect(value(page, "plant/line1/speed")).to_have_text("3")
    expect(value(page, "plant/line9/speed")).to_have_text("4")
    expect(search).to_be_focused()
    expect(search).to_have_value("SPEED")
    search.fill("")
    expect(row(page, "plant/")).to_be_visible()


def test_a_value_is_published_and_deleted(page, stack, device, records):
    listener = records.add("listener")
    page.goto("/topics")
    page.get_by_text("Publish", exact=True).first.click()
    page.get_by_label("Topic", exact=True).fill("oven/#")
    typed_value(page).fill("180.5")
    page.get_by_label("QoS").select_option("1")
    page.get_by_label("Retain").check()
    page.get_by_role("button", name="Publish", exact=True).click()
    topic = page.get_by_label("Topic", exact=True)
    expect(topic).to_have_accessible_description(re.compile("cannot hold . or #"))
    expect(topic).to_be_focused()
    expect(typed_value(page)).to_have_value("180.5")
    expect(page.get_by_label("Retain")).to_be_checked()
    topic.fill("oven/set")
    with Subscriber(stack.mqtt_port, listener) as subscriber:
        subscriber.subscribed()
        follow(page.get_by_role("button", name="Publish", exact=True))
        subscriber.wait_for("oven/set 180.5")
    expect(page.get_by_role("status")).to_contain_text("Published to oven/set.")
    expect(page.locator("#topic pre")).to_have_text("180.5")
    follow(page.get_by_role("link", name="Publish here"))
    expect(page.get_by_label("Topic", exact=True)).to_have_value("oven/set")
    expect(typed_value(page)).to_be_focused()
    page.locator("#topic").get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete the value of oven/set?")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("The value of oven/set is deleted.")
    expect(page.get_by_text("No values yet")).to_be_visible()
    assert records.happened("topic.published") == records.happened("topic.deleted") == 1


def test_what_is_being_typed_survives_polls(page, device):
    device.publish("a", b"1")
    page.goto("/topics?to=oven/set")
    typed_value(page).fill("half a val")
    device.publish("a", b"2")
    expect(value(page, "a")).to_have_text("2")
    expect(typed_value(page)).to_have_value("half a val")
    expect(typed_value(page)).to_be_focused()


def test_everything_works_without_scripts(plain, device):
    device.publish("plant/line1/speed", b"1")
    plain.goto("/topics")
    twig(plain, "plant").click()
    twig(plain, "line1").click()
    plain.get_by_role("link", name="speed", exact=True).click()
    expect(plain.locator("#topic pre")).to_have_text("1")
    follow(plain.get_by_role("link", name="Publish here"))
    typed_value(plain).fill("2")
    plain.get_by_role("button", name="Publish", exact=True).click()
    expect(plain.locator("#topic pre")).to_have_text("2")
    plain.get_by_label("Topic contains").fill("nowhere")
    plain.get_by_role("button", name="Search").click()
    expect(plain.get_by_text("No topic with a value contains")).to_be_visible()
    plain.get_by_role("link", name="Show all topics").click()
    expect(twig(plain, "plant")).to_be_visible()
    plain.goto("/topics?topic=plant/line1/speed")
    plain.locator("#topic").get_by_role("link", name="Delete").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.get_by_text("No values yet")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_odd_topics_fit_and_are_readable(visitor, device, theme):
    page = visitor.page(color_scheme=theme, **PHONE)
    for topic, payload in {
        "z" * 65_535: b"long",
        f"html/{MARKUP}": MARKUP.encode(),
        "//": b"empty levels",
        " a / b ": b"spaces",
        "binary/frame": bytes(range(256)) * 400,
        "text/large": b"lorem ipsum " * 20_000,
        "text/word": b"x" * 5_000,
        "text/empty": b"",
        "a/rather/deep/tree/of/levels/that/goes/on": b"1",
    }.items():
        device.publish(topic, payload)
    for number in range(20):
        device.publish("number", b"%d" % (number * 7 % 5))
    tree = "open=html/&open=/&open=//&open=binary/&open=text/&open=a/&open=a/rather/&open=a/rather/deep/"
    chosen = ("number", "binary/frame", "text/large", "text/word", "text/empty", f"html/{MARKUP}")
    page.goto("/topics")
    expect(row(page, "text/")).to_be_visible()
    (longest,) = page.locator("a.name[href*=digest]").evaluate_all("links => links.map((link) => link.href)")
    looks = [f"/topics?{tree}&topic={topic}" for topic in chosen]
    for there in (f"/topics?{tree}", "/topics?to=a", *looks, longest, "/topics/delete?topic=number"):
        page.goto(there)
        assert_fits(page)
        assert page.evaluate(CONTRAST) == []
        assert page.locator("a, button, input:not([type=hidden]), select, summary").evaluate_all(NAMELESS) == []
    page.goto(f"/topics?{tree}")
    for column in ("value", "from", "time"):
        expect(row(page, "frame").locator(f".t-{column}")).to_be_visible()
    desk = visitor.page(color_scheme=theme)
    desk.goto(f"/topics?{tree}&topic=text/word")
    assert set(desk.locator(".live-rows tbody tr").evaluate_all(HEIGHTS)) <= {44, 45}
    assert desk.evaluate(CONTRAST) == []
