"""Who is banned for guessing, as a part of the server page, and the button that lifts a ban."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from portal import bans, clock, session
from portal.guard import Rules
from portal.views import polls
from portal.views.current import by_htmx, settings

blueprint = Blueprint("bans", __name__)
blueprint.before_request(session.required)

SHOWN = 100
OVER = "This ban is over already."


@blueprint.get("/bans")
def part() -> ResponseReturnValue:
    """Return the part of the page; 204 when it is what the browser shows already."""
    shown = context()
    return polls.answer("_bans.html", shown, shown["bans_version"])


@blueprint.post("/bans/<int:id>/lift")
def lift(id: int) -> ResponseReturnValue:
    """Let an address or a username try again."""
    try:
        message = f"The ban of {bans.lift(id, session.actor()).name} is lifted."
    except bans.NotFound:
        message = OVER
    if by_htmx():
        return render_template("_bans.html", **context())
    flash(message)
    return redirect(url_for("server.page"), 303)


def context() -> dict[str, Any]:
    """Return what _bans.html shows."""
    now = clock.now()
    found = bans.current(now, SHOWN)
    return {
        "bans": found,
        "ban_count": bans.count(now),
        "bans_version": polls.version([(ban.id, ban.until) for ban in found]),
        "rules": Rules.of(settings()),
    }
