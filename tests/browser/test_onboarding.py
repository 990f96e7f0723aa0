"""Smart onboarding in a browser: the box opens, clients appear in it by themselves, and clicks decide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Locator, Page, expect

from portal import db
from portal.models import Ban, IgnoredClient, OnboardingDecision, OnboardingShare, OnboardingWindow, Revision
from tests.browser.support import Records, clipboard, row
from tests.browser.test_shape import CONTRAST
from tests.support.clients import Subscriber, connack
from tests.support.processes import wait_until
from tests.support.stack import EMAIL, Stack

NASTY = "<b>bold</b>"


@pytest.fixture(autouse=True)
def nothing_left(records: Records) -> Iterator[None]:
    yield
    with db.connected(), db.writing():
        for model in (OnboardingWindow, OnboardingDecision, OnboardingShare, IgnoredClient, Ban):
            model.delete().execute()
        Revision.bump("onboarding")
        Revision.bump("bans")


def open_box(page: Page) -> Locator:
    page.goto("/integrations")
    page.get_by_role("button", name="Smart onboarding").click()
    box = page.locator("#onboarding-box")
    expect(box).to_contain_text("Nobody knocks yet.")
    return box


def knock(stack: Stack, username: str, offered: str = "made-up", *options: str) -> Subscriber:
    """Have a client try to log in; it waits at the door."""
    return Subscriber(stack.mqtt_port, {"username": username, "password": offered}, "x/#", *options)


def request(page: Page, username: str) -> Locator:
    return page.locator("li.request", has_text=username)


def said(page: Page) -> Locator:
    """Return where it says what came of a click."""
    return page.locator("#notices")


def test_a_client_appears_by_itself_and_a_click_lets_it_in(page: Page, stack: Stack, records: Records):
    box = open_box(page)
    expect(box).to_contain_text(f"opened by {EMAIL}")
    with knock(stack, "press-4", "made-up", "-i", "press-4-client") as client:
        expect(request(page, "press-4")).to_contain_text("press-4-client")
        expect(request(page, "press-4")).to_contain_text("Waits at the door")
        page.get_by_role("button", name="Approve press-4 from 127.0.0.1").click()
        expect(said(page)).to_contain_text("press-4 is let in.")
        client.subscribed()
        expect(page.locator(".rows tbody tr")).to_contain_text("press-4")
        expect(page.locator(".rows tbody .state")).to_contain_text("Online")
    expect(request(page, "press-4")).to_have_count(0)


def test_what_came_of_a_click_is_still_said_when_others_have_knocked_since(page: Page, stack: Stack):
    open_box(page)
    with knock(stack, "press-1"):
        page.get_by_role("button", name="Approve press-1").click()
        expect(said(page)).to_contain_text("press-1 is let in.")
        with knock(stack, "press-2"):
            expect(request(page, "press-2")).to_be_visible()
            expect(said(page)).to_contain_text("press-1 is let in.")
    expect(said(page).get_by_text("press-1 is let in.")).to_have_count(0)  # in time, it goes


def test_of_many_clicks_the_last_is_said_and_how_many_came_before(page: Page, stack: Stack):
    open_box(page)
    with ExitStack() as clients:
        for number in range(5):
            clients.enter_context(knock(stack, f"press-{number}"))
            expect(request(page, f"press-{number}")).to_be_visible()
        for number in range(5):
            page.get_by_role("button", name=f"Ignore press-{number}").click()
            expect(said(page)).to_contain_text(f"press-{number} is ignored until this window closes.")
            expect(said(page).locator(".notice")).to_have_count(1)
    expect(said(page)).to_contain_text("4 more before")
    expect(said(page).locator(".notice")).to_have_count(0)


def test_the_type_stands_on_the_line_of_the_username(page: Page, stack: Stack):
    open_box(page)
    with knock(stack, "press-4"):
        lines = request(page, "press-4").evaluate(  # both at once: the box moves with what is said above it
            """shown => [".request-name bdi", ".request-name .kind > span"].map((place) => {
                const mark = document.createElement("span");
                mark.style.cssText = "display: inline-block; height: 0; width: 0";
                shown.querySelector(place).append(mark);
                const line = mark.getBoundingClientRect().bottom;
                mark.remove();
                return line;
            })"""
        )
        assert lines[0] == pytest.approx(lines[1], abs=0.5)


def test_two_browsers_see_the_same_and_the_second_click_is_told(page: Page, second_context, stack: Stack):
    other = second_context.new_page()
    other.goto("/integrations")
    open_box(page)
    expect(other.locator("#onboarding-box")).to_be_visible()
    with knock(stack, "press-4"):
        expect(request(page, "press-4")).to_be_visible()
        expect(request(other, "press-4")).to_be_visible()
        other.route("**/onboarding/box*", lambda route: route.fulfill(status=204, headers={"Held": "1"}))
        with other.expect_response(lambda response: "held" in response.headers):  # it hears of nothing from here on
            pass
        page.get_by_role("button", name="Approve press-4").click()
        expect(said(page)).to_contain_text("press-4 is let in.")
        other.get_by_role("button", name="Approve press-4").click()
        expect(said(other)).to_contain_text(re.compile("This request is gone|It was decided on already", re.I))
        other.unroute_all()
        expect(request(other, "press-4")).to_have_count(0)
    page.get_by_role("button", name="Close", exact=True).click()
    expect(other.locator("#onboarding-box")).to_have_count(0)
    expect(page.locator("#onboarding-box")).to_have_count(0)


def test_several_are_chosen_and_let_in_while_others_come(page: Page, stack: Stack, records: Records):
    box = open_box(page)
    with knock(stack, "press-1"), knock(stack, "press-2"):
        for name in ("press-1", "press-2"):
            request(page, name).get_by_role("checkbox").check()
        with knock(stack, "press-3"):
            expect(request(page, "press-3")).to_be_visible()
            expect(request(page, "press-1").get_by_role("checkbox")).to_be_checked()
            expect(box.get_by_label("Choose all")).not_to_be_checked()
            box.get_by_role("button", name="Approve 2 chosen").click()
            expect(said(page)).to_contain_text("2 clients are let in.")
            expect(page.locator("li.request")).to_have_count(1)
    assert records.usernames() == {"press-1", "press-2"}


def test_a_client_is_ignored_for_good_from_the_menu_and_that_is_undone(page: Page, stack: Stack):
    box = open_box(page)
    with knock(stack, NASTY):
        request(page, NASTY).locator("summary.icon-button").click()
        page.get_by_role("button", name="Ignore for good").click()
        expect(said(page)).to_contain_text(f"{NASTY} is ignored for good.")
    box.get_by_role("link", name="1 client is ignored for good").click()
    page.get_by_role("button", name=f"Do not ignore {NASTY} any more").click()
    expect(page.locator("#ignored")).to_contain_text("Nobody is ignored.")


def test_an_open_menu_and_the_focus_survive_what_comes(page: Page, stack: Stack):
    open_box(page)
    with knock(stack, "press-1"):
        request(page, "press-1").locator("summary.icon-button").click()
        button = request(page, "press-1").get_by_role("button", name="Approve press-1")
        button.focus()
        with knock(stack, "press-2"):
            expect(request(page, "press-2")).to_be_visible()
            expect(request(page, "press-1").get_by_role("button", name="Ignore for good")).to_be_visible()
            expect(button).to_be_focused()


def test_the_countdown_runs_and_every_page_says_that_it_is_open(page: Page, stack: Stack):
    box = open_box(page)
    before = box.get_by_role("timer").inner_text()
    expect(box.get_by_role("timer")).not_to_have_text(before)
    assert "9:00" < box.get_by_role("timer").inner_text() < before.replace("10:00", "9:60")
    page.get_by_role("button", name="10 more minutes").click()
    expect(box.get_by_role("timer")).to_have_text(re.compile(r"^19:\d\d$"))
    page.goto("/activity")
    expect(page.locator("#banner")).to_contain_text("Smart onboarding is open.")
    page.locator("#banner").get_by_role("link", name="See who knocks").click()
    page.locator("#onboarding").get_by_role("button", name="Smart onboarding").click()
    expect(box).to_have_count(0)


def test_the_other_password_of_a_row_is_accepted_after_a_question_that_keeps_the_old_one_at_hand(
    page: Page, stack: Stack, records: Records, turing: dict
):
    open_box(page)
    assert connack(stack.mqtt_port, turing["username"], "a new one") == 4
    offered = row(page, turing).locator(".offered")
    expect(offered).to_contain_text("Somebody tried another password:")
    offered.get_by_role("link", name="Accept the other password").click()
    dialog = page.get_by_role("dialog", name=f"Give {turing['username']} another password?")
    expect(dialog).to_contain_text("The client that has the old password is locked out.")
    expect(dialog.get_by_role("link", name="Keep the old one")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert records.password(turing) == turing["password"]
    offered.get_by_role("link", name="Accept the other password").click()
    dialog.get_by_role("button", name="Accept the new one").click()
    expect(page.locator("#panel")).to_be_visible()
    expect(offered).to_have_count(0)
    assert records.password(turing) == "a new one"


def test_the_address_to_connect_to_is_copied_while_nobody_knocks(page: Page, stack: Stack):
    box = open_box(page)
    address = f"mqtt://127.0.0.1:{stack.mqtt_port}"
    box.get_by_role("button", name=f"Copy {address}", exact=True).click()
    expect(said(page)).to_contain_text("Copied.")
    assert clipboard(page) == address


def test_without_scripts_a_client_is_let_in_too(plain: Page, stack: Stack, records: Records):
    open_box(plain)
    with knock(stack, "press-4") as client:
        wait_until(lambda: plain.goto("/integrations") and request(plain, "press-4").count())
        plain.get_by_role("button", name="Approve press-4").click()
        expect(plain.locator(".notice")).to_contain_text("press-4 is let in.")
        client.subscribed()
    assert records.usernames() == {"press-4"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways_and_everything_can_be_read(visitor, stack: Stack, scheme):
    phone = visitor.page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True, color_scheme=scheme)
    open_box(phone)
    long = "x" * 120
    with (
        knock(stack, long, "made-up", "--will-topic", f"{'y' * 100}/__agentInfo__", "--will-payload", "x"),
        knock(stack, long, "another"),
    ):
        expect(request(phone, long)).to_have_count(2)
        expect(request(phone, long).first).to_contain_text("The same username also comes with another password.")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        assert phone.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 390, 480, 600, 700, 1440])
def test_the_menu_of_a_request_lies_inside_the_screen(visitor, stack: Stack, width):
    page = visitor.page(viewport={"width": width, "height": 800})
    open_box(page)
    with knock(stack, "press-1"):
        request(page, "press-1").locator("summary.icon-button").click()
        expect(request(page, "press-1").locator(".menu-list")).to_be_visible()
        box = request(page, "press-1").locator(".menu-list").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width, box
    assert box["width"] >= 180, box


def test_many_requests_scroll_in_an_area_of_their_own_and_no_newcomer_moves_what_is_there(page: Page, stack: Stack):
    open_box(page)
    with ExitStack() as clients:
        for number in range(12):
            clients.enter_context(knock(stack, f"press-{number:02}"))
        expect(page.locator("li.request")).to_have_count(12)
        area = page.locator("#requests")
        assert area.bounding_box()["height"] <= 0.6 * 900 + 1
        assert area.evaluate("area => area.scrollHeight > area.clientHeight")
        first = page.locator("li.request").first
        before = first.bounding_box()
        clients.enter_context(knock(stack, "newcomer"))
        expect(request(page, "newcomer")).to_have_count(1)
        assert first.bounding_box() == before
        expect(request(page, "newcomer")).not_to_be_in_viewport()
        page.get_by_role("link", name="Show the newest").click()
        expect(request(page, "newcomer")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Approve the chosen ones")).to_be_in_viewport()
        request(page, "newcomer").locator("summary.icon-button").click()
        expect(request(page, "newcomer").get_by_role("button", name="Ban 127.0.0.1")).to_be_in_viewport(ratio=1)


def test_a_box_chooses_all_that_are_there_and_none_that_come_later(page: Page, stack: Stack, records: Records):
    box = open_box(page)
    with knock(stack, "press-1"), knock(stack, "press-2"):
        expect(page.locator("li.request")).to_have_count(2)
        box.get_by_label("Choose all").check()
        expect(box.get_by_role("button", name="Approve 2 chosen")).to_be_visible()
        with knock(stack, "press-3"):
            expect(request(page, "press-3").get_by_role("checkbox")).not_to_be_checked()
            expect(box.get_by_label("Choose all")).not_to_be_checked()
            box.get_by_role("button", name="Approve 2 chosen").click()
            expect(said(page)).to_contain_text("2 clients are let in.")
    assert records.usernames() == {"press-1", "press-2"}


def test_a_client_id_and_a_will_topic_that_are_cut_can_be_seen_whole_by_the_keyboard(page: Page, stack: Stack):
    open_box(page)
    client_id, topic = "c" * 90 + "-end", "w/" * 60 + "end"
    with knock(stack, "press-1", "made-up", "-i", client_id, "--will-topic", topic, "--will-payload", "x"):
        for whole in (client_id, topic):
            cut = request(page, "press-1").locator("details.cut", has_text=whole[:50])
            summary = cut.locator("summary")
            expect(summary).to_have_attribute("title", whole)
            expect(cut.get_by_text(whole, exact=True)).to_be_hidden()
            summary.focus()
            page.keyboard.press("Enter")
            expect(cut.get_by_text(whole, exact=True)).to_be_visible()
        with knock(stack, "press-2"):
            expect(request(page, "press-2")).to_be_visible()
            expect(request(page, "press-1").get_by_text(topic, exact=True)).to_be_visible()
