"""The integrations page: its table, the panel beside it, and every change made from them."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import clock, integrations, listing, presence, session, stored
from portal.credentials import SealError
from portal.fields import FieldError
from portal.integrations import Actor
from portal.listing import Query
from portal.models import Integration, Revision
from portal.onboarding import requests
from portal.onboarding.window import NotOpen
from portal.views import banners, box
from portal.views.current import sealer, settings
from portal.views.panel import look
from portal.views.pieces import Edit, answer, changed, list_context, question, ways_of, with_headers
from portal.worker_client import Refused

blueprint = Blueprint("integrations", __name__)
blueprint.before_request(session.required)

NOT_OFFERED = "This password is not offered any more."


@blueprint.before_request
def begin() -> None:
    """Note the state of the database before anything is read.

    An answer that is built from later rows than its version says is asked for once more; from earlier ones, never.
    """
    g.banners = banners.now()
    g.offers = box.offers(clock.now())
    nodes = ",".join(node.id for node in presence.nodes_up(clock.now()))
    counters = Revision.values_now()
    g.version = f"{counters['integrations']}.{counters['presence']}.{nodes}.{g.banners.version}"
    if g.offers:
        g.version += f".{','.join(f'{offer.id}{offer.is_clear:d}{offer.tries}' for offer in g.offers.values())}"
    g.switches = counters["switches"]


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Go to the list."""
    return redirect(url_for("integrations.page"))


@blueprint.get("/integrations")
def page() -> ResponseReturnValue:
    """Show the list."""
    return render_template("integrations.html", **list_context(), **box.context(), panel=None)


@blueprint.get("/integrations/rows")
def rows() -> ResponseReturnValue:
    """Return the list alone; 204 when it is what the browser shows already."""
    if request.args.get("v") == g.version:
        return "", 204
    body = render_template("_live.html", **list_context())
    if request.headers.get("HX-Trigger") == "search":
        address = url_for("integrations.page") + Query.parse(request.args).query_string()
        return with_headers(body, replace_url=address)
    return body


@blueprint.post("/integrations")
def create() -> ResponseReturnValue:
    """Add an integration with generated credentials, and open it."""
    try:
        made = integrations.create(session.actor(), sealer(), request.form.get("type", ""))
    except FieldError as error:
        flash(error.message, "error")
        return redirect(url_for("integrations.page"), 303)
    return redirect(url_for("integrations.detail", id=made.id), 303)


@blueprint.get("/integrations/<int:id>")
def detail(id: int) -> ResponseReturnValue:
    """Show the list with one integration opened beside it."""
    return answer(integrations.by_id(id))


@blueprint.get("/integrations/<int:id>/row")
def row(id: int) -> ResponseReturnValue:
    """Return one row of the list, or the panel, as it is now."""
    return answer(integrations.by_id(id))


@blueprint.get("/integrations/<int:id>/panel")
def panel(id: int) -> ResponseReturnValue:
    """Return the panel; 204 when it is what the browser shows already."""
    integration = integrations.by_id(id)
    seen = look(integration)
    if request.args.get("v") == seen.version:
        return "", 204
    return answer(integration, seen=seen)


@blueprint.get("/integrations/<int:id>/edit/<any(username, password, note):field>")
def edit(id: int, field: str) -> ResponseReturnValue:
    """Show a field of an integration ready to be edited."""
    integration = integrations.by_id(id)
    value = "" if field == "password" else str(getattr(integration, field))
    return answer(integration, editing=Edit(field, value))


@blueprint.post("/integrations/<int:id>/edit/<any(username, password, note):field>")
def save(id: int, field: str) -> ResponseReturnValue:
    """Save a field of an integration, or say why not."""
    value = request.form.get("value", "")
    try:
        integration = _SETTERS[field](id, value, session.actor())
    except FieldError as error:
        return answer(integrations.by_id(id), 422, editing=Edit(field, value, error.message))
    return changed(integration)


@blueprint.get("/integrations/<int:id>/permissions")
def edit_permissions(id: int) -> ResponseReturnValue:
    """Show the topic filters of an integration ready to be edited."""
    integration = integrations.by_id(id)
    return answer(integration, permitting=_permissions(integration))


