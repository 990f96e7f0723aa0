"""The page of a fleet: open or closed to new members, its download, and who is in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import activity, clock, session, telling
from portal.db import writing
from portal.edge import fleets, listing
from portal.edge.listing import Asked
from portal.fields import FieldError
from portal.models import EdgeFleet
from portal.views import edge_download, polls
from portal.views.current import sealer
from portal.views.pieces import question

SHOWN = timedelta(hours=1)  # after a new member was refused
CLOSED = "fleet is closed to new members"  # what the servers say of it

blueprint = Blueprint("edge_fleets", __name__)
blueprint.before_request(session.required)


@blueprint.get("/edge/fleet/<int:id>")
def page(id: int) -> ResponseReturnValue:
    """Show the page."""
    return _page(fleets.by_id(id), edge_download.first())


@blueprint.get("/edge/fleet/<int:id>/members")
def members(id: int) -> ResponseReturnValue:
    """Return its state and its members; 204 when it is what the browser shows already."""
    shown = _members(fleets.by_id(id))
    return polls.answer("_fleet.html", shown, shown["version"])


@blueprint.post("/edge/fleet/<int:id>/open")
def switch(id: int) -> ResponseReturnValue:
    """Open it to new members, or close it."""
    fleet = fleets.set_open(id, bool(request.form.get("open")), session.actor())
    flash(f"{fleet.prefix} is {'open' if fleet.is_open else 'closed'} to new members.")
    return redirect(url_for("edge_fleets.page", id=id), 303)


@blueprint.post("/edge/fleet/<int:id>/download")
def download(id: int) -> ResponseReturnValue:
    """Hand out the archive, with the fleet's token in it, or say what is wrong with the address."""
    fleet, typed = fleets.by_id(id), edge_download.typed()
    try:
        server = edge_download.read(typed)
    except FieldError as error:
        return _page(fleet, typed, 422, error)
    token = fleets.token(fleet, sealer())
    answer = edge_download.archive_of(fleet, fleet.prefix, fleet.domain, server, token=token)
    actor = session.actor()
    with writing():
        kind = "edge.fleet-downloaded"
        activity.record(kind, clock.now(), account=actor.name, address=actor.address, detail=fleet.prefix)
    return answer


@blueprint.get("/edge/fleet/<int:id>/delete")
def confirm_delete(id: int) -> ResponseReturnValue:
    """Ask before a fleet is deleted."""
    return question("_confirm_fleet.html", fleet=fleets.by_id(id), count=len(fleets.members(id)))


@blueprint.post("/edge/fleet/<int:id>/delete")
def delete(id: int) -> ResponseReturnValue:
    """Delete a fleet; its members stay."""
    gone = fleets.delete(id, session.actor())
    flash(f"The fleet {gone.prefix} is deleted.")
    return redirect(url_for("edges.page"), 303)


def _page(
    fleet: EdgeFleet, typed: dict[str, str], status: int = 200, error: FieldError | None = None
) -> ResponseReturnValue:
    shown = edge_download.context(fleet, fleet.prefix, fleet.domain, typed, error)
    return render_template("edge_fleet.html", **shown, **_members(fleet)), status


def _members(fleet: EdgeFleet) -> dict[str, Any]:
    """Return what _fleet.html shows."""
    found = listing.read(Asked(fleet=fleet.id))
    refused = activity.refused_since(f"{fleet.prefix}-", CLOSED, clock.now() - SHOWN) if not fleet.is_open else None
    rows = [(row.integration.id, row.integration.revision, row.integration.last_login, row.agent) for row in found.rows]
    happened = refused and (refused.id, refused.count)
    version = polls.version(happened, fleet.is_open, found.is_silent, found.counts, rows)
    return {"fleet": fleet, "listing": found, "version": version, "refused": refused, "telling": telling}
