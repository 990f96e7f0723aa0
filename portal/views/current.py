"""What the application was made with, for the request under way."""

from __future__ import annotations

from flask import current_app

from portal.config import Settings
from portal.credentials import Sealer


def settings() -> Settings:
    """Return the settings."""
    found: Settings = current_app.extensions["gatehouse_settings"]
    return found


def sealer() -> Sealer:
    """Return what seals passwords."""
    found: Sealer = current_app.extensions["gatehouse_sealer"]
    return found