@blueprint.post("/integrations/<int:id>/permissions")
def save_permissions(id: int) -> ResponseReturnValue:
    """Save the topic filters of an integration, or say what is wrong with which line."""
    typed = {name: request.form.get(name, "") for name in ("publish", "subscribe")}
    try:
        integration = integrations.set_permissions(
            id, session.actor(), publish=typed["publish"].splitlines(), subscribe=typed["subscribe"].splitlines()
        )
    except FieldError as error:
        return answer(integrations.by_id(id), 422, permitting=typed | {error.field + "_error": error.message})
    return changed(integration)


@blueprint.post("/integrations/<int:id>/disconnect/<connection_id>")
def disconnect(id: int, connection_id: str) -> ResponseReturnValue:
    """Have one connection closed by the node that it is on."""
    integrations.disconnect(id, session.actor(), connection_id)
    return changed(integrations.by_id(id))


@blueprint.get("/integrations/<int:id>/sessions/<key>/forget")
def confirm_forget(id: int, key: str) -> ResponseReturnValue:
    """Ask before a stored session is lost."""
    integration = integrations.by_id(id)
    kept = stored.of(integration)
    found = next((one for one in kept.shown if one.key == key), None) if kept else None
    return question("_confirm_forget.html", it=integration, key=key, kept=found)


@blueprint.post("/integrations/<int:id>/sessions/<key>/forget")
def forget_session(id: int, key: str) -> ResponseReturnValue:
    """Forget a stored session."""
    stored.forget(integrations.by_id(id), session.actor(), key)
    flash("The stored session is forgotten.")
    return redirect(url_for("integrations.detail", id=id), 303)


@blueprint.post("/integrations/<int:id>/activate")
def activate(id: int) -> ResponseReturnValue:
    """Let the client in again."""
    return changed(integrations.set_active(id, True, session.actor()))


@blueprint.post("/integrations/<int:id>/deactivate")
def deactivate(id: int) -> ResponseReturnValue:
    """Cut the client off, and keep it out."""
    return changed(integrations.set_active(id, False, session.actor()))


@blueprint.post("/integrations/<int:id>/reveal")
def reveal(id: int) -> ResponseReturnValue:
    """Show the password, or hand it to the copy button."""
    try:
        password = integrations.reveal(id, session.actor(), sealer())
    except SealError as error:
        flash(f"This password cannot be shown: {error}.", "error")
        return changed(integrations.by_id(id))
    integration = integrations.by_id(id)
    if request.accept_mimetypes.best == "application/json":
        copied = {line.name: line.text for way in ways_of(integration, password) for line in way.lines}
        return jsonify(password=password, **copied)
    return answer(integration, shown=password)


@blueprint.get("/integrations/<int:id>/accept/<offer>")
def confirm_accept(id: int, offer: str) -> ResponseReturnValue:
    """Ask before an integration is given the password that somebody tried."""
    integration = integrations.by_id(id)
    offered = g.offers.get(id)
    if offered is None or offered.id != offer:
        raise Refused(NOT_OFFERED)
    return question("_confirm_accept.html", it=integration, offer=offered)


@blueprint.post("/integrations/<int:id>/accept/<offer>")
def accept(id: int, offer: str) -> ResponseReturnValue:
    """Give an integration the password that its client comes with."""
    try:
        found = requests.accept(integrations.by_id(id).id, offer, session.actor(), sealer(), settings())
    except NotOpen as error:
        raise Refused(str(error)) from None
    if found is None:
        raise Refused(NOT_OFFERED)
    g.offers.pop(id, None)
    return changed(found)


@blueprint.get("/integrations/<int:id>/delete")
def confirm_delete(id: int) -> ResponseReturnValue:
    """Ask before deleting."""
    found = listing.with_connections([integrations.by_id(id)], clock.now())[0]
    return question("_confirm_delete.html", row=found)


@blueprint.post("/integrations/<int:id>/delete")
def delete(id: int) -> ResponseReturnValue:
    """Delete an integration."""
    gone = integrations.delete(id, session.actor())
    flash(f"{gone.username} is deleted.")
    return redirect(url_for("integrations.page"), 303)


def _set_password(id: int, value: str, actor: Actor) -> Integration:
    return integrations.set_password(id, value, actor, sealer())


def _permissions(integration: Integration) -> dict[str, str]:
    """Return the topic filters as they are typed: one a line."""
    return {name: "\n".join(getattr(integration, f"{name}_filters")) for name in ("publish", "subscribe")}


_SETTERS: dict[str, Callable[[int, str, Actor], Integration]] = {
    "username": integrations.rename,
    "password": _set_password,
    "note": integrations.set_note,
}
