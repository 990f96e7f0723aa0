"""The REST API, through which HTTP integrations come in."""

from __future__ import annotations

from flask import Flask

from portal import security
from portal.api import messages as _messages  # noqa: F401 - makes its operations
from portal.api import onboarding as _onboarding  # noqa: F401 - makes its operation
from portal.api import openapi, page
from portal.api import values as _values  # noqa: F401 - makes its operations
from portal.api import vrpc as _vrpc  # noqa: F401 - makes its operations
from portal.api.blueprint import blueprint


def init_app(app: Flask) -> None:
    """Add the API, its document and its page; no cookie opens it, so no token is needed."""
    security.csrf.exempt(blueprint)
    openapi.init_app(app).register_blueprint(blueprint)
    app.register_blueprint(page.blueprint)
