"""What the browser tests share: a visitor who notices every error, and the product's records."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebError, expect

from portal import clock, config, db, integrations, traffic
from portal.credentials import Sealer
from portal.integrations import Actor
from portal.kinds import KINDS
from portal.models import Activity, Integration, Revision, Switch
from tests.support.stack import EMAIL, PASSWORD, Stack

ACTOR = Actor("tests")
# The browser and htmx write down every answer that is an error; the tests look at those themselves.
EXPECTED = re.compile(
    r"Failed to load resource: the server responded with a status of 4\d\d|Response Status Error Code 4\d\d from"
    r"|htmx:sendAbort|htmx:afterRequest"  # a click takes the place of a poll
)

PATIENCE_MS = 20_000  # for what should happen: a machine that stalls for a while must fail no test

# Polls come every 2 s; where a test is not about that, it need not wait so long.
PACE = """
    const wait = window.setTimeout;
    window.setTimeout = (work, delay, ...rest) => wait(work, delay === 2000 ? %d : delay, ...rest);
"""


class Visitor:
    """A person with browsers; an error in any console is a failure."""

    def __init__(self, chromium: Browser, stack: Stack, state: Any = None) -> None:
        self._chromium = chromium
        self._stack = stack
        self._state = state
        self._contexts: list[BrowserContext] = []
        self.problems: list[str] = []

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, type: object, *rest: object) -> None:
        for context in self._contexts:
            context.close()
        assert type is not None or not self.problems, self.problems

    def context(self, *, logged_in: bool = True, poll_ms: int = 200, **options: Any) -> BrowserContext:
        """Open another browser."""
        state = self._state if logged_in else None
        options = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", **options}
        context = self._chromium.new_context(base_url=self._stack.url, storage_state=state, **options)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(PACE % poll_ms)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.on("console", self._console)
        context.on("weberror", self._error)
        self._contexts.append(context)
        return context

    def page(self, **options: Any) -> Page:
        return self.context(**options).new_page()

    def log_in(self, page: Page, email: str = EMAIL, password: str = PASSWORD) -> None:
        page.goto("/login")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(password)
        follow(page.get_by_role("button", name="Log in"))
        expect(page).to_have_url(re.compile("/integrations$"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not EXPECTED.match(message.text):
            self.problems.append(f"{message.type}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.problems.append(f"uncaught: {error.error}")


class Records:
    """Writes to the product's database as its command line does: in a process of its own."""

    def __init__(self, stack: Stack) -> None:
        settings = config.load(stack.environ)
        db.init(settings)
        self._sealer = Sealer(settings.secret_key)

    def add(self, username: str | None = None, type: str = "mqtt", **more: Any) -> dict[str, Any]:
        """Add an integration; return it with its password."""
        with db.connected():
            if KINDS[type].is_placed:
                more.setdefault("domain", "acme.default")
            made = integrations.create(ACTOR, self._sealer, type, username=username, **more)
            password = self._sealer.open(made.sealed_password)
        return {"id": made.id, "username": made.username, "password": password, "type": type}

    def add_many(self, count: int, prefix: str = "client", **more: Any) -> None:
        """Add integrations named by number, in one transaction; they share a password."""
        with db.connected(), db.writing():
            Revision.update(value=Revision.value + count).where(Revision.name == "integrations").execute()
            last = Revision.values_now()["integrations"]
            common = {"sealed_password": self._sealer.seal("secret"), "type": "mqtt", "active": True, "note": ""}
            common |= {"last_login": None, "created_at": clock.now(), "created_by": "tests", **more}
            rows = [
                {"id": last - index, "revision": last, "username": f"{prefix}_{index:05}", **common}
                for index in range(count)
            ]
            for start in range(0, count, 100):
                Integration.insert_many(rows[start : start + 100]).execute()

    def rename(self, integration: dict[str, Any], username: str) -> None:
        with db.connected():
            integrations.rename(integration["id"], username, ACTOR)

    def set_active(self, integration: dict[str, Any], active: bool) -> None:
        with db.connected():
            integrations.set_active(integration["id"], active, ACTOR)

    def set_note(self, integration: dict[str, Any], note: str) -> None:
        with db.connected():
            integrations.set_note(integration["id"], note, ACTOR)

    def logged_in_ago(self, integration: dict[str, Any], **ago: float) -> None:
        """Say that a client logged in some time ago."""
        with db.connected(), db.writing():
            when = clock.now() - timedelta(**ago)
            Integration.update(last_login=when).where(Integration.id == integration["id"]).execute()
            Revision.bump("presence")

    def permit(self, integration: dict[str, Any], **filters: list[str]) -> None:
        with db.connected():
            integrations.set_permissions(integration["id"], ACTOR, **filters)

    def permissions(self, integration: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return to which topics it may publish, and subscribe."""
        with db.connected():
            found = Integration.get_by_id(integration["id"])
        return found.publish_filters, found.subscribe_filters

    def had_traffic(self, integration: dict[str, Any]) -> None:
        """Say that a client was online for most of the last day."""
        with db.connected():
            for half_hours in range(1, 40):
                count = half_hours * 7 % 40
                row = (integration["id"], count, count * 3, count * 64, count * 640, 1_800_000 - count * 20_000)
                traffic.add([row], clock.now() - half_hours * traffic.BUCKET)

    def password(self, integration: dict[str, Any]) -> str:
        """Return the password that is stored now."""
        with db.connected():
            return self._sealer.open(Integration.get_by_id(integration["id"]).sealed_password)

    def usernames(self) -> set[str]:
        with db.connected():
            return {row.username for row in Integration.select()}

    def is_active(self, integration: dict[str, Any]) -> bool:
        with db.connected():
            return bool(Integration.get_by_id(integration["id"]).active)

    def happened(self, kind: str) -> int:
        """Return how often something is on record."""
        with db.connected():
            return int(Activity.select().where(Activity.kind == kind).count())

    def clear(self) -> None:
        with db.connected(), db.writing():
            Activity.delete().execute()
            Integration.delete().execute()
            Switch.delete().execute()
            Revision.bump("integrations")
            Revision.bump("switches")


def follow(control: Locator) -> None:
    """Click on what leads to another page, and wait until that is there, with its scripts."""
    with control.page.expect_navigation():
        control.click()


def clipboard(page: Page) -> str:
    """Return what was copied."""
    return str(page.evaluate("navigator.clipboard.readText()"))


def row(page: Page, integration: dict[str, Any]) -> Locator:
    """Return the row of an integration in the table."""
    return page.locator(f"#row-{integration['id']}")


def names(page: Page) -> Locator:
    """Return the usernames in the table, from top to bottom."""
    return page.locator(".rows tbody .name")


def polled(page: Page, address: str = "/integrations/rows?") -> int:
    """Wait for the answer to the next poll, of the table or what is said; return its status."""
    with page.expect_response(lambda response: address in response.url) as answer:
        pass
    return answer.value.status


def settled(page: Page) -> None:
    """Wait until the table has been asked for and there is nothing new."""
    statuses = []
    while not statuses or statuses[-1] != 204:
        statuses.append(polled(page))
        assert len(statuses) < 50, f"polls do not come to rest: {statuses}"
