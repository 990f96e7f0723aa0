"""The document of the API, for programs and as a page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue

from payloads import JSON
from portal.api import openapi
from portal.listeners import REST

blueprint = Blueprint("api_page", __name__, url_prefix=REST)


@blueprint.get("/openapi.json")
def document() -> ResponseReturnValue:
    """Hand out the document."""
    return Response(openapi.text(current_app), content_type=JSON)


@blueprint.get("/")
def page() -> ResponseReturnValue:
    """Show the document to a person."""
    return render_template("api.html", document=openapi.document(current_app))
