"""What the tests of the page *Agents* share: an agent with everything, and what they look for in pages."""

from __future__ import annotations

import html
import re

from portal.models import Activity
from tests.portal.live_agents import a_class, function, param

ADD = function(
    "add",
    param("a", "number", "The first one"),
    param("b", "number", optional=True, default="5"),
    is_static=True,
    description="Adds two numbers.\nSlowly.",
    ret={"type": "number", "description": "the sum"},
)
SAY = function("say", param("text", "string", "What to say"))
ONE = "/agents/one?domain=acme.default&agent=press1"
OPEN = f"{ONE}&class=Press"


def shown(answer) -> str:
    return html.unescape(answer.text)


def links(answer) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="([^"]+)"', answer.text)]


def happened(kind: str) -> list[tuple[str, str]]:
    return [(event.account, event.detail) for event in Activity.select().where(Activity.kind == kind)]


def version(answer) -> str:
    (found,) = re.findall(r'id="agents?".*?data-version="(\w+)"', answer.text, re.S)
    return found


def form(answer) -> tuple[str, dict[str, str]]:
    """Return where the form of the panel is sent to, and what is hidden in it."""
    (address,) = re.findall(r'class="call-form" method="post" action="([^"]+)"', answer.text)
    return html.unescape(address), {"shape": re.findall(r'name="shape" value="(\w*)"', answer.text)[0]}


def note(answer, field: str) -> str:
    """Return what is said to be wrong at a field."""
    found = re.findall(rf'id="{field}-note" role="alert">([^<]*)<', shown(answer))
    return found[0] if found else ""


def a_press() -> dict:
    """Return a class of everything."""
    constructor = function("", param("speed", "integer", optional=True))
    return a_class("Press", ADD, SAY, constructors=(constructor,), instances=("main", "spare"))
