"""The page of the REST API: from the panel to a line that works in a terminal."""

from __future__ import annotations

import re
import subprocess

from playwright.sync_api import Page, expect

from tests.browser.support import Records, Visitor, clipboard, follow
from tests.support.processes import wait_until


def test_lines_are_copied_from_the_page_and_work(page: Page, records: Records) -> None:
    made = records.add("script", "http")
    page.goto(f"/integrations/{made['id']}")
    follow(page.get_by_role("link", name="page of the REST API"))
    expect(page).to_have_title(re.compile("REST API"))
    script = [f"LOGIN='script:{made['password']}'"]
    for place, words in (
        (".api-intro", "URL="),
        ("#put-values-topic", "-X PUT"),
        ("#get-values-topic", '-u "$LOGIN" "$URL'),
    ):
        page.locator(f"{place} .line-box").first.get_by_role("button").click()
        wait_until(lambda words=words: words in clipboard(page), what=f"{words!r} to be copied")
        script.append(clipboard(page))
    script.append(script[-1].replace("curl ", "curl -X DELETE ", 1))  # others begin without any value
    done = subprocess.run(["sh", "-ec", "\n".join(script)], capture_output=True, text=True, timeout=20)
    assert done.stdout == "21.5", (script, done)


def test_the_page_is_for_everybody_and_works_without_javascript(visitor: Visitor) -> None:
    page = visitor.page(logged_in=False, java_script_enabled=False)
    page.goto("/api/v1")
    page.get_by_role("link", name="PUT").click()
    expect(page.get_by_role("heading", name="Write a value")).to_be_in_viewport()
    assert page.get_by_role("button").count() == 0, "what copies needs a script"
