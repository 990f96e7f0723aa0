"""Watching an event of an instance live, for as long as its page is open."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal import session, telling, vrpc
from portal.views import agent, callees, places, polls
from portal.worker_client import Refused, Silent

blueprint = Blueprint("watches", __name__)
blueprint.before_request(session.required)

NO_ANSWER = "The protocol servers do not answer. Try again."


@blueprint.post("/agents/watch")
def begin() -> ResponseReturnValue:
    """Begin to watch an event, or say why not."""
    look = callees.read(request.args)
    place = replace(look.place, act="watch")
    if place.instance is None:
        abort(404)
    event = request.form.get("event", "")
    try:
        if fault := _fault(event):
            raise Refused(fault)
        watch = vrpc.watch(place.callee(), event)
    except (Refused, Silent) as error:
        status, fault = (422, str(error)) if isinstance(error, Refused) else (503, NO_ANSWER)
        return agent.whole(replace(look, place=place), status, typed={"event": event}, errors={"event": fault})
    return redirect(url_for("agent.page") + place.only(act="watch", event=event, watch=watch), 303)


@blueprint.get("/agents/events")
def events() -> ResponseReturnValue:
    """Return the last events; 204 when they are what the browser shows already, and while nobody answers."""
    try:
        place = callees.read(request.args).place
        found = vrpc.events(place.watch)
    except Silent:
        return "", 204
    return polls.answer("_events.html", {"place": place, "events": found, "telling": telling}, version(found))


@blueprint.post("/agents/unwatch")
def end() -> ResponseReturnValue:
    """Stop watching."""
    place = callees.read(request.args).place
    vrpc.unwatch(place.watch)
    return redirect(url_for("agent.page") + place.only(act="watch", event=place.event), 303)


@blueprint.app_template_global("events_version")
def version(found: vrpc.Events | None) -> str:
    """Return a word for what is shown of a watch."""
    return polls.version(found and (found.state, found.dropped, [event.number for event in found.events[-1:]]))


def _fault(event: str) -> str:
    """Say in words what keeps a text from being the name of an event."""
    if not event:
        return "The name of an event is required, such as changed."
    if places.width(event) > callees.SHORT:
        return f"The name of an event has at most {callees.SHORT // 3} characters here."
    return "" if event.isprintable() else "The name of an event cannot hold control or invisible characters."
