"""The page *Edge Connectors*: all of them, and their fleets."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import session, telling
from portal.edge import asking, listing, told
from portal.edge.choices import CONNECTORS
from portal.edge.listing import STATES, Asked, Listing
from portal.edge.told import Status
from portal.views import polls
from portal.views.edge_one import LONGEST_ID, SEARCHED
from portal.views.pieces import with_headers
from portal.worker_client import Refused, Silent
from release import VERSION

blueprint = Blueprint("edges", __name__)
blueprint.before_request(session.required)

MAX_FLEET = 2**31
MAX_CALLS = listing.PAGE


@blueprint.get("/edge")
def page() -> ResponseReturnValue:
    """Show the page."""
    return render_template("edges.html", **_context(_asked()))


@blueprint.get("/edge/rows")
def rows() -> ResponseReturnValue:
    """Return the list alone; 204 when it is what the browser shows already."""
    asked = _asked()
    shown = _context(asked)
    if "v" in request.args:
        return polls.answer("_edges.html", shown, shown["edges_version"], then=shown["poll"])
    body = render_template("_edges.html", **shown)
    address = url_for("edges.page", **asked.args())
    if request.headers.get("HX-Trigger") == "search":
        return with_headers(body, replace_url=address)
    return with_headers(body, push_url=address)


def _asked() -> Asked:
    given = request.args
    state = given.get("state", "")
    return Asked(
        given.get("q", "")[:SEARCHED],
        state if state in STATES else "all",
        _number("fleet", MAX_FLEET) or None,
        max(1, _number("page", 100_000)),
    )


def _number(name: str, most: int) -> int:
    text = request.args.get(name, "")
    return min(most, int(text)) if text.isascii() and text.isdigit() and len(text) < 11 else 0


def _context(asked: Asked) -> dict[str, Any]:
    """Return what _edges.html shows."""
    found = listing.read(asked)
    statuses, calls = _statuses(found)
    looked_at = ",".join(f"{id}:{call}" for id, call in calls.items())
    rows = [_seen(row, statuses.get(row.integration.id)) for row in found.rows]
    fleets = [(one.fleet.id, one.fleet.is_open, one.members, one.online) for one in found.fleets]
    return {
        "asked": asked,
        "listing": found,
        "statuses": statuses,
        "poll": url_for("edges.rows", calls=looked_at or None, **asked.args()),
        "is_first": bool(calls) and not statuses,
        "release": VERSION,
        "telling": telling,
        "CONNECTORS": CONNECTORS,
        "edges_version": polls.version(asked, found.is_silent, found.counts, found.total, rows, fleets),
    }


def _seen(row: listing.Row, status: Status | None) -> object:
    """Return what a row shows, and not what else an agent says: that changes all the time."""
    says = status and (len(status.connectors), status.feeds, status.buffered, status.sent, bool(status.trouble))
    return row.integration.id, row.integration.revision, row.integration.last_login, row.agent, says


def _statuses(found: Listing) -> tuple[dict[int, Status], dict[int, str]]:
    """Return what the online ones have said to the calls of the address, and the calls to look at next time."""
    pairs = (pair.partition(":") for pair in request.args.get("calls", "").split(",")[:MAX_CALLS])
    asked = {int(id): call[:LONGEST_ID] for id, _, call in pairs if id.isascii() and id.isdigit() and len(id) < 19}
    statuses: dict[int, Status] = {}
    calls: dict[int, str] = {}
    for row in found.rows:
        if row.agent is None or not row.is_online:
            continue
        id = row.integration.id
        try:
            answer = asking.read(asked.get(id, ""))
            if answer.is_told:
                statuses[id] = told.status(answer.value)
            calls[id] = asked[id] if answer.is_open else asking.begin(row.agent, "status")
        except (Refused, Silent):
            continue
    return statuses, calls
