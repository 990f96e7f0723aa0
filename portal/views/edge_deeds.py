"""What is done to one Edge Connector: restarted, updated, removed; and what came of it."""

from __future__ import annotations

import base64

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import session, telling
from portal.edge import archive, asking, connectors, subject
from portal.edge.subject import Subject
from portal.views.current import sealer
from portal.views.edge_one import DEEDS, LONGEST_ID
from portal.views.pieces import question
from portal.vrpc_told import Agent
from portal.worker_client import Refused, Silent
from release import VERSION

blueprint = Blueprint("edge_deeds", __name__)
blueprint.before_request(session.required)

UPDATE_SECONDS = 30.0  # that it may take to say that it has the archive
OFFLINE = "The Edge Connector is not online."


@blueprint.get("/edge/<int:id>/outcome")
def outcome(id: int) -> ResponseReturnValue:
    """Return what came of a deed; 204 while it is under way, and while nobody answers."""
    found, what, deed = subject.find(id), request.args.get("what", ""), request.args.get("deed", "")[:LONGEST_ID]
    if what not in DEEDS or not deed:
        abort(404)
    try:
        told = asking.read(deed)
    except Silent:
        return "", 204
    if told.is_open:
        return "", 204
    shown = {"it": found.integration, "deed": deed, "what": what, "outcome": told}
    return render_template("_edge_deed.html", **shown, DEEDS=DEEDS, telling=telling)


@blueprint.get("/edge/<int:id>/restart")
def confirm_restart(id: int) -> ResponseReturnValue:
    """Ask before it is restarted."""
    return question("_confirm_edge_restart.html", it=subject.find(id).integration)


@blueprint.post("/edge/<int:id>/restart")
def restart(id: int) -> ResponseReturnValue:
    """Have it restarted."""
    found = subject.find(id)
    call = asking.begin(online(found), "restart")
    asking.record("edge.restarted", found.integration, session.actor())
    return to_page(id, call, "restart")


@blueprint.get("/edge/<int:id>/update")
def confirm_update(id: int) -> ResponseReturnValue:
    """Ask before it is updated."""
    found = subject.find(id)
    shown = {"it": found.integration, "agent": found.agent, "release": VERSION, "telling": telling}
    return question("_confirm_edge_update.html", **shown)


@blueprint.post("/edge/<int:id>/update")
def update(id: int) -> ResponseReturnValue:
    """Send it the version of this release."""
    found = subject.find(id)
    agent = online(found)
    version, body = archive.release()
    mac = archive.mac(sealer().open(found.integration.sealed_password), version, body)
    call = asking.begin(agent, "update", version, base64.b64encode(body).decode(), mac, seconds=UPDATE_SECONDS)
    asking.record("edge.updated", found.integration, session.actor(), version)
    return to_page(id, call, "update")


@blueprint.get("/edge/<int:id>/remove")
def confirm_remove(id: int) -> ResponseReturnValue:
    """Ask before it is removed."""
    found = subject.find(id)
    return question("_confirm_edge_remove.html", it=found.integration, edge=found)


@blueprint.post("/edge/<int:id>/remove")
def remove(id: int) -> ResponseReturnValue:
    """Remove it: its credentials, and what it has retained."""
    gone = connectors.remove(subject.find(id).integration.id, session.actor())
    flash(f"{gone.username} is removed.")
    return redirect(url_for("edges.page"), 303)


def online(found: Subject) -> Agent:
    """Return the agent of an Edge Connector that can be told something.  Raises `Refused` and `Silent`."""
    if found.is_silent:
        raise Silent
    if found.agent is None or not found.agent.is_online:
        raise Refused(OFFLINE)
    return found.agent


def to_page(id: int, call: str, what: str) -> ResponseReturnValue:
    """Go to the page, which shows what comes of a call."""
    return redirect(url_for("edge.page", id=id, deed=call, what=what), 303)
