"""Certificates that are renewed before long: every page says so, and the server page renews them now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from portal import certificate, clock, config
from portal.renewal import BEFORE_END, NOTICE
from protocols.opcua import certificate as opcua_certificate
from tests.browser.support import Visitor, follow
from tests.browser.test_shape import CONTRAST, NAMELESS, assert_fits
from tests.support.processes import wait_until
from tests.support.stack import Stack

SOON = BEFORE_END + NOTICE - timedelta(days=10)  # before the end
PAGES = ("/integrations", "/activity", "/server")


@pytest.fixture
def soon(make_stack) -> Iterator[Stack]:
    """A product whose certificates are renewed in twenty days."""
    stack = make_stack()
    certificate.prepare(config.load(stack.environ), clock.now() - certificate.VALID + SOON)
    folder = Path(stack.environ["DATA_DIR"]) / "opcua"
    opcua_certificate.prepare(folder, ["localhost"], clock.now() - opcua_certificate.VALID + SOON)
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture
def owner(chromium, soon) -> Iterator[Visitor]:
    with Visitor(chromium, soon) as visitor:
        yield visitor


def test_a_renewal_is_told_ahead_and_its_time_can_be_chosen(owner):
    page = owner.page()
    owner.log_in(page)
    date = (clock.now() + timedelta(days=20)).strftime("%Y-%m-%d")
    for path in PAGES:
        told = page.locator("#main").get_by_role("status")
        # While a part is slow to answer, a page does not know; it asks again in a few seconds.
        wait_until(lambda path=path, told=told: page.goto(path) and told.count() == 2, what="both ends", every=0.5)
        expect(told.filter(has_text="of OPC UA is renewed on")).to_contain_text(date)
        expect(told.filter(has_text="of MQTT over TLS is renewed on")).to_contain_text(date)
    for section, name in (("#opcua", "OPC UA"), ("#listeners", "MQTT over TLS")):
        before = page.locator(section).locator(".fingerprint").last.inner_text()
        page.get_by_role("link", name=f"Renew the certificate of {name} now").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("link", name="Leave it")).to_be_focused()
        follow(dialog.get_by_role("button", name="Renew"))
        expect(page.get_by_text(f"The certificate of {name} is renewed.")).to_be_visible()
        expect(page.locator(section)).not_to_contain_text(before)
        expect(page.locator(section)).not_to_contain_text(re.compile(f"It is renewed on {date}"))
    expect(page.locator("#main").get_by_role("status")).to_have_count(0)
    page.goto("/activity?show=changes")
    expect(page.locator(".event").filter(has_text="server certificate renewed, OPC UA: ")).to_have_count(1)
    expect(page.locator(".event").filter(has_text=f"in the place of {before}")).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_told_fits_a_phone_and_is_readable(owner, theme):
    options = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    page = owner.page(color_scheme=theme, **options)
    owner.log_in(page)
    for path in (*PAGES, "/server/certificate/opcua/renew"):
        page.goto(path)
        assert_fits(page)
        assert page.evaluate(CONTRAST) == []
        assert page.locator("a, button, input:not([type=hidden]), select, summary").evaluate_all(NAMELESS) == []
