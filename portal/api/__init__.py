"""The REST API, through which HTTP integrations come in."""

from __future__ import annotations

from flask import Flask

from portal import security
from portal.api import messages, openapi, page, values
from portal.api.blueprint import blueprint

__all__ = ["init_app", "messages", "values"]


def init_app(app: Flask) -> None:
    """Add the API, its document and its page; no cookie opens it, so no token is needed."""
    security.csrf.exempt(blueprint)
    openapi.init_app(app).register_blueprint(blueprint)
    app.register_blueprint(page.blueprint)
