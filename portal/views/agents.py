"""The page *Agents*: the list of all VRPC agents; and removing one that is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import connect_vrpc, domains, integrations, session, telling, vrpc, worker_client
from portal.connect import Line, Login
from portal.views import callees, listeners, polls
from portal.views.callees import Place
from portal.views.current import settings
from portal.views.pieces import question, with_headers
from portal.vrpc_told import Agent
from vrpc_topics import AGENT

blueprint = Blueprint("agents", __name__)
blueprint.before_request(session.required)

PAGE = 100
SEARCHED = 200  # characters
STATES: dict[str, Callable[[Agent], bool]] = {
    "all": lambda agent: True,
    "online": lambda agent: agent.is_online,
    "offline": lambda agent: not agent.is_online,
    "faults": lambda agent: bool(agent.fault or agent.twins or agent.is_claimed),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the list is asked for."""

    search: str
    state: str
    page: int

    def args(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of its address, with these changes."""
        found: dict[str, Any] = {"q": self.search, "state": self.state, "page": self.page} | changes
        usual = {"q": "", "state": "all", "page": 1}
        return {name: value for name, value in found.items() if value != usual[name]}


@dataclass(frozen=True, slots=True)
class Row:
    """An agent as the list shows it."""

    agent: Agent
    name: str
    domain: str
    address: str  # the query of its page
    key: str


@blueprint.get("/agents")
def page() -> ResponseReturnValue:
    """Show the page."""
    return render_template("agents.html", **_context(_asked()))


@blueprint.get("/agents/rows")
def rows() -> ResponseReturnValue:
    """Return the list alone; 204 when it is what the browser shows already."""
    asked = _asked()
    shown = _context(asked)
    if polls.is_shown(shown["agents_version"]):
        return "", 204
    body = render_template("_agents.html", **shown)
    if "v" in request.args:
        return body
    address = url_for("agents.page", **asked.args())
    if request.headers.get("HX-Trigger") == "search":
        return with_headers(body, replace_url=address)
    return with_headers(body, push_url=address)


@blueprint.get("/agents/remove")
def confirm_remove() -> ResponseReturnValue:
    """Ask before removing."""
    place = callees.read(request.args).place
    return question("_confirm_agent.html", name=telling.name(place.agent), place=place)


@blueprint.post("/agents/remove")
def remove() -> ResponseReturnValue:
    """Remove an agent that is offline."""
    place = callees.read(request.args).place
    try:
        vrpc.remove(session.actor(), place.domain, place.agent)
    except worker_client.Refused as error:
        return _back(place, str(error), "error")
    flash(f"{telling.name(place.agent)} is removed.")
    return redirect(url_for("agents.page"), 303)


@blueprint.get("/agents/hand-over")
def confirm_hand_over() -> ResponseReturnValue:
    """Ask before an agent belongs to another integration."""
    look = callees.read(request.args)
    agent = look.opened.agent if look.opened else None
    if agent is None or not agent.is_claimed:
        return _back(look.place, "Nobody asks for this agent any more.", "error")
    return question("_confirm_hand_over.html", name=telling.name(look.place.agent), look=look, claim=agent.claim)


@blueprint.post("/agents/hand-over/<int:id>")
def hand_over(id: int) -> ResponseReturnValue:
    """Let an agent that is offline belong to the integration that asks for it."""
    place = callees.read(request.args).place
    try:
        to = integrations.by_id(id)
        vrpc.hand_over(session.actor(), place.domain, place.agent, to)
    except (integrations.NotFound, worker_client.Refused) as error:
        return _back(place, str(error), "error")
    return _back(place, f"{telling.name(place.agent)} belongs to {to.username}, which comes in with its next try.")


def _back(place: Place, notice: str, category: str = "message") -> ResponseReturnValue:
    """Go back to an agent, and say something there."""
    flash(notice, category)
    return redirect(url_for("agent.page") + place.query(), 303)


def _asked() -> Asked:
    state, page = request.args.get("state", ""), request.args.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return Asked(request.args.get("q", "")[:SEARCHED], state if state in STATES else "all", max(1, number))


def _context(asked: Asked) -> dict[str, Any]:
    """Return what _agents.html shows."""
    try:
        agents = vrpc.agents()
    except worker_client.Silent:
        return {"asked": asked, "agents": None, "agents_version": "silent"}
    counts = {state: sum(map(is_one, agents)) for state, is_one in STATES.items()}
    found = [agent for agent in agents if STATES[asked.state](agent) and _matches(agent, asked.search.casefold())]
    first = (asked.page - 1) * PAGE
    shown = found[first : first + PAGE]
    return {
        "asked": asked,
        "agents": [_row(agent) for agent in shown],
        "counts": counts,
        "first": first + 1,
        "matching": len(found),
        "telling": telling,
        "ways": _ways() if not agents else (),
        "agents_version": polls.version(asked, counts, shown, len(found)),
    }


def _matches(agent: Agent, search: str) -> bool:
    parts = (agent.agent, agent.domain, agent.hostname, agent.integration, agent.version)
    return not search or any(search in part.casefold() for part in parts)


def _row(agent: Agent) -> Row:
    key = blake2b(f"{agent.domain}/{agent.agent}".encode("utf-8", "replace"), digest_size=6).hexdigest()
    address = Place(agent.domain, agent.agent).query()
    return Row(agent, telling.name(agent.agent), telling.name(agent.domain), address, key)


def _ways() -> list[Line]:
    """Return how to get a first agent in, in one language and the other; over TCP if that is on."""
    for listener in sorted(listeners.ways("mqtt"), key=lambda one: one.transport != "tcp"):
        login = Login("USERNAME", "PASSWORD")
        return connect_vrpc.lines(listener, listeners.trust(), login, domains.default(settings()), AGENT)
    return []
