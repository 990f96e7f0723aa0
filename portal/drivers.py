"""The drivers of databases: peewee imports each that is installed, when it is imported itself."""

from __future__ import annotations

import sys

from portal.config import Settings


def choose(settings: Settings) -> None:
    """Keep psycopg from being loaded for SQLite: with its libraries it takes 8 MB.

    To be called before anything imports peewee.
    """
    if settings.database_url.startswith("sqlite:"):
        sys.modules["psycopg"] = None  # type: ignore[assignment]  # says that there is none
