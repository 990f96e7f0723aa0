"""The nodes of an OPC UA integration: a page of their own, since each has more to tell than fits into the panel."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import clock, integrations, listing, opcua, session, worker_client
from portal.connect_opcua import folder_id
from portal.fields import FieldError
from portal.kinds import KINDS
from portal.models import Integration
from portal.views import polls
from portal.views.current import settings
from portal.views.pieces import question, with_headers

blueprint = Blueprint("nodes", __name__)
blueprint.before_request(session.required)

LONGEST = 1_024  # characters of a name


@blueprint.get("/integrations/<int:id>/nodes")
def page(id: int) -> ResponseReturnValue:
    """Show the nodes."""
    return _whole(_integration(id))


@blueprint.get("/integrations/<int:id>/nodes/table")
def table(id: int) -> ResponseReturnValue:
    """Return the table alone; 204 when it is what the browser shows already."""
    integration = _integration(id)
    shown = _context(integration)
    if polls.is_shown(shown["nodes_version"]):
        return "", 204
    body = render_template("_nodes.html", **shown)
    if request.headers.get("HX-Trigger") == "search":
        return with_headers(body, replace_url=_address(id, _place(after=None)))
    return body


@blueprint.post("/integrations/<int:id>/nodes")
def create(id: int) -> ResponseReturnValue:
    """Make a node, or say why not."""
    integration = _integration(id)
    typed = {name: request.form.get(name, "") for name in ("name", "type", "value")}
    try:
        opcua.create_node(integration, session.actor(), typed["name"], typed["type"], typed["value"])
    except FieldError as error:
        return _whole(integration, 422, typed=typed, errors={error.field: error.message})
    except worker_client.Refused as error:
        return _whole(integration, 422, typed=typed, errors={"form": str(error)})
    except worker_client.Silent:
        return _whole(integration, 503, typed=typed, errors={"form": "The OPC UA server does not answer. Try again."})
    flash(f"{typed['name'].strip()} is added.")
    return redirect(_address(id, _place()), 303)


@blueprint.get("/integrations/<int:id>/nodes/delete")
def confirm_delete(id: int) -> ResponseReturnValue:
    """Ask before deleting."""
    integration, name = _integration(id), request.args.get("name", "")
    below = opcua.below(integration, name)
    shown = {"it": integration, "name": name, "below": below, "most": opcua.MOST_COUNTED, "place": _place()}
    return question("_confirm_node.html", **shown)


@blueprint.post("/integrations/<int:id>/nodes/delete")
def delete(id: int) -> ResponseReturnValue:
    """Delete a node with all below it."""
    integration, name = _integration(id), request.form.get("name", "")
    try:
        opcua.delete_node(integration, session.actor(), name)
    except worker_client.Refused as error:
        flash(str(error), "error")
    else:
        flash(f"{name} is deleted.")
    return redirect(_address(id, _place()), 303)


def _integration(id: int) -> Integration:
    found = integrations.by_id(id)
    if KINDS[found.type].door != "opcua":
        abort(404)
    return found


def _whole(
    integration: Integration,
    status: int = 200,
    *,
    typed: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> ResponseReturnValue:
    row = listing.with_connections([integration], clock.now())[0]
    shown = _context(integration) | {
        "row": row,
        "kind": KINDS[integration.type],
        "typed": typed,
        "errors": errors or {},
        "allowed": opcua.allowed(typed["type"]) if typed else "",
    }
    return render_template("nodes.html", scalars=opcua.SCALARS, **shown), status


def _context(integration: Integration) -> dict[str, Any]:
    """Return what _nodes.html shows."""
    place = _place()
    found = opcua.nodes(integration, place.get("q", ""), place.get("after"))
    return {
        "it": integration,
        "found": found,
        "place": place,
        "turned_off": settings().opcua_port is None,
        "folder_id": folder_id(integration.username),
        "nodes_version": polls.version(integration.username, place, found),
    }


def _address(id: int, place: dict[str, str]) -> str:
    return url_for("nodes.page", id=id, q=place.get("q"), after=place.get("after"))


def _place(**changes: str | None) -> dict[str, str]:
    """Return what is looked at, by its query string: nodes that begin with `q`, after the one named `after`."""
    found = {"q": request.args.get("q", ""), "after": request.args.get("after", "")} | changes
    return {name: value[:LONGEST] for name, value in found.items() if value}
