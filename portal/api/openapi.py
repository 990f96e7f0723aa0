"""The OpenAPI document of the API, made of what the views say of themselves."""

from __future__ import annotations

import json
from typing import Any

import flask_smorest
from flask import Flask

import release
from portal.api import described
from portal.api.topics import TopicConverter, schema_of

NAME = "gatehouse_api"  # in the application's extensions

DESCRIPTION = "\n\n".join(
    (
        "Topics and their last values, shared with what MQTT and OPC UA clients see; and the functions of VRPC agents.",
        "Come with username and password of an HTTP integration, by Basic or by Bearer, whose token is the same "
        "text: Base64 of username, colon, password. A username ends with the first colon, so an integration whose "
        "username has one cannot come in here. A login that is refused is answered late, as with every protocol.",
        "Errors are problem details (RFC 9457): `errors` names the parameter, the header, or by JSON Pointer the place "
        "in the body that one is about. A request body has 256 KiB at most.",
    )
)


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest's, without what it does beyond its document: errors are ours, on the pages and here."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Leave the application's alone."""

    def _register_responses(self) -> None:
        described.components(self.spec)


def init_app(app: Flask) -> Api:
    """Make the document that blueprints are then added to."""
    app.url_map.converters["topic"] = TopicConverter
    app.config.update(API_TITLE="Gatehouse", API_VERSION=release.VERSION, OPENAPI_VERSION="3.1.0")
    api = Api(spec_kwargs={"info": {"description": DESCRIPTION}, "security": [{"basic": []}, {"bearer": []}]})
    api.register_converter(TopicConverter, schema_of)
    api.init_app(app)
    app.extensions[NAME] = api
    return api


def document(app: Flask) -> dict[str, Any]:
    """Return the document."""
    found: dict[str, Any] = app.extensions[NAME].spec.to_dict()
    return found


def text(app: Flask) -> str:
    """Return the document as JSON."""
    return json.dumps(document(app), ensure_ascii=False, indent=2)
