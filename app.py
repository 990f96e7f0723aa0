"""The web composition root: puts the portal's parts together, and nothing else."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask

from portal import api, assets, cli, config, db, security, session, views
from portal.config import SettingError, Settings
from portal.credentials import Sealer, derive_key
from portal.onboarding import cli as onboarding


def create_app(settings: Settings | None = None) -> Flask:
    """Return the portal as a WSGI application.  Raises `SettingError`; opens no database connection."""
    settings = settings or config.load()
    db.init(settings)
    app = Flask(__name__)
    app.config["SECRET_KEY"] = derive_key(settings.secret_key, b"gatehouse sessions")
    app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
    app.extensions["gatehouse_settings"] = settings
    app.extensions["gatehouse_sealer"] = Sealer(settings.secret_key)
    security.init_app(app, settings)
    session.init_app(app)
    assets.init_app(app)
    views.init_app(app)
    api.init_app(app)
    cli.init_app(app)
    onboarding.init_app(app)
    return app


def __getattr__(name: str) -> Any:
    """Make `app:app`, which gunicorn and flask ask for, when they do: importing this module needs no settings."""
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app()
    except SettingError as error:
        sys.exit(f"gatehouse: {error}")
