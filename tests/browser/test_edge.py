"""The pages of Edge Connectors with a real one: created, downloaded, started, polled, removed; desk and phone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_agents import no_agents as no_agents
from tests.browser.test_live_data import PHONE
from tests.browser.test_shape import CONTRAST, NAMELESS, assert_fits
from tests.support import processes

NAME = "hall1"
CONTROLS = "a, button, input:not([type=hidden]), select, summary, textarea"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Unpack a download and start what is in it; it ends with the test."""
    started = []

    def begin(archive: Path) -> None:
        subprocess.run(["tar", "xzf", archive], cwd=tmp_path, check=True)
        (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        with (tmp_path / "edge.log").open("ab") as log:
            command = [sys.executable, "run.py", "--config", "edge.toml"]
            started.append(processes.start(command, cwd=folder, env=environ, stdout=log, stderr=log))

    yield begin
    for process in started:
        processes.stop(process)


def create(page: Page) -> None:
    """Create an Edge Connector from the menu of integrations."""
    page.goto("/integrations")
    page.locator(".menu summary").click()
    page.locator(".menu-list").get_by_role("link", name="Edge Connector").click()
    page.get_by_role("textbox", name="Name, or the prefix of a fleet").fill(NAME)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Waiting for it to come online…")).to_be_visible()


def fill_in(page: Page) -> None:
    """Type a poll of the processor into the form."""
    page.get_by_role("textbox", name="Name", exact=True).fill("cpu")
    page.get_by_label("What is read").select_option("system/cpu")
    page.get_by_role("textbox", name="Topic", exact=True).fill("plant/hall1/cpu")
    page.get_by_role("textbox", name="Interval").fill("0.2")
    page.get_by_role("checkbox", name="Spread").check()


def test_one_is_created_downloaded_started_polled_and_removed(page, records, tmp_path, run):
    create(page)
    assert records.usernames() == {NAME}
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    archive = tmp_path / download.value.suggested_filename
    download.value.save_as(archive)
    run(archive)
    expect(page.get_by_text("It is online")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Manage it").click()
    facts = page.get_by_role("region", name="How it is")
    expect(facts.locator("dd", has_text=re.compile("^Linux"))).to_be_visible()
    expect(page.get_by_role("region", name="Log").get_by_text("connected to")).to_be_visible()

    with page.expect_response(lambda answer: "/log?" in answer.url and "x-next-poll" in answer.headers) as same:
        pass
    expect(page.locator("#edge-log")).to_have_attribute("data-poll", same.value.headers["x-next-poll"])
    assert same.value.status == 204, "it shows the same lines, and asks for the next ones"

    page.get_by_role("link", name="Add a poll or a watch").click()
    fill_in(page)
    page.get_by_role("textbox", name="Topic", exact=True).fill("plant/#")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A topic cannot hold + or #")).to_be_visible()
    page.get_by_role("textbox", name="Topic", exact=True).fill("plant/hall1/cpu")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="system.cpu")
    expect(row.locator(".f-count").nth(1)).to_have_text(re.compile(r"[1-9]\d"), timeout=10_000)
    page.set_viewport_size(PHONE["viewport"])
    assert_fits(page)
    assert page.evaluate(CONTRAST) == []
    assert records.happened("edge.feed-set") == 1 and records.happened("agent.called") == 0

    page.goto("/topics?topic=plant/hall1/cpu/percent")
    expect(page.locator("#topic .topic-value pre").first).to_have_text(re.compile(r"\d"))
    page.goto("/edge")
    page.get_by_role("link", name=NAME, exact=True).click()
    page.get_by_role("link", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No Edge Connector yet")).to_be_visible()
    assert records.usernames() == set()
    page.goto("/agents")
    expect(page.get_by_text("No agents yet")).to_be_visible()


@pytest.mark.parametrize("look", [{"color_scheme": "light"}, {"color_scheme": "dark", **PHONE}], ids=["desk", "phone"])
def test_every_page_fits_is_readable_and_its_controls_have_names(visitor, records, look):
    page = visitor.page(**look)
    create(page)
    made = page.url
    for path in ("/edge", "/edge/new", made, made.replace("/download", ""), made.replace("/download", "/feed")):
        page.goto(path)
        assert_fits(page)
        assert page.evaluate(CONTRAST) == [], path
        assert page.locator(CONTROLS).evaluate_all(NAMELESS) == [], path
