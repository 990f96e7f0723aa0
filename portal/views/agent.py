"""The page of one VRPC agent: its classes, one of them open, and a panel beside it for what is called or watched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import arguments, session, telling, vrpc
from portal.arguments import Field
from portal.views import callees, polls
from portal.views.callees import Look, Place
from portal.views.pieces import with_headers
from portal.vrpc import Events, Outcome
from portal.vrpc_told import Class, Function
from portal.worker_client import Silent

blueprint = Blueprint("agent", __name__)
blueprint.before_request(session.required)

MOST_FUNCTIONS = 300  # of a kind that are listed; a search finds the others
MOST_INSTANCES = 100
SUMMARY = 160  # characters
DOCUMENTED = 4_000
RESULT = 20_000  # characters of a result that are shown
SHOWN_EVENTS = 50
EVENT = 400


@dataclass(frozen=True, slots=True)
class Line:
    """A function as it is listed."""

    function: Function
    name: str
    signature: str
    summary: str
    address: str  # the query that opens it
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What is listed of an open class."""

    statics: list[Line]
    members: list[Line]
    instances: list[tuple[str, str, bool]]  # the name as it is shown, the query that chooses it, whether it is chosen
    left_out: int


@dataclass(frozen=True, slots=True)
class Subject:
    """What the panel is about: a function, or a constructor; without one, what cannot be told any more."""

    function: Function | None
    fields: list[Field]
    shape: str


@blueprint.get("/agents/one")
def page() -> ResponseReturnValue:
    """Show the page."""
    look = callees.read(request.args)
    return whole(look, outcome=outcome_of(look.place.call), events=events_of(look.place.watch))


@blueprint.get("/agents/one/parts")
def parts() -> ResponseReturnValue:
    """Return what changes by itself alone; 204 when it is what the browser shows already."""
    look = callees.read(request.args)
    shown = context(look)
    if polls.is_shown(shown["agent_version"]):
        return "", 204
    if "v" in request.args:
        return render_template("_agent.html", **shown)
    body = render_template("_agent.html", **shown)
    address = url_for("agent.page") + look.place.query()
    if request.headers.get("HX-Trigger") == "search":
        return with_headers(body, replace_url=address)
    return with_headers(body, push_url=address)


def whole(look: Look, status: int = 200, **more: Any) -> ResponseReturnValue:
    """Return the whole page."""
    return render_template("agent.html", **context(look, **more)), status


def context(
    look: Look,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    outcome: Outcome | None = None,
    events: Events | None = None,
) -> dict[str, Any]:
    """Return what _agent.html shows; where something was typed it stays in its fields."""
    place = look.place
    subject = subject_of(look)
    if typed is not None and place.act != "watch" and (subject is None or subject.function is None):
        subject = Subject(None, arguments.unnamed(typed), "")
    return {
        "place": place,
        "opened": look.opened,
        "is_silent": look.is_silent,
        "inside": look.inside,
        "part": _part(place, look.inside) if look.inside else None,
        "subject": subject,
        "event_names": _event_names(look.inside) if look.inside and place.act == "watch" else (),
        "typed": typed or {},
        "errors": errors or {},
        "outcome": outcome,
        "events": events,
        "telling": telling,
        "agent_version": polls.version(place, look.opened, look.is_silent),
        "RESULT": RESULT,
        "DOCUMENTED": DOCUMENTED,
        "EVENT": EVENT,
        "SHOWN_EVENTS": SHOWN_EVENTS,
        "MORE": arguments.MORE,
    }


def subject_of(look: Look) -> Subject | None:
    """Return what the panel is about, if it is a function or a constructor."""
    place, inside = look.place, look.inside
    if place.act == "create":
        found = list(inside.constructors) if inside else []
        if inside and not found:
            found = [Function("", True, "", (), None)]  # nothing is documented
    elif place.function is not None:
        found = [one for one in inside.functions if one.name == place.function] if inside else []
    else:
        return None
    function = found[place.overload] if place.overload < len(found) else None
    if function is None:
        return Subject(None, [], "")
    return Subject(function, arguments.fields(function.params), arguments.shape(function))


def outcome_of(call: str) -> Outcome | None:
    """Return what has become of a call, if anybody answers."""
    try:
        return vrpc.outcome(call) if call else None
    except Silent:
        return None


def events_of(watch: str) -> Events | None:
    """Return the events of a watch, if anybody answers."""
    try:
        return vrpc.events(watch) if watch else None
    except Silent:
        return None


def signature(function: Function) -> str:
    """Return the parameters of a function in one line."""
    names = [
        f"{telling.name(field.param.name, 40)}{'?' if field.param.is_optional and not field.is_rest else ''}"
        for field in arguments.fields(function.params)
    ]
    return ", ".join(names)


def _event_names(inside: Class) -> list[str]:
    """Return what is known of events: of a class without `on` the functions that take one, if they can be typed."""
    if any(one.name == "on" for one in inside.functions):
        return []
    members = (one for one in inside.functions if not one.is_static)
    takers = (one.name for one in members if any(field.is_function for field in arguments.fields(one.params)))
    return [name for name in dict.fromkeys(takers) if name.isprintable() and len(name) <= telling.NAME]


def _part(place: Place, inside: Class) -> Part:
    search = place.search.casefold()
    seen: Counter[str] = Counter()
    lines: dict[bool, list[tuple[Function, int]]] = {True: [], False: []}
    for function in inside.functions:
        if search in function.name.casefold() or search in function.description.casefold():
            lines[function.is_static].append((function, seen[function.name]))
        seen[function.name] += 1
    instances = [name for name in inside.instances if search in name.casefold()]
    shown = instances[:MOST_INSTANCES]
    if place.instance in inside.instances and place.instance not in shown:
        shown.append(place.instance)
    is_member = any(one.name == place.function and not one.is_static for one in inside.functions)
    kept: dict[str, object] = {"function": place.function, "overload": place.overload} if is_member else {}
    left_out = sum(max(0, len(found) - MOST_FUNCTIONS) for found in lines.values()) + len(instances) - len(shown)
    return Part(
        [_line(place, *one) for one in lines[True][:MOST_FUNCTIONS]],
        [_line(place, *one) for one in lines[False][:MOST_FUNCTIONS]],
        [(telling.name(name), place.only(instance=name, **kept), name == place.instance) for name in shown],
        max(0, left_out),
    )


def _line(place: Place, function: Function, overload: int) -> Line:
    address = place.only(function=function.name, overload=overload)
    is_chosen = (place.function, place.overload) == (function.name, overload)
    summary = telling.shown(function.description.strip().partition("\n")[0][:SUMMARY])
    return Line(function, telling.name(function.name), signature(function)[:SUMMARY], summary, address, is_chosen)
