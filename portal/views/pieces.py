"""What requests about integrations are answered with.

It is the piece that asked, by HTMX's target: a row of the table, the panel, or without HTMX the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from htmx_flask import make_response

from portal import clock, connect, connect_edge, connect_opcua, connect_vrpc, listing, opcua, switches
from portal.kinds import KINDS
from portal.listeners import Listener
from portal.listing import Query
from portal.models import Integration
from portal.views import box, listeners
from portal.views.current import by_htmx, settings
from portal.views.panel import Look, look

SHOWN_SECONDS = 30  # that a password is shown for
CHANGED = "integrations-changed"


@dataclass(frozen=True, slots=True)
class Edit:
    """A field being edited: what was typed, and why it was refused."""

    field: str
    value: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A listener, and what to copy or to do for it."""

    key: str
    label: str
    listener: Listener
    lines: Sequence[connect.Line]
    steps: Sequence[str] = ()


def changed(integration: Integration) -> ResponseReturnValue:
    """Answer a change; the other pieces of the page look for themselves at once."""
    if not by_htmx():
        return redirect(url_for("integrations.detail", id=integration.id), 303)
    return with_headers(answer(integration), trigger=CHANGED)


def with_headers(body: ResponseReturnValue, **headers: str) -> Response:
    """Add HTMX's response headers."""
    response: Response = make_response(body, **headers)
    return response


def question(template: str, **shown: object) -> str:
    """Ask before something is lost: in a dialog, or without HTMX on a page."""
    if by_htmx():
        return render_template(template, **shown)
    return render_template("confirm.html", question=template, **shown)


def answer(
    integration: Integration,
    status: int = 200,
    *,
    editing: Edit | None = None,
    permitting: dict[str, str] | None = None,
    placing: dict[str, object] | None = None,
    shown: str | None = None,
    seen: Look | None = None,
) -> ResponseReturnValue:
    """Render the piece that the request came from."""
    now = clock.now()
    found = listing.with_connections([integration], now)[0]
    state = {"row": found, "editing": editing, "shown": shown, "seconds": SHOWN_SECONDS}
    target = request.headers.get("HX-Target", "")
    if target == f"row-{integration.id}":
        return render_template("_row.html", **state, **_place_of_browser(integration)), status
    panel = _panel_context(integration, shown) | {"look": seen or look(integration)}
    panel |= {"permitting": permitting, "placing": placing}
    if permitting and KINDS[integration.type].door == "opcua":
        panel["longer"] = opcua.longer_username(integration.username)
    if target == "panel":
        return render_template("_panel.html", **state, **panel, list_path=url_for("integrations.page")), status
    context = list_context(selected=integration.id) | box.context()
    return render_template("integrations.html", **context, **state, **panel, panel=found), status


def _place_of_browser(integration: Integration) -> dict[str, object]:
    """Return what a row needs to know of the page that HTMX asks from: its filters, and whether it is chosen."""
    address, _, query = request.headers.get("HX-Current-URL", "").partition("?")
    list_path = url_for("integrations.page")
    return {
        "list_path": list_path,
        "list_query": Query.parse(dict(parse_qsl(query))).query_string(),
        "selected": integration.id if address.endswith(f"{list_path}/{integration.id}") else None,
    }


def list_context(selected: int | None = None) -> dict[str, object]:
    """Return what the list is rendered with."""
    now = clock.now()
    chosen = request.args.get("selected", "")
    found = listing.read(Query.parse(request.args), now)
    return {
        "listing": found,
        "query": found.query,
        "list_path": url_for("integrations.page"),
        "list_query": found.query.query_string(),
        "version": g.version,
        "banners": g.banners,
        "selected": selected or (int(chosen) if chosen.isascii() and chosen.isdigit() else None),
        "states": listing.STATES,
    }


def _panel_context(integration: Integration, password: str | None) -> dict[str, object]:
    found: dict[str, object] = {"ways": ways_of(integration, password), "trust": listeners.trust()}
    if KINDS[integration.type].door == "opcua":
        found |= {"folder_id": connect_opcua.folder_id(integration.username), "stand": _switches()}
    return found


def ways_of(integration: Integration, password: str | None) -> list[Way]:
    """Return how a client of this integration can connect."""
    door = KINDS[integration.type].door
    login, trust = connect.Login(integration.username, password), listeners.trust()
    if door == "opcua":
        allows_none = _switches()["OPCUA_ALLOW_NONE"]
        return [
            Way(guide.name, guide.label, listener, guide.lines, guide.steps)
            for listener in listeners.ways(door)
            for guide in connect_opcua.guides(listener, login, allows_none=allows_none)
        ]
    ways = listeners.ways(door)
    if integration.type == "vrpc":
        place = integration.domain, integration.role
        made = [connect_vrpc.lines(listener, trust, login, *place) for listener in ways]
    elif integration.type == "edge":
        made = [connect_edge.lines(listener, trust, login, integration.domain) for listener in ways]
    else:
        made = [connect.lines(listener, trust, login) for listener in ways]
    return [Way(one.transport, one.label, one, lines) for one, lines in zip(ways, made, strict=True)]


def _switches() -> dict[str, bool]:
    return switches.read(settings())
