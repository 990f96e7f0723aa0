"""Log in, log out, and create the first account."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal import accounts, session
from portal.accounts import Throttled
from portal.fields import FieldError
from portal.integrations import Actor

blueprint = Blueprint("auth", __name__)

WRONG = "This e-mail address and password do not belong together."
THROTTLED = "Too many failed logins. Wait a quarter of an hour, then try again."
WRONG_TOKEN = "This is not the token that Gatehouse printed when it started."  # noqa: S105


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """Show the form, or go on when already logged in or not yet set up."""
    if current_user.is_authenticated:
        return redirect(url_for("integrations.page"))
    if not accounts.exist():
        return redirect(url_for("auth.setup"))
    return render_template("login.html", errors={})


@blueprint.post("/login")
def log_in() -> ResponseReturnValue:
    """Check an e-mail address and a password."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    try:
        account = accounts.log_in(email, password, session.address())
    except Throttled:
        return render_template("login.html", errors={"form": THROTTLED}), 429
    if account is None:
        return render_template("login.html", errors={"form": WRONG}), 401
    session.log_in(account)
    return redirect(_next(), 303)


@blueprint.post("/logout")
def log_out() -> ResponseReturnValue:
    """End the session."""
    session.log_out()
    return redirect(url_for("auth.login"), 303)


@blueprint.get("/setup")
def setup() -> ResponseReturnValue:
    """Show the form for the first account, as long as there is none."""
    if accounts.exist():
        return redirect(url_for("auth.login"))
    return render_template("setup.html", errors={})


@blueprint.post("/setup")
def create_first_account() -> ResponseReturnValue:
    """Create the first account, for who knows the one-time token."""
    if accounts.exist():
        return redirect(url_for("auth.login"), 303)
    form = request.form
    if not accounts.is_setup_token(current_app.extensions["gatehouse_settings"], form.get("token", "")):
        return _refuse_setup("token", WRONG_TOKEN)
    try:
        account = accounts.create(
            Actor("set-up", session.address()),
            form.get("email", ""),
            form.get("password", ""),
            first=True,
        )
    except FieldError as error:
        return _refuse_setup(error.field, error.message)
    accounts.setup_token(current_app.extensions["gatehouse_settings"])  # which is not needed any more, and deleted
    session.log_in(account)
    return redirect(url_for("integrations.page"), 303)


def _refuse_setup(field: str, message: str) -> ResponseReturnValue:
    return render_template("setup.html", errors={field: message}), 422


def _next() -> str:
    """Return where the browser wanted to go, if that is a page of this portal."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    if local and not parts.scheme and not parts.netloc and target.isprintable():
        return target
    return url_for("integrations.page")
