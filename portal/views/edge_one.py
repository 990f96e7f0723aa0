"""The page of one Edge Connector: how it is, its polls and watches, and its log; each asks for itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import figures, session, telling
from portal.edge import asking, subject, told
from portal.edge.asking import UNKNOWN, Told
from portal.edge.subject import Subject
from portal.edge.told import Feeds, Status
from portal.views import places, polls
from portal.views.callees import Place
from portal.worker_client import Refused, Silent
from release import VERSION

blueprint = Blueprint("edge", __name__)
blueprint.before_request(session.required)

LOG_LINES = 60
FEEDS = 50  # on a page
SEARCHED = 200  # characters
LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Deed:
    """What the page says of something that an agent was told to do."""

    asked: str
    done: str
    failed: str


@dataclass(frozen=True, slots=True)
class Poll:
    """What a part of the page asks for, to look for itself."""

    address: str
    version: str
    is_waited_for: bool  # the agent has not answered


DEEDS = {
    "restart": Deed("It is told to restart.", "It restarts.", "It does not restart."),
    "update": Deed(
        "The update is sent to it.",
        "It has the update; what becomes of it is said above.",
        "It does not take the update.",
    ),
    "feed-removed": Deed("It is told to end that.", "It has ended that.", "It goes on with that."),
}


@blueprint.get("/edge/<int:id>")
def page(id: int) -> ResponseReturnValue:
    """Show the page; what the agent has to be asked for comes at its next look."""
    found = subject.find(id)
    shown = _how_it_is(found) | _feeds(found) | _log(found)
    calls = {name: shown[name] for name in ("status_call", "feeds_call", "log_call") if shown[name]}
    deed = {name: request.args[name] for name in ("deed", "what") if name in request.args}
    again = f"{url_for('edge.page', id=id)}?{urlencode(_asked() | deed | calls)}"
    is_first = bool(calls) and not any(name in request.args for name in calls)
    return render_template("edge.html", **shown, **_deed(), again=again, is_first=is_first)


@blueprint.get("/edge/<int:id>/look")
def look(id: int) -> ResponseReturnValue:
    """Return how it is; 204 while there is nothing new."""
    shown = _how_it_is(subject.find(id))
    return _part("_edge.html", shown, shown["edge_poll"])


@blueprint.get("/edge/<int:id>/feeds")
def feeds(id: int) -> ResponseReturnValue:
    """Return its polls and watches; 204 while there is nothing new."""
    shown = _feeds(subject.find(id))
    return _part("_edge_feeds.html", shown, shown["feeds_poll"])


@blueprint.get("/edge/<int:id>/log")
def log(id: int) -> ResponseReturnValue:
    """Return the end of its log; 204 while there is nothing new."""
    shown = _log(subject.find(id))
    return _part("_edge_log.html", shown, shown["log_poll"])


def _part(template: str, shown: dict[str, Any], poll: Poll) -> ResponseReturnValue:
    if poll.is_waited_for:
        return "", 204
    return polls.answer(template, shown, poll.version, then=poll.address)


def _deed() -> dict[str, Any]:
    """Return what _edge_deed.html shows: what came of something that the agent was told to do."""
    what, call = request.args.get("what", ""), request.args.get("deed", "")[:LONGEST_ID]
    if what not in DEEDS:
        return {"deed": ""}
    try:
        return {"deed": call, "what": what, "outcome": asking.read(call), "DEEDS": DEEDS}
    except Silent:
        return {"deed": call, "what": what, "outcome": None, "DEEDS": DEEDS}


def _how_it_is(found: Subject) -> dict[str, Any]:
    """Return what _edge.html shows."""
    answer, call = _answer(found, "status_call", "status")
    status = told.status(answer.value) if answer.is_told else None
    agent, it = found.agent, found.integration
    address = url_for("edge.look", id=it.id, status_call=call or None)
    says = status and (replace(status, uptime=0.0), figures.duration(status.uptime))
    refused = found.refused and (found.refused.last_at, found.refused.count)
    fleet = found.row and found.row.fleet
    version = polls.version(found, it.revision, it.last_login, fleet, refused, says, answer.error)
    return {
        "it": it,
        "edge": found,
        "agent": agent,
        "agent_query": Place(agent.domain, agent.agent).query() if agent else "",
        "status": status,
        "status_error": answer.error,
        "status_call": call,
        "edge_poll": Poll(address, version, answer.is_open),
        "telling": telling,
        "release": VERSION,
        "can_update": status is not None and _can_be_updated(status),
    }


def _can_be_updated(status: Status) -> bool:
    return status.version != VERSION and status.update.is_possible and not status.update.is_under_way


def _feeds(found: Subject) -> dict[str, Any]:
    """Return what _edge_feeds.html shows."""
    asked = _asked()
    first = int(asked.get("first", 0))
    answer, call = _answer(found, "feeds_call", "some_feeds", asked.get("q", ""), first, FEEDS)
    listed = told.feeds(answer.value, FEEDS) if answer.is_told else Feeds()
    address = url_for("edge.feeds", id=found.integration.id, feeds_call=call or None, **asked)
    version = polls.version(listed, answer.is_told, answer.error, found.is_online)
    return {
        "it": found.integration,
        "edge": found,
        "feeds": listed,
        "feeds_are_known": answer.is_told,
        "feeds_error": answer.error,
        "feeds_call": call,
        "feeds_poll": Poll(address, version, answer.is_open),
        "asked": asked,
        "first": first,
        "FEEDS": FEEDS,
        "named": places.named,
        "telling": telling,
    }


def _log(found: Subject) -> dict[str, Any]:
    """Return what _edge_log.html shows."""
    answer, call = _answer(found, "log_call", "log", LOG_LINES)
    lines = told.lines(answer.value)[::-1] if answer.is_told else None
    address = url_for("edge.log", id=found.integration.id, log_call=call or None)
    version = polls.version(lines, answer.error, found.is_online)
    return {
        "it": found.integration,
        "edge": found,
        "log": lines,
        "log_error": answer.error,
        "log_call": call,
        "log_poll": Poll(address, version, answer.is_open),
        "telling": telling,
    }


def _answer(found: Subject, key: str, function: str, *arguments: Any) -> tuple[Told, str]:
    """Return what has come of the call that the address names, and the id of the call to look at next time."""
    agent = found.agent
    if agent is None or not agent.is_online:
        return UNKNOWN, ""
    call = request.args.get(key, "")[:LONGEST_ID]
    try:
        answer = asking.read(call)
        return answer, call if answer.is_open else asking.begin(agent, function, *arguments)
    except Refused as refused:
        return Told("failed", error=str(refused)), ""
    except Silent:
        return UNKNOWN, ""


def _asked() -> dict[str, Any]:
    """Return what of the polls and watches is asked for, as the address says it."""
    search, first = request.args.get("q", "")[:SEARCHED], request.args.get("first", "")
    is_number = first.isascii() and first.isdigit() and len(first) < 6 and int(first) > 0
    return ({"q": search} if search else {}) | ({"first": first} if is_number else {})
