"""Smart onboarding: the box above the list, what is decided in it, and clients that are ignored for good."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import session
from portal.onboarding import ignored, requests, window
from portal.onboarding.requests import Outcome
from portal.onboarding.window import NotOpen
from portal.views import box, polls
from portal.views.current import by_htmx, sealer, settings
from portal.views.pieces import CHANGED, with_headers

blueprint = Blueprint("onboarding", __name__, url_prefix="/onboarding")
blueprint.before_request(session.required)

GONE = "This request is gone: it was decided on already, or its client made room for others."
NONE_CHOSEN = "Choose the clients to approve first."


@blueprint.get("/box")
def head() -> ResponseReturnValue:
    """Return the head of the list with the box; 204 when it is what the browser shows already."""
    shown = box.context()
    return polls.answer("_onboarding.html", shown, shown["onboarding_version"])


@blueprint.post("/open")
def open_window() -> ResponseReturnValue:
    """Have unknown clients shown from now on."""
    window.open_one(session.actor())
    return _done()


@blueprint.post("/extend")
def extend() -> ResponseReturnValue:
    """Have the window open for longer."""
    try:
        window.extend(session.actor())
    except NotOpen as error:
        return _done(str(error), bad=True)
    return _done()


@blueprint.post("/close")
def close() -> ResponseReturnValue:
    """Refuse unknown clients again; what they offered is forgotten."""
    window.close(session.actor())
    return _done()


@blueprint.post("/approve")
def approve_chosen() -> ResponseReturnValue:
    """Let several clients in."""
    chosen = request.form.getlist("request")
    return _approve(chosen) if chosen else _done(NONE_CHOSEN, bad=True)


@blueprint.post("/requests/<id>/approve")
def approve(id: str) -> ResponseReturnValue:
    """Let a client in."""
    return _approve([id])


@blueprint.post("/requests/<id>/ignore")
def ignore(id: str) -> ResponseReturnValue:
    """Have a client not shown again while this window is open."""
    return _dismiss(id, for_good=False)


@blueprint.post("/requests/<id>/ignore-for-good")
def ignore_for_good(id: str) -> ResponseReturnValue:
    """Have a client never shown again, until somebody changes that."""
    return _dismiss(id, for_good=True)


@blueprint.post("/requests/<id>/ban")
def ban(id: str) -> ResponseReturnValue:
    """Ban the address that a request came from."""
    try:
        address = requests.ban(id, session.actor(), settings())
    except NotOpen as error:
        return _done(str(error), bad=True)
    if address is None:
        return _done(GONE, bad=True)
    return _done(f"{address} is banned for {requests.BAN_HOURS} hours. The page Server lifts that.")


@blueprint.post("/ignored/<int:id>/forget")
def forget(id: int) -> ResponseReturnValue:
    """Show a client again that was ignored for good."""
    try:
        found = ignored.forget(id, session.actor())
        message = f"{found.username or found.client_id} is not ignored any more."
    except ignored.NotIgnored:
        message = "This client is not ignored any more."
    if by_htmx():
        return render_template("_ignored.html", **ignored_context())
    flash(message)
    return redirect(url_for("server.page", _anchor="ignored"), 303)


def ignored_context() -> dict[str, Any]:
    """Return what _ignored.html shows."""
    return {"ignored": ignored.everybody()}


def _approve(ids: list[str]) -> ResponseReturnValue:
    try:
        outcomes = requests.approve(ids, session.actor(), sealer(), settings())
    except NotOpen as error:
        return _done(str(error), bad=True)
    if not outcomes:
        return _done(GONE, bad=True)
    return _done(_told(outcomes), bad=any(outcome.integration is None for outcome in outcomes))


def _dismiss(id: str, *, for_good: bool) -> ResponseReturnValue:
    try:
        gone = requests.dismiss([id], session.actor(), settings(), for_good=for_good)
    except NotOpen as error:
        return _done(str(error), bad=True)
    if not gone:
        return _done(GONE, bad=True)
    how = "ignored for good" if for_good else "ignored until this window closes"
    return _done(f"{gone[0].username} is {how}.")


def _told(outcomes: Iterable[Outcome]) -> str:
    made = [outcome.username for outcome in outcomes if outcome.integration is not None]
    faults = [f"{outcome.username}: {outcome.fault}" for outcome in outcomes if outcome.integration is None]
    let_in = [f"{made[0]} is let in."] if len(made) == 1 else [f"{len(made)} clients are let in."] if made else []
    return " ".join(let_in + faults)


def _done(said: str = "", *, bad: bool = False) -> ResponseReturnValue:
    """Answer a change with the box; the list looks for itself at once."""
    if by_htmx():
        return with_headers(render_template("_onboarding.html", **box.context(said, bad=bad)), trigger=CHANGED)
    if said:
        flash(said, "error" if bad else "message")
    return redirect(url_for("integrations.page"), 303)
