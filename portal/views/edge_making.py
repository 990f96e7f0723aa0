"""Creating an Edge Connector or a fleet, and the page of one to be downloaded and installed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import domains, session
from portal.edge import asking, connectors, fleets, subject
from portal.edge.choices import CONNECTORS, TARGETS
from portal.edge.subject import Subject
from portal.fields import FieldError
from portal.integrations import NotFound
from portal.models import EdgeConnector
from portal.views import edge_download, polls
from portal.views.current import sealer, settings

blueprint = Blueprint("edge_making", __name__)
blueprint.before_request(session.required)

FIRST_TARGET = next(iter(TARGETS))


@blueprint.get("/edge/new")
def form() -> ResponseReturnValue:
    """Show the form."""
    typed = {"domain": domains.default(settings()), "target": FIRST_TARGET, "many": ""}
    return _form(typed, ["files"])


@blueprint.post("/edge/new")
def create() -> ResponseReturnValue:
    """Create what was typed, or say what is wrong with it."""
    typed = {name: request.form.get(name, "") for name in ("name", "many", "domain", "target")}
    wanted = [kind for kind in request.form.getlist("connectors") if kind in CONNECTORS]
    try:
        more: dict[str, Any] = {"domain": typed["domain"], "connectors": wanted, "target": typed["target"]}
        if typed["many"]:
            fleet = fleets.create(session.actor(), sealer(), prefix=typed["name"], **more)
            return redirect(url_for("edge_fleets.page", id=fleet.id), 303)
        made = connectors.create(session.actor(), sealer(), name=typed["name"], **more)
    except FieldError as error:
        return _form(typed, wanted, 422, error)
    return redirect(url_for("edge_making.made", id=made.id), 303)


@blueprint.get("/edge/<int:id>/download")
def made(id: int) -> ResponseReturnValue:
    """Show what to download, and what to do with it, until it is online."""
    return _page(*_made(id), edge_download.first())


@blueprint.get("/edge/<int:id>/waiting")
def waiting(id: int) -> ResponseReturnValue:
    """Return whether it has come; 204 when the browser shows that already."""
    found = subject.find(id)
    version = _version(found)
    return polls.answer("_edge_waiting.html", {"it": found.integration, "edge": found, "version": version}, version)


@blueprint.post("/edge/<int:id>/download")
def download(id: int) -> ResponseReturnValue:
    """Hand out the archive, with the credentials in it, or say what is wrong with the address."""
    found, row = _made(id)
    integration, typed = found.integration, edge_download.typed()
    try:
        server = edge_download.read(typed)
    except FieldError as error:
        return _page(found, row, typed, 422, error)
    login = {"username": integration.username, "password": sealer().open(integration.sealed_password)}
    answer = edge_download.archive_of(row, integration.username, integration.domain, server, **login)
    asking.record("edge.downloaded", integration, session.actor())
    return answer


def _made(id: int) -> tuple[Subject, EdgeConnector]:
    """Return an Edge Connector that can be downloaded, and what it is made of.  Raises `NotFound`."""
    found = subject.find(id)
    if found.row is None or found.row.fleet is not None:
        raise NotFound(f"the Edge Connector {id} has no download of its own")
    return found, found.row


def _page(
    found: Subject, row: EdgeConnector, typed: dict[str, str], status: int = 200, error: FieldError | None = None
) -> ResponseReturnValue:
    integration = found.integration
    shown = edge_download.context(row, integration.username, integration.domain, typed, error)
    shown |= {"it": integration, "edge": found, "version": _version(found)}
    return render_template("edge_made.html", **shown), status


def _version(found: Subject) -> str:
    return f"{found.is_online:d}{found.has_come:d}{found.is_silent:d}{found.refused.id if found.refused else ''}"


def _form(
    typed: dict[str, str], wanted: list[str], status: int = 200, error: FieldError | None = None
) -> ResponseReturnValue:
    fields = {"prefix": "name", "username": "name"}
    errors = {fields.get(error.field, error.field): error.message} if error else {}
    shown = {"typed": typed, "wanted": wanted, "errors": errors, "CONNECTORS": CONNECTORS, "TARGETS": TARGETS}
    return render_template("edge_new.html", **shown), status
