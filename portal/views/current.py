"""What the application was made with, for the request under way."""

from __future__ import annotations

from flask import current_app
from htmx_flask import request  # it is Flask's, whose own type does not know of HTMX

from portal.config import Settings
from portal.credentials import Sealer


def settings() -> Settings:
    """Return the settings."""
    found: Settings = current_app.extensions["gatehouse_settings"]
    return found


def by_htmx() -> bool:
    """Tell whether HTMX asks, which takes a piece of a page."""
    return bool(request.htmx)


def sealer() -> Sealer:
    """Return what seals passwords."""
    found: Sealer = current_app.extensions["gatehouse_sealer"]
    return found
