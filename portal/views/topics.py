"""The page *Live data*: the tree of topics with their values, a search, one topic beside it; publishing, deleting."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import connect, session, telling, topics, worker_client
from portal.connect import Login
from portal.fields import FieldError
from portal.hub import Value
from portal.kinds import KINDS
from portal.telling import Told
from portal.topics import Row
from portal.views import listeners, places, polls
from portal.views.pieces import question, with_headers
from portal.views.places import Place

blueprint = Blueprint("topics", __name__)
blueprint.before_request(session.required)

DEEPEST = 8  # levels that are shown below each other; what is below is a page of its own
CRUMBS = 8
NO_ANSWER = "The protocol servers do not answer. Look whether it was published before you try again."


@dataclass(frozen=True, slots=True)
class Line:
    """A row with all that its template writes."""

    row: Row
    key: str
    name: str
    told: Told | None
    text: str
    toggle: str | None  # the query that opens or closes it
    address: str  # the query that shows its topic
    is_chosen: bool


@blueprint.get("/topics")
def page() -> ResponseReturnValue:
    """Show the page."""
    return _whole(typed={"topic": request.args["to"]} if "to" in request.args else None)


@blueprint.get("/topics/table")
def table() -> ResponseReturnValue:
    """Return what changes by itself alone; 204 when it is what the browser shows already."""
    shown = _context()
    if polls.is_shown(shown["topics_version"]):
        return "", 204
    body = render_template("_topics.html", **shown)
    if "v" in request.args:
        return body
    address = url_for("topics.page") + shown["place"].query()
    if request.headers.get("HX-Trigger") == "search":
        return with_headers(body, replace_url=address)
    return with_headers(body, push_url=address)


@blueprint.post("/topics")
def publish() -> ResponseReturnValue:
    """Publish what was typed, or say why not."""
    typed = {name: request.form.get(name, "") for name in ("topic", "value", "qos")}
    retain = "retain" in request.form
    fields = {**typed, "retain": "on" if retain else ""}
    try:
        topics.publish(session.actor(), typed["topic"], typed["value"], typed["qos"], retain=retain)
    except FieldError as error:
        return _whole(422, typed=fields, errors={error.field: error.message})
    except worker_client.Silent:
        return _whole(503, typed=fields, errors={"form": NO_ANSWER})
    flash(f"Published to {telling.shown(typed['topic'])[:200]}.")
    return redirect(url_for("topics.page") + places.read(request.args).query(topic=typed["topic"]), 303)


@blueprint.get("/topics/delete")
def confirm_delete() -> ResponseReturnValue:
    """Ask before deleting."""
    topic = _named()
    return question("_confirm_topic.html", name=telling.shown(topic), place=places.read(request.args, topic))


@blueprint.post("/topics/delete")
def delete() -> ResponseReturnValue:
    """Delete the value of a topic."""
    topic, place = _named(), places.read(request.args)
    name = telling.shown(topic)[:200]
    try:
        found = topics.delete(session.actor(), topic)
    except worker_client.Refused as error:
        flash(str(error), "error")
    else:
        flash(f"The value of {name} is deleted." if found else f"{name} had no value any more.")
    return redirect(url_for("topics.page") + place.query(), 303)


@blueprint.get("/topics/value")
def download() -> ResponseReturnValue:
    """Hand out a topic's value with all of its bytes."""
    found = topics.whole(_named())
    if found is None:
        abort(404)
    headers = {"Content-Disposition": 'attachment; filename="value.bin"'}
    return Response(found.payload, content_type="application/octet-stream", headers=headers)


def _named() -> str:
    found = places.topic_of(request.args)
    if found is None:
        abort(404)
    return found


def _whole(
    status: int = 200, *, typed: dict[str, str] | None = None, errors: dict[str, str] | None = None
) -> ResponseReturnValue:
    return render_template("topics.html", typed=typed, errors=errors or {}, **_context()), status


def _context() -> dict[str, Any]:
    """Return what _topics.html shows."""
    place, lines, cursor, look = places.read(request.args), None, None, None
    try:
        place = places.read(request.args, places.topic_of(request.args))
        found = topics.search(place.search, place.after or None) if place.search else _tree(place)
        lines, cursor = [_line(place, row) for row in found.rows], found.cursor
        look = topics.look(place.topic) if place.topic is not None else None
    except worker_client.Silent:
        lines = None
    shown = {"place": place, "lines": lines, "cursor": cursor, "look": look}
    version = polls.version(shown)
    ways = _ways() if lines == [] and not (place.search or place.at or place.after) else None
    return {
        **shown,
        "topics_version": version,
        "ways": ways,
        "crumbs": _crumbs(place.at),
        "clip": lambda cursor: places.beginning(cursor, places.AFTER),
        "named": places.named,
        "tell_line": _in_a_line,
        "telling": telling,
    }


def _tree(place: Place) -> topics.Rows:
    return topics.tree(place.at, place.opened, place.after or None)


def _line(place: Place, row: Row) -> Line:
    told = topics.tell(row.value) if row.value is not None else None
    text = telling.line(row.value.payload, told) if row.value is not None and told is not None else ""
    key = blake2b(row.topic.encode("utf-8", "replace"), digest_size=6).hexdigest()
    toggle = None
    if row.rest is not None:
        toggle = place.query(at=row.topic, after=places.beginning(row.rest, places.AFTER), opened=())
    elif row.has_children and row.depth >= DEEPEST:
        toggle = place.query(at=f"{row.topic}/", after="", opened=())
    elif row.has_children:
        toggle = place.toggled(row)
    return Line(
        row, key, telling.name(row.name), told, text, toggle, place.query(topic=row.topic), row.topic == place.topic
    )


def _in_a_line(value: Value) -> str:
    return telling.line(value.payload, topics.tell(value))


def _crumbs(at: str) -> list[tuple[str, str]]:
    """Return the levels that lead to a place, each with the prefix of its own; of many the last ones."""
    levels = at.split("/")[:-1]
    found = [(telling.name(level), "/".join(levels[: end + 1]) + "/") for end, level in enumerate(levels)]
    return found[-CRUMBS:]


def _ways() -> list[tuple[str, str, str]]:
    """Return how to get a first value in: by which protocol, what to do, and the line to copy."""
    login, trust = Login("USERNAME", "PASSWORD"), listeners.trust()
    found: dict[str, tuple[str, str, str]] = {}
    for listener in listeners.ways():
        if listener.protocol == "opcua":
            found["opcua"] = ("OPC UA", "Write to any variable in the integration’s own folder, at", listener.url)
        elif listener.transport in ("tcp", "http"):
            label = KINDS[listener.protocol].label
            found[listener.protocol] = (label, "Run", connect.lines(listener, trust, login)[1].text)
    return [found[protocol] for protocol in KINDS if protocol in found]
