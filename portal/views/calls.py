"""Calling what an agent has: functions, constructors, and the deletion of instances; and what has become of a call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import arguments, session, telling, vrpc
from portal.arguments import Field, Unfit
from portal.views import agent, callees, polls
from portal.views.callees import Look
from portal.views.current import by_htmx
from portal.views.pieces import question
from portal.worker_client import Refused, Silent

blueprint = Blueprint("calls", __name__)
blueprint.before_request(session.required)

LONGEST_NAME = 200  # characters of a new instance
NO_ANSWER = "The protocol servers do not answer. Look whether the agent was called before you try again."
CHANGED = "The parameters are others than they were when this form was made. Look at them, and call again."
NO_INSTANCE = "Choose an instance of the class first: this function is called with one."
GONE = "The agent does not have this any more."


@blueprint.post("/agents/call")
def call() -> ResponseReturnValue:
    """Call what the panel is about with what was typed, or say why not; without scripts also look at it again."""
    look = callees.read(request.args)
    typed = {name: value for name, value in request.form.items() if name != "csrf_token"}
    if typed.get("look"):
        return _answer(look, 200, typed, call=typed["look"])
    try:
        return _answer(look, 200, typed, call=_begun(look, typed))
    except Unfit as unfit:
        return _answer(look, 422, typed, errors=unfit.errors)
    except Refused as refused:
        return _answer(look, 422, typed, errors={_field(look, refused.field): str(refused)})
    except Silent:
        if by_htmx():
            raise
        return _answer(look, 503, typed, errors={"form": NO_ANSWER})


@blueprint.get("/agents/outcome")
def outcome() -> ResponseReturnValue:
    """Return what has become of a call; 204 while it waits as it did, and while nobody answers."""
    try:
        place = callees.read(request.args).place
        found = vrpc.outcome(place.call)
    except Silent:
        return "", 204
    if found is not None and polls.is_shown(found.state):
        return "", 204
    shown = {"place": place, "outcome": found, "telling": telling, "RESULT": agent.RESULT}
    return render_template("_outcome.html", **shown)


@blueprint.get("/agents/delete")
def confirm_delete() -> ResponseReturnValue:
    """Ask before deleting an instance."""
    place = callees.read(request.args).place
    if place.instance is None:
        abort(404)
    return question("_confirm_instance.html", name=telling.name(place.instance), place=place, telling=telling)


@blueprint.post("/agents/delete")
def delete() -> ResponseReturnValue:
    """Have an instance deleted, and show what comes of it."""
    place = callees.read(request.args).place
    if place.instance is None:
        abort(404)
    begun = vrpc.delete(session.actor(), place.callee())
    return redirect(url_for("agent.page") + place.only(act="delete", call=begun), 303)


def _begun(look: Look, typed: dict[str, str]) -> str:
    """Begin the call, and return its id.  Raises `Unfit`, `Refused` and `Silent`."""
    if look.is_silent:
        raise Silent
    subject = agent.subject_of(look)
    if subject is None or subject.function is None:
        raise Unfit({"form": GONE})
    if typed.get("shape") != subject.shape:
        raise Unfit({"form": CHANGED})
    place, is_static = look.place, subject.function.is_static
    values, timeout = _arguments(look, subject.fields, typed)
    if place.act == "create":
        return vrpc.create(session.actor(), replace(place, instance=typed["instance"]).callee(), values, timeout)
    if not is_static and place.instance is None:
        raise Unfit({"form": NO_INSTANCE})
    callee = replace(place, instance=None).callee() if is_static else place.callee()
    return vrpc.call(session.actor(), callee, values, timeout)


def _arguments(look: Look, fields: list[Field], typed: dict[str, str]) -> tuple[str, float | None]:
    """Return the arguments and the time-out that were typed.  Raises `Unfit` with all that is wrong in the form."""
    errors: dict[str, str] = {}
    values, timeout = "", None
    if look.place.act == "create" and (fault := _fault(typed.get("instance", ""))):
        errors["instance"] = fault
    try:
        values = arguments.read(fields, typed)
    except Unfit as unfit:
        errors |= unfit.errors
    try:
        timeout = _timeout(typed.get("timeout", ""))
    except ValueError as error:
        errors["timeout"] = str(error)
    if errors:
        raise Unfit(errors)
    return values, timeout


def _answer(
    look: Look, status: int, typed: dict[str, str], *, call: str = "", errors: dict[str, str] | None = None
) -> ResponseReturnValue:
    """Return the panel, or without HTMX the page, with what was typed still in its fields."""
    place = replace(look.place, call=call)
    if place.act == "create" and call:
        place = replace(place, instance=typed.get("instance"))
    look = replace(look, place=place)
    more: dict[str, Any] = {"typed": typed, "errors": errors, "outcome": agent.outcome_of(call)}
    if by_htmx():
        return render_template("_call.html", **agent.context(look, **more)), status
    return agent.whole(look, status, **more)


def _field(look: Look, refused: str) -> str:
    """Return the field that a refusal is about: of the arguments, which are counted from 0, or the form."""
    kind, _, number = refused.partition("/")
    subject = agent.subject_of(look)
    plain = [field.id for field in subject.fields if not field.is_rest] if subject else []
    if kind == "arguments" and number.isdigit():
        return plain[int(number)] if int(number) < len(plain) else arguments.MORE
    shown = {"instance", "timeout"} if look.place.act == "create" else {"timeout"}
    return kind if kind in shown else "form"


def _timeout(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise ValueError("This has to be a number of seconds, such as 5.") from None


def _fault(name: str) -> str:
    """Say in words what keeps a text from being the name of a new instance."""
    if not name.strip():
        return "A name is required, such as press1."
    if len(name) > LONGEST_NAME:
        return f"A name has at most {LONGEST_NAME} characters."
    if not name.isprintable():
        return "A name cannot hold control or invisible characters."
    if any(char in name for char in "/+#"):
        return "A name cannot hold / + or #: it is a level of a topic."
    return ""
