"""The domain of VRPC: asked for when a VRPC integration is added, and shown and changed in the panel."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal import domains, integrations, session
from portal.fields import FieldError
from portal.views.current import by_htmx, sealer, settings
from portal.views.integrations import begin
from portal.views.pieces import answer, changed, question, with_headers

blueprint = Blueprint("domains", __name__)
blueprint.before_request(session.required)
blueprint.before_request(begin)

FORM = "_add_vrpc.html"


@blueprint.get("/integrations/add/vrpc")
def ask() -> ResponseReturnValue:
    """Ask for the domain and the role of a VRPC integration that is to be added."""
    typed = {"domain": domains.default(settings()), "role": "both"}
    return question(FORM, typed=typed, error=None)


@blueprint.post("/integrations/add/vrpc")
def add() -> ResponseReturnValue:
    """Add a VRPC integration with generated credentials, and open it."""
    typed = _typed()
    try:
        made = integrations.create(session.actor(), sealer(), "vrpc", **typed)
    except FieldError as error:
        return question(FORM, typed=typed, error=error), 422
    place = url_for("integrations.detail", id=made.id)
    if by_htmx():
        return with_headers("", redirect=place)
    return redirect(place, 303)


@blueprint.get("/integrations/<int:id>/domain")
def edit(id: int) -> ResponseReturnValue:
    """Show the domain and the role of an integration ready to be edited."""
    integration = integrations.by_id(id)
    return answer(integration, placing={"domain": integration.domain, "role": integration.role, "error": None})


@blueprint.post("/integrations/<int:id>/domain")
def save(id: int) -> ResponseReturnValue:
    """Save the domain and the role of an integration, or say what is wrong with them."""
    typed = _typed()
    try:
        integration = integrations.set_domain(id, session.actor(), **typed)
    except FieldError as error:
        return answer(integrations.by_id(id), 422, placing={**typed, "error": error})
    return changed(integration)


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in ("domain", "role")}
