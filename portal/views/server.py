"""The server page: what runs, since when, and how much of its limits is used; and the banner for when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import login_required

from portal import clock, db, figures, presence, worker_client
from portal.limits import LIMITS, Limit
from portal.models import Node
from portal.views import bans, listeners
from release import VERSION

blueprint = Blueprint("server", __name__)


@dataclass(frozen=True, slots=True)
class Used:
    """One limit as a server reports it; `used` is None where the limit is one of each client."""

    name: str
    used: int | None
    limit: float
    exceeded: int

    @property
    def known(self) -> Limit | None:
        return LIMITS.get(self.name)

    @property
    def percent(self) -> float:
        """Return how much is used; a tenth of a percent at least, if anything is."""
        if not self.used or not self.limit:
            return 0
        return min(100.0, max(0.1, round(100 * self.used / self.limit, 1)))

    @property
    def is_unbounded(self) -> bool:
        return bool(self.known and self.known.zero and not self.limit)

    def told(self, value: float) -> str:
        """Return a value of this limit as people read it."""
        unit = self.known.unit if self.known else ""
        if self.known and self.known.zero and not value:
            return self.known.zero
        if unit == "bytes":
            return figures.binary_size(value)
        return figures.count(value) + (" s" if unit.endswith("seconds") else "")


@dataclass(frozen=True, slots=True)
class Running:
    """A node, whether its heartbeat is fresh, and how many connections it has."""

    node: Node
    up: bool
    connections: int


@blueprint.before_request
@login_required  # type: ignore[untyped-decorator]
def _begin() -> None:
    """Send whoever is not logged in to the login page."""


@blueprint.get("/server")
def page() -> ResponseReturnValue:
    """Show what runs."""
    return render_template("server.html", **_running(), **_limits(), **listeners.context(), **bans.context())


@blueprint.get("/server/now")
def now() -> ResponseReturnValue:
    """Return what runs."""
    return render_template("_server.html", **_running())


@blueprint.get("/server/limits")
def limits() -> ResponseReturnValue:
    """Return the limits."""
    return render_template("_limits.html", **_limits())


@blueprint.get("/banner")
def banner() -> ResponseReturnValue:
    """Return the banner of every page; 204 when it is what the browser shows already."""
    up = bool(presence.nodes_up(clock.now()))
    if request.args.get("v") == ("up" if up else "down"):
        return "", 204
    return render_template("_banner.html")


def _running() -> dict[str, Any]:
    now = clock.now()
    nodes = [Running(node, presence.is_up(node, now), count) for node, count in presence.nodes_with_connections()]
    return {"release": VERSION, "database": "SQLite" if db.is_sqlite() else "PostgreSQL", "nodes": nodes}


def _limits() -> dict[str, Any]:
    """Return the limits as the servers of this machine report them; None where nobody answers."""
    parts = (worker_client.MQTT, worker_client.OPCUA) if presence.nodes_up(clock.now()) else ()
    answers = [worker_client.ask(part, "usage") for part in parts]
    usage = [row for answer in answers for row in answer or ()] or None
    return {"usage": None if usage is None else sorted((Used(**row) for row in usage), key=_place)}


def _place(used: Used) -> int:
    """Return where a limit stands in the table: limits that are not known here come last."""
    return list(LIMITS).index(used.name) if used.name in LIMITS else len(LIMITS)
