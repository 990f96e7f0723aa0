"""A real Chromium that visits the running product, and what it must never meet there: an error in its console."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from portal import db
from tests.browser.support import PATIENCE_MS, Records, Visitor
from tests.support.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: apt-get install chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def logged_in_state(chromium: Browser, stack: Stack) -> dict:
    """What a browser holds after logging in; each test starts with a copy."""
    with Visitor(chromium, stack) as visitor:
        page = visitor.page()
        visitor.log_in(page)
        return page.context.storage_state()


@pytest.fixture
def records(stack: Stack) -> Iterator[Records]:
    """The product's database, empty but for the account; written to as another process of the product does."""
    records = Records(stack)
    try:
        records.clear()
        yield records
    finally:
        db.database.close_all()


@pytest.fixture
def turing(records: Records) -> dict:
    """An integration, with its password."""
    return records.add("vast_turing")


@pytest.fixture
def visitor(chromium: Browser, stack: Stack, records: Records, logged_in_state: dict) -> Iterator[Visitor]:
    """Somebody who is logged in, with any number of browsers."""
    with Visitor(chromium, stack, logged_in_state) as visitor:
        yield visitor


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """A logged-in browser on a desk."""
    return visitor.page()


@pytest.fixture
def phone(visitor: Visitor) -> Page:
    """A logged-in browser in a hand."""
    return visitor.page(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)


@pytest.fixture
def plain(visitor: Visitor) -> Page:
    """A logged-in browser that runs no scripts."""
    return visitor.page(java_script_enabled=False)


@pytest.fixture
def requests_of() -> Callable[[Page, str], list[Request]]:
    """Collect the requests that a page makes from now on, by a pattern of their addresses."""

    def collect(page: Page, pattern: str) -> list[Request]:
        found: list[Request] = []
        page.on("request", lambda request: found.append(request) if re.search(pattern, request.url) else None)
        return found

    return collect


@pytest.fixture
def second_context(visitor: Visitor) -> BrowserContext:
    """Another browser of the same person."""
    return visitor.context()
