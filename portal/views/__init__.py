"""The pages: one module each."""

from __future__ import annotations

from flask import Flask
from htmx_flask import Htmx

from portal import kinds, wording
from portal.views import activity, auth, errors, integrations


def init_app(app: Flask) -> None:
    """Add every page, and what their templates call."""
    Htmx(app)
    app.register_blueprint(auth.blueprint)
    app.register_blueprint(integrations.blueprint)
    app.register_blueprint(activity.blueprint)
    errors.init_app(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        KINDS=kinds.KINDS,
        not_served=kinds.not_served,
        sentence=wording.sentence,
        wording_of=wording.of,
    )
