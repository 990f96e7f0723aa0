"""Who is logged in to the portal, and the database connection of a request."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b

from flask import Flask, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from htmx_flask import make_response

from portal.db import database
from portal.integrations import Actor
from portal.models import Account
from portal.security import API

LASTS = timedelta(hours=12)

manager = LoginManager()


class User(UserMixin):  # type: ignore[misc]
    """An account that is logged in.  A changed password ends its sessions: the id holds a trace of its hash."""

    def __init__(self, account: Account) -> None:
        self.email = str(account.email)
        self.id = f"{account.id}-{_trace(account)}"


def init_app(app: Flask) -> None:
    """Give each request a database connection and a user."""
    app.config["PERMANENT_SESSION_LIFETIME"] = LASTS
    # Refreshed by every answer, a poll that crosses a log-out would log the browser in again.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    app.before_request(_open)
    app.teardown_request(_close)
    manager.init_app(app)


def log_in(account: Account) -> None:
    """Log the browser of this request in."""
    cookie.clear()
    cookie.permanent = True
    login_user(User(account))


def log_out() -> None:
    """Log the browser of this request out."""
    logout_user()


@login_required  # type: ignore[untyped-decorator]
def required() -> None:
    """Send whoever is not logged in to the login page: for blueprints, before each request."""


def actor() -> Actor:
    """Return who makes the change that this request asks for."""
    return Actor(current_user.email, address())


def address() -> str:
    """Return the address that this request comes from."""
    return request.remote_addr or ""


@manager.user_loader  # type: ignore[untyped-decorator]
def _load(user_id: str) -> User | None:
    account_id, _, trace = user_id.partition("-")
    account = Account.get_or_none(Account.id == account_id) if account_id.isdigit() else None
    return User(account) if account is not None and _trace(account) == trace else None


@manager.unauthorized_handler  # type: ignore[untyped-decorator]
def _send_to_login() -> ResponseReturnValue:
    """Send the whole browser to the login page, also when only a fragment was asked for."""
    if request.headers.get("HX-Request"):
        answer: ResponseReturnValue = make_response("", 200, redirect=url_for("auth.login"))
        return answer
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.login", next=target))


def _trace(account: Account) -> str:
    return blake2b(str(account.password_hash).encode(), digest_size=8).hexdigest()


def _open() -> None:
    if request.endpoint != "assets.file" and not request.path.startswith(API):
        database.connect(reuse_if_open=True)


def _close(error: BaseException | None) -> None:
    if not database.is_closed():
        database.close()
