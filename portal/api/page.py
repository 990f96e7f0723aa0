"""The document of the API, for programs, and as a page for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from payloads import JSON
from portal.api import openapi
from portal.api.schemas import Json
from portal.listeners import REST

CODE = re.compile(r"`([^`]+)`")

blueprint = Blueprint("api_page", __name__, url_prefix=REST)


@blueprint.get("/openapi.json")
def document() -> ResponseReturnValue:
    """Hand out the document."""
    return Response(openapi.text(current_app), content_type=JSON)


@blueprint.get("/")
def page() -> ResponseReturnValue:
    """Show the document."""
    shown = openapi.document(current_app)
    url = f"{request.url_root.rstrip('/')}{REST}"
    context = {"document": shown, "operations": list(_operations(shown)), "url": url}
    return render_template("api.html", **context, prose=prose, shape=shape)


def _operations(shown: Json) -> Iterator[Json]:
    """Return the operations in their order, with what they refer to in its place."""
    for path, operations in shown["paths"].items():
        shared = operations.get("parameters", [])
        for method, operation in operations.items():
            if method == "parameters":
                continue
            parameters = [*shared, *operation.get("parameters", [])]
            responses = {status: _resolved(shown, response) for status, response in operation["responses"].items()}
            short = path.removeprefix(REST)
            name = f"{method}{re.sub('[^a-z]+', '-', short)}".rstrip("-")
            found = {"method": method.upper(), "path": short, "id": name, "responses": responses}
            yield operation | found | {"parameters": parameters}


def _resolved(shown: Json, node: Json) -> Json:
    if "$ref" not in node:
        return node
    found: Any = shown
    for token in node["$ref"].split("/")[1:]:
        found = found[token]
    return dict(found)


def prose(text: str) -> Markup:
    """Return a line of the document as HTML: what is in backticks is code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it is escaped


def shape(schema: Json) -> str:
    """Return in words what a schema allows."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "oneOf" in schema and "type" not in schema:
        return " or ".join(map(shape, schema["oneOf"]))
    kinds = schema.get("type", "any")
    words = [" or ".join(kinds) if isinstance(kinds, list) else kinds]
    if kinds == "array":
        words = [f"array of {shape(schema['items'])}"]
    if "enum" in schema:
        words.append(", ".join(map(str, schema["enum"])))
    if "minimum" in schema and "maximum" in schema:
        words.append(f"{schema['minimum']:,} to {schema['maximum']:,}")
    if "maxItems" in schema:
        words.append(f"{schema.get('minItems', 0):,} to {schema['maxItems']:,} of them")
    if schema.get("default") not in (None, ""):
        words.append(f"{str(schema['default']).lower()} by default")
    return "; ".join(words)
