"""The page *Agents* with an agent of npm: the list, calls from forms, instances, events, removing; two windows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.support import follow
from tests.browser.test_live_data import PHONE
from tests.browser.test_shape import CONTRAST, NAMELESS, assert_fits
from tests.stack.test_vrpc_portal import Portal
from tests.support.clients import publish
from tests.support.processes import wait_until
from tests.support.stack import HOST
from tests.support.vrpc import Agent

DOMAIN = "ada.default"
MARKUP = "<img src=x onerror=alert(1)>"
NASTY = f"{MARKUP}\u202e\x1b" + "w" * 3_000


@pytest.fixture(autouse=True)
def no_agents(stack) -> Iterator[None]:
    """Begin without any agent, and leave none behind: each is retained until it is removed."""
    _remove_all(Portal(stack))
    yield
    _remove_all(Portal(stack))


def _remove_all(portal: Portal) -> None:
    def are_offline() -> bool:
        return all(agent["status"] == "offline" for agent in portal.ask("vrpc_agents"))

    wait_until(are_offline, what="all agents to be offline")
    for agent in portal.ask("vrpc_agents"):
        portal.ask("vrpc_remove", agent["domain"], agent["agent"])


@pytest.fixture
def start(stack, records, tmp_path) -> Iterator[Callable[[str], Agent]]:
    """Start agents of a kind, called press1; they end with the test, also if it fails."""
    made: list[Agent] = []

    def begin(kind: str, integration: dict | None = None, *, waits: bool = True) -> Agent:
        integration = integration or records.add("hall/press1", "vrpc", domain=DOMAIN, role="agent")
        url = f"mqtt://{HOST}:{stack.mqtt_port}"
        made.append(Agent(kind, url, DOMAIN, "press1", tmp_path / f"agent-{len(made)}", integration))
        return made[-1].ready() if waits else made[-1]

    yield begin
    for agent in made:
        agent.kill()


@pytest.fixture
def press(start) -> Agent:
    """An agent of npm that is online, with an instance."""
    agent = start("npm")
    agent.create("Press", "main", 20)
    return agent


def opened(page, class_name: str = "Press") -> None:
    """Go to the agent, and open a class of it."""
    page.goto("/agents")
    follow(page.get_by_role("link", name="press1", exact=True))
    page.get_by_role("link", name=class_name, exact=True).click()


def choose(page, instance: str) -> None:
    """Choose an instance of the class that is open, to call functions with."""
    page.locator(".instances").get_by_role("link", name=instance, exact=True).click()
    expect(page.get_by_role("heading", name=f"Functions of {instance}")).to_be_visible()


def function(page, name: str):
    return page.locator(".functions a").filter(has=page.locator(f".function-name:text-is('{name}')"))


def call(page, name: str, **typed: str):
    """Open a function, type its arguments, and call it; return what is said of its outcome."""
    function(page, name).click()
    expect(page.locator(".functions .chosen-one .function-name")).to_have_text(name)
    for label, text in typed.items():
        page.get_by_label(re.compile(rf"^{label} · ")).fill(text)
    page.get_by_role("button", name=re.compile("^Call")).click()
    return page.locator("#outcome")


def test_a_first_agent_appears_in_the_list_and_its_state_is_followed(page, records, start):
    page.goto("/agents")
    expect(page.get_by_text("No agents yet")).to_be_visible()
    page.get_by_role("link", name="Add an integration").click()
    expect(page.get_by_role("dialog").get_by_role("textbox", name="Domain")).to_have_value(DOMAIN)
    page.keyboard.press("Escape")
    agent = start("npm")
    row = page.locator(".agent-rows tbody tr")
    expect(row).to_contain_text("press1")
    for text in (DOMAIN, "Online", "hall/press1", "2 classes"):
        expect(row).to_contain_text(text)
    follow(row.get_by_role("link", name="hall/press1"))
    expect(page).to_have_url(re.compile(r"/integrations/\d+$"))
    page.go_back()
    agent.kill()
    expect(row).to_contain_text("Offline")
    page.get_by_role("link", name="Online 0").click()
    expect(page.get_by_text("No agent matches.")).to_be_visible()
    page.get_by_role("link", name="Show all 1").click()
    follow(page.get_by_role("link", name="press1", exact=True))
    page.get_by_role("link", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No agents yet")).to_be_visible()
    assert records.happened("agent.removed") == 1


def test_an_agent_is_handed_over_to_the_integration_that_asks_for_it(page, records, start):
    agent = start("npm")
    rival = start("npm", records.add("hall/new", "vrpc", domain=DOMAIN, role="agent"), waits=False)
    rival.wait_for("error")
    page.goto("/agents")
    expect(page.get_by_text("Two fight for this name")).to_be_visible()
    agent.kill()
    expect(page.get_by_text("hall/new wants to be it, and is refused.")).to_be_visible()
    follow(page.get_by_role("link", name="press1", exact=True))
    told = page.get_by_role("alert").filter(has_text="wants to be this agent")
    expect(told).to_contain_text("the agent belongs to hall/press1")
    told.get_by_role("link", name="Hand it over").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Leave it")).to_be_focused()
    dialog.get_by_role("button", name="Hand it over").click()
    expect(page.get_by_text("press1 belongs to hall/new")).to_be_visible()
    expect(page.locator(".subhead")).to_contain_text("Online")
    expect(told).to_have_count(0)
    expect(page.locator(".agent-facts")).to_contain_text("hall/new")
    assert records.happened("agent.handed-over") == 1


def test_a_function_is_called_and_called_again_and_wrong_arguments_are_said_at_the_field(page, press, records):
    opened(page)
    function(page, "add").click()
    panel = page.locator("#call")
    for text in ("Adds two numbers", "First number", "The sum"):
        expect(panel).to_contain_text(text)
    first, second = (page.get_by_label(re.compile(f"^{name} · ")) for name in "ab")
    first.fill("one")
    second.fill("2")
    page.get_by_role("button", name="Call").click()
    expect(first).to_have_accessible_description(re.compile("This has to be a number"))
    expect(first).to_be_focused()
    expect(second).to_have_value("2")
    first.fill("1.5")
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("region", name="Result")).to_have_text("3.5")
    expect(page.locator("#outcome")).to_contain_text(re.compile(r"Returned after 0\.\d+ s\."))
    expect(first).not_to_have_attribute("aria-invalid", "true")
    second.fill("3")
    page.get_by_role("button", name="Call again").click()
    expect(page.get_by_role("region", name="Result")).to_have_text("4.5")
    expect(first).to_have_value("1.5")
    assert records.happened("agent.called") == 2
    page.goto("/activity")
    expect(page.get_by_text("called Press.add of press1").first).to_be_visible()


def test_errors_and_promises_are_shown_with_their_time(page, press):
    opened(page)
    outcome = call(page, "fail", message="<b>jammed</b>")
    expect(outcome).to_contain_text("The call failed after")
    expect(page.get_by_role("region", name="Error")).to_have_text("<b>jammed</b>")
    outcome = call(page, "later", value='{"part": "é"}', milliseconds="1500")
    expect(outcome).to_contain_text("The agent has promised a value; waiting for it.")
    expect(page.locator("[data-elapsed]")).to_have_text(re.compile(r"^[12]\.\d s$"))
    expect(outcome).to_contain_text(re.compile(r"The promised value came after [12]\.\d+ s\."))
    expect(page.get_by_role("region", name="Result")).to_contain_text('"part": "é"')
    expect(call(page, "refuse", message="no", milliseconds="10")).to_contain_text("The call failed after")


def test_an_answer_that_never_comes_is_waited_for_as_long_as_was_said(page, press):
    opened(page)
    function(page, "never").click()
    page.get_by_label("Time-out").fill("1")
    page.get_by_role("button", name="Call").click()
    expect(page.locator("#outcome")).to_contain_text(re.compile(r"did not come within 1\.\d+ s"))


def test_an_instance_is_created_called_and_deleted(page, press, records):
    opened(page)
    page.get_by_role("link", name="Create an instance").click()
    page.get_by_label(re.compile("^pressure · ")).fill("300")
    page.get_by_role("button", name="Create").click()
    name = page.get_by_label("Name of the instance")
    expect(name).to_have_accessible_description(re.compile("A name is required"))
    name.fill("spare")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Error")).to_contain_text("300 bar is too much")
    page.get_by_label(re.compile("^pressure · ")).fill("30")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#outcome")).to_contain_text("Created after")
    expect(page.locator(".instances")).to_contain_text("spare")
    follow(page.get_by_role("link", name="Open it"))
    call(page, "pressure")
    expect(page.get_by_role("region", name="Result")).to_have_text("30")
    page.locator(".instances").get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete the instance spare?")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator("#outcome")).to_contain_text("Deleted after")
    expect(page.locator(".instances")).not_to_contain_text("spare")
    assert records.happened("agent.instance-created") == 2 and records.happened("agent.instance-deleted") == 1


def test_an_event_is_watched_live_while_another_window_calls(page, second_context, press):
    opened(page)
    choose(page, "main")
    page.get_by_role("link", name="Watch an event").click()
    page.get_by_label("Event", exact=True).fill("stroke")
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
    other = second_context.new_page()
    opened(other)
    choose(other, "main")
    call(other, "strike", force="7")
    expect(other.get_by_role("region", name="Result")).to_have_text("1")
    events = page.locator("#events li .mono")
    expect(events).to_have_text(["[1,7]"])
    other.get_by_role("button", name="Call again").click()
    expect(events).to_have_text(["[2,7]", "[1,7]"])
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Watch")).to_be_visible()
    expect(page.get_by_label("Event", exact=True)).to_have_value("stroke")


def test_what_is_typed_and_what_came_of_a_call_survive_polls(page, press):
    opened(page)
    call(page, "add", a="1", b="2")
    expect(page.get_by_role("region", name="Result")).to_have_text("3")
    page.get_by_label(re.compile("^a · ")).fill("half a num")
    press.create("Press", "another")
    expect(page.locator(".instances")).to_contain_text("another")
    expect(page.get_by_label(re.compile("^a · "))).to_have_value("half a num")
    expect(page.get_by_label(re.compile("^b · "))).to_have_value("2")
    expect(page.get_by_role("region", name="Result")).to_have_text("3")


def test_all_is_reached_by_keyboard_and_is_an_address(page, press):
    page.goto("/agents")
    page.get_by_role("link", name="press1", exact=True).focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_role("link", name="Press", exact=True).focus()
    page.keyboard.press("Enter")
    expect(function(page, "add")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Function or instance contains")).to_be_focused()
    page.keyboard.type("echo")
    expect(function(page, "add")).to_have_count(0)
    function(page, "echo").focus()
    page.keyboard.press("Enter")
    page.get_by_label(re.compile("^value · ")).focus()
    page.keyboard.type('["é"]')
    page.get_by_role("button", name="Call").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Result")).to_contain_text('"é"')
    page.reload()
    expect(page.get_by_label(re.compile("^value · "))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#call")).to_be_hidden()
    page.go_back()
    expect(page.get_by_label(re.compile("^value · "))).to_be_visible()


def test_everything_works_without_scripts(plain, press):
    opened(plain)
    call(plain, "later", value='"done"', milliseconds="1000")
    look_again = plain.get_by_role("button", name="Look again")
    expect(look_again).to_be_visible()
    while look_again.count():
        follow(look_again)
    expect(plain.get_by_role("region", name="Result")).to_have_text('"done"')
    expect(plain.get_by_label(re.compile("^milliseconds · "))).to_have_value("1000")
    choose(plain, "main")
    plain.get_by_role("link", name="Watch an event").click()
    plain.get_by_label("Event", exact=True).fill("stroke")
    plain.get_by_role("button", name="Watch").click()
    follow(plain.get_by_role("button", name="Stop"))
    follow(plain.get_by_role("link", name="Close"))
    plain.locator(".instances").get_by_role("link", name="Delete").click()
    plain.get_by_role("button", name="Delete").click()
    expect(plain.locator("#outcome")).to_contain_text("Deleted after")
    expect(plain.get_by_text("There are no shared instances.")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_a_phone_and_are_readable(visitor, press, theme):
    page = visitor.page(color_scheme=theme, **PHONE)
    one = f"/agents/one?domain={DOMAIN}&agent=press1"
    opened = f"{one}&class=Press&instance=main"
    paths = ["/agents", one, opened, f"{opened}&function=adjust", f"{opened}&act=create", f"{opened}&act=watch"]
    for path in (*paths, opened.replace("/one", "/delete"), one.replace("/one", "/remove")):
        page.goto(path)
        assert_fits(page)
        assert page.evaluate(CONTRAST) == []
        assert (
            page.locator("a, button, input:not([type=hidden]), select, textarea, summary").evaluate_all(NAMELESS) == []
        )
    page.goto(f"{opened}&function=adjust")
    page.get_by_label(re.compile("^pressure · ")).fill("x")
    page.get_by_role("button", name="Call").click()
    expect(page.locator(".field-error")).to_be_in_viewport()
    assert page.evaluate(CONTRAST) == []
    page.get_by_label(re.compile("^pressure · ")).fill("30")
    page.get_by_role("button", name="Call").click()
    expect(page.get_by_role("region", name="Result")).to_have_text("30")
    assert_fits(page)
    assert page.evaluate(CONTRAST) == []


def test_an_agent_of_pypi_is_called_and_watched_like_one_of_npm(page, second_context, start):
    start("pypi")
    opened(page)
    page.get_by_role("link", name="Create an instance").click()
    page.get_by_label("Name of the instance").fill("spare")
    page.get_by_label(re.compile("^pressure · ")).fill("30")
    page.get_by_role("button", name="Create").click()
    follow(page.get_by_role("link", name="Open it"))
    page.get_by_role("link", name="Watch an event").click()
    page.get_by_label("Event", exact=True).fill("stroke")
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
    other = second_context.new_page()
    other.goto(f"/agents/one?domain={DOMAIN}&agent=press1&class=Press&instance=spare")
    other.locator("section", has_text="Functions of spare").last.get_by_role("link", name="strike").click()
    other.get_by_label(re.compile("^force · ")).fill("7")
    other.get_by_role("button", name="Call").click()
    expect(other.get_by_role("region", name="Result")).to_have_text("1")
    expect(page.locator("#events li .mono")).to_have_text([re.compile(r"^\[1, ?7\]$")])


@pytest.mark.parametrize("look", [{}, PHONE], ids=["desk", "phone"])
def test_whatever_an_agent_says_of_itself_is_shown_as_text_and_fits(visitor, stack, records, look):
    integration = records.add("hall/press1", "vrpc", domain=DOMAIN, role="agent")
    name = f"{MARKUP}%2F?&c=d"
    about = f"{DOMAIN}/{name}/__agentInfo__"
    will = ("-r", "--will-topic", about, "--will-retain", "--will-payload", '{"status": "offline"}')
    said = {"status": "online", "hostname": NASTY, "version": NASTY, "v": 3}
    described = {
        "description": NASTY,
        "params": [{"name": NASTY, "type": NASTY, "description": NASTY}],
        "ret": {"type": NASTY, "description": NASTY},
    }
    info = {
        "className": MARKUP,
        "instances": [MARKUP],
        "memberFunctions": [],
        "staticFunctions": [MARKUP],
        "meta": {MARKUP: described},
        "v": 3,
    }
    for topic, payload in ((about, said), (f"{DOMAIN}/{name}/{MARKUP}/__classInfo__", info)):
        assert publish(stack.mqtt_port, integration, topic, json.dumps(payload), *will).returncode == 0
    page = visitor.page(**look)
    page.goto("/agents")
    follow(page.get_by_role("link", name=name, exact=True))
    assert_fits(page)
    page.get_by_role("link", name=MARKUP, exact=True).click()
    page.locator(".functions a").click()
    expect(page.locator("#call")).to_contain_text(f"{MARKUP}\\u202e")
    assert_fits(page)
    page.locator(".call-form").get_by_role("textbox").first.fill('"x"')
    page.get_by_role("button", name="Call").click()
    expect(page.locator(".call-form [role=alert]").first).to_contain_text("not online")
    assert_fits(page)
    assert "\u202e" not in page.content() and page.locator("img").count() == 0
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No agents yet")).to_be_visible()
