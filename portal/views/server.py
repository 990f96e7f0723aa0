"""The server page: what runs, since when, and how much of its limits is used; and the banners of every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal import clock, db, figures, kinds, presence, session, worker_client
from portal.limits import LIMITS, Limit
from portal.models import Node
from portal.views import banners, bans, listeners, onboarding, opcua
from portal.views.current import settings
from release import VERSION

blueprint = Blueprint("server", __name__)
blueprint.before_request(session.required)


@dataclass(frozen=True, slots=True)
class Used:
    """One limit as a server reports it.

    `used` is None where the limit is one of each client, `exceeded` where nothing is refused for it.
    """

    name: str
    used: int | None
    limit: float
    exceeded: int | None

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

    @property
    def is_a_time(self) -> bool:
        return bool(self.known and self.known.unit.endswith("seconds"))

    def told(self, value: float) -> str:
        """Return a value of this limit as people read it."""
        unit = self.known.unit if self.known else ""
        if self.known and self.known.zero and not value:
            return self.known.zero
        if unit == "bytes":
            return figures.binary_size(value)
        return figures.count(value) + (" s" if self.is_a_time else "")


@dataclass(frozen=True, slots=True)
class Running:
    """A node, whether its heartbeat is fresh, and how many connections it has."""

    node: Node
    up: bool
    connections: int

    @property
    def serves(self) -> str:
        """Return what it serves, in words."""
        return " and ".join(kinds.protocol(name) for name in sorted(presence.carries(self.node)))

    @property
    def machine(self) -> str:
        """Return the name that the parts of one machine share."""
        name = str(self.node.id)
        for protocol in presence.carries(self.node):
            name = name.removesuffix(f"-{protocol}")
        return name


@dataclass(frozen=True, slots=True)
class Group:
    """The limits of one protocol; `used` is None where its server does not answer."""

    label: str
    used: list[Used] | None


@blueprint.get("/server")
def page() -> ResponseReturnValue:
    """Show what runs."""
    shown = {
        **_running(),
        **_limits(),
        **listeners.context(),
        **opcua.context(),
        **bans.context(),
        **onboarding.ignored_context(),
    }
    return render_template("server.html", **shown)


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
    if request.args.get("v") == banners.now().version:
        return "", 204
    return render_template("_banner.html")


def _running() -> dict[str, Any]:
    now = clock.now()
    nodes = [Running(node, presence.is_up(node, now), count) for node, count in presence.nodes_with_connections()]
    nodes.sort(key=lambda running: (running.machine, running.serves))
    machines = {running.machine for running in nodes}
    database = "SQLite" if db.is_sqlite() else "PostgreSQL"
    told = {"nodes": nodes, "machines": len(machines), "troubles": banners.now().troubles}
    return {"release": VERSION, "database": database, **told}


def _limits() -> dict[str, Any]:
    """Return the limits as the servers of this machine report them."""
    parts = [worker_client.MQTT]
    if settings().opcua_port is not None:
        parts.append(worker_client.OPCUA)
    up = bool(presence.nodes_up(clock.now()))
    return {"groups": [group for part in parts for group in _groups(part, up=up)]}


def _groups(part: str, *, up: bool) -> list[Group]:
    """Return the limits of a part by protocol, of which a setting's name begins with one."""
    answer = worker_client.ask(part, "usage") if up else None
    if answer is None:
        return [Group(kinds.protocol(part), None)]
    groups: dict[str, list[Used]] = {}
    for used in sorted((Used(**row) for row in answer), key=_place):
        groups.setdefault(used.name.partition("_")[0].lower(), []).append(used)
    return [Group(kinds.protocol(name), found) for name, found in groups.items()]


def _place(used: Used) -> int:
    """Return where a limit stands in the table: limits that are not known here come last."""
    return list(LIMITS).index(used.name) if used.name in LIMITS else len(LIMITS)
