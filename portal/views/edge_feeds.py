"""Polls and watches of an Edge Connector: the form for one, and removing it; the agent has the last word on each."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import arguments, session, telling
from portal.arguments import Unfit
from portal.edge import asking, feed_form, subject
from portal.edge.asking import UNKNOWN, Told
from portal.edge.feed_form import Source
from portal.edge.subject import Subject
from portal.views.current import by_htmx
from portal.views.edge_deeds import online, to_page
from portal.views.edge_one import LONGEST_ID
from portal.views.pieces import question, with_headers
from portal.worker_client import Refused, Silent

blueprint = Blueprint("edge_feeds", __name__)
blueprint.before_request(session.required)

NEW = {"send": "always", "interval": "5"}
NO_ANSWER = "The protocol servers do not answer. Look whether it was changed before you try again."


@blueprint.get("/edge/<int:id>/feed")
def form(id: int) -> ResponseReturnValue:
    """Show the form: empty, or with what the agent has under a name, for which it is asked first."""
    found = subject.find(id)
    name, call = request.args.get("name", ""), request.args.get("call", "")[:LONGEST_ID]
    if not name:
        return _form(found, NEW)
    told = asking.read(call)
    if told.state == "unknown":
        call = asking.begin(online(found), "feed", name)
        return redirect(url_for("edge_feeds.form", id=id, name=name, call=call), 303)
    if by_htmx():
        return ("", 204) if told.is_open else with_headers("", redirect=request.full_path)
    if told.is_open:
        return render_template("edge_feed.html", it=found.integration, edge=found, waits_for=name, telling=telling)
    if told.is_told and isinstance(told.value, dict):
        offered = feed_form.sources(online(found))
        typed = feed_form.typed(name, told.value, offered) | {"original": name}
        return _form(found, typed, offered=offered)
    errors = {"form": told.error or "The Edge Connector has no poll or watch of this name any more."}
    return _form(found, {"name": name, "send": "always"}, errors=errors)


@blueprint.post("/edge/<int:id>/feed/choose")
def choose(id: int) -> ResponseReturnValue:
    """Show the form again, with the arguments of what was chosen."""
    return _form(subject.find(id), NEW | _typed())


@blueprint.post("/edge/<int:id>/feed")
def save(id: int) -> ResponseReturnValue:
    """Have the agent take what was typed, or say why not; without scripts also look what came of it."""
    found, typed = subject.find(id), _typed()
    if look := request.form.get("look", "")[:LONGEST_ID]:
        return _ended(found, typed, look)
    offered: list[Source] | None = None
    try:
        agent = online(found)
        offered = feed_form.sources(agent)
        name, definition = feed_form.read(typed, offered)
        call = asking.begin(agent, "set_feed", name, definition)
    except Unfit as unfit:
        return _form(found, typed, 422, errors=unfit.errors, offered=offered)
    except (Refused, Silent) as error:
        text, status = (str(error), 422) if isinstance(error, Refused) else (NO_ANSWER, 503)
        return _form(found, typed, status, errors={"form": text}, offered=offered)
    asking.record("edge.feed-set", found.integration, session.actor(), telling.name(name))
    return _form(found, typed, call=call, told=Told("open"), offered=offered)


@blueprint.get("/edge/<int:id>/feed/outcome")
def outcome(id: int) -> ResponseReturnValue:
    """Go to the page when the agent has taken a feed, or say why it has not; 204 while it is not known."""
    call = request.args.get("call", "")[:LONGEST_ID]
    try:
        told = asking.read(call)
    except Silent:
        return "", 204
    if told.is_open:
        return "", 204
    if told.is_told:
        flash(f"{telling.name(request.args.get('name', ''))} is set.")
        return with_headers("", redirect=url_for("edge.page", id=id))
    shown = {"it": subject.find(id).integration, "call": call, "told": told, "telling": telling}
    return render_template("_edge_feed_outcome.html", **shown)


@blueprint.get("/edge/<int:id>/feed/remove")
def confirm_remove(id: int) -> ResponseReturnValue:
    """Ask before a poll or a watch is removed."""
    name = request.args.get("name") or abort(404)
    return question("_confirm_edge_feed.html", it=subject.find(id).integration, name=name, telling=telling)


@blueprint.post("/edge/<int:id>/feed/remove")
def remove(id: int) -> ResponseReturnValue:
    """Have the agent end a poll or a watch."""
    found, name = subject.find(id), request.args.get("name") or abort(404)
    call = asking.begin(online(found), "remove_feed", name)
    asking.record("edge.feed-removed", found.integration, session.actor(), telling.name(name))
    return to_page(id, call, "feed-removed")


def _typed() -> dict[str, str]:
    return {name: value for name, value in request.form.items() if name not in ("csrf_token", "look")}


def _ended(found: Subject, typed: dict[str, str], call: str) -> ResponseReturnValue:
    told = asking.read(call)
    if told.is_told:
        flash(f"{telling.name(typed.get('name', ''))} is set.")
        return redirect(url_for("edge.page", id=found.integration.id), 303)
    return _form(found, typed, call=call, told=told)


def _sources(found: Subject) -> list[Source]:
    """Return what can be read, as far as that is known now."""
    try:
        return feed_form.sources(found.agent) if found.agent else []
    except Silent:
        return []


def _form(
    found: Subject,
    typed: dict[str, str],
    status: int = 200,
    *,
    errors: dict[str, str] | None = None,
    call: str = "",
    told: Told = UNKNOWN,
    offered: list[Source] | None = None,
) -> ResponseReturnValue:
    """Return the form, or without HTMX the page; where it is not known yet what can be read, the agent is asked."""
    shown: dict[str, Any] = {"it": found.integration, "edge": found, "typed": typed, "errors": errors or {}}
    offered = _sources(found) if offered is None else offered
    source = feed_form.named(typed.get("source", ""), offered)
    fields = source.fields if source else arguments.unnamed(typed)
    shown |= {"sources": offered, "source": source, "fields": fields, "call": call, "told": told, "telling": telling}
    is_part = by_htmx() and request.headers.get("HX-Target") == "feed-form"
    return render_template("_edge_feed.html" if is_part else "edge_feed.html", **shown), status
