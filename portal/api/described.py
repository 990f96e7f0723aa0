"""How operations are described in the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import marshmallow as ma

from payloads import BYTES, JSON
from portal.api.blueprint import blueprint
from portal.api.callers import View, insider
from portal.api.problems import TYPE
from portal.api.schemas import COMPONENTS, MOST, Json, ref

Answers = Mapping[int, tuple[str, Json | None, Json | None]]  # by status: description, content, headers

ALWAYS = (401, 414, 503)  # what any operation may answer
EXAMPLE = "demo/hello"  # the topic of the samples

BY_PATH: Json = {
    "name": "topic",
    "in": "path",
    "description": "The topic. Its slashes may stand as they are or as `%2F`; other characters are percent-encoded "
    "as in any address.",
    "example": EXAMPLE,
}
IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of a value that you have: if it is still the same, the answer is 304.",
    "schema": {"type": "string"},
}
IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of the value that this is meant for, or `*` for any: if it is another one, nothing is "
    "done, and the answer is 412.",
    "schema": {"type": "string"},
}
IF_NOTHING: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`*`: if the topic has a value already, nothing is done, and the answer is 412.",
    "schema": {"type": "string"},
}
LAST_EVENT_ID: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that you have got: what came since then is sent first.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,16}$"},
}
ETAG: Json = {"ETag": {"description": "The number of the message, in quotes.", "schema": {"type": "string"}}}
ANY_PAYLOAD: Json = {
    JSON: {"schema": {}},
    "text/plain": {"schema": {"type": "string"}},
    BYTES: {"schema": {}},
}
CALL: Json = {JSON: {"schema": ref("Call")}}
EVENTS: Json = {"text/event-stream": {"schema": {"type": "string"}}}
_MANY: Json = {"type": "array", "items": ref("Message"), "minItems": 1, "maxItems": MOST}
MESSAGES: Json = {JSON: {"schema": {"oneOf": [ref("Message"), _MANY]}}}


def operation(
    method: str,
    rule: str,
    summary: str,
    description: str,
    *,
    answers: Answers,
    sample: str,
    problems: tuple[int, ...] = (),
    query: ma.Schema | None = None,
    headers: tuple[Json, ...] = (),
    body: Json | None = None,
    needs_body: bool = False,
    **options: Any,
) -> Callable[[View], View]:
    """Make a view an operation of the API; with a `query`, the view is given its parameters first."""
    told: Json = {"summary": summary, "description": description, "responses": _responses(answers, problems)}
    told["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": sample}]
    if headers:
        told["parameters"] = list(headers)
    if body is not None:
        told["requestBody"] = {"required": needs_body, "content": body}

    def decorate(view: View) -> View:
        described = blueprint.doc(operationId=view.__name__, **told)(view)
        if query is not None:
            described = blueprint.arguments(query, location="query")(described)
        blueprint.add_url_rule(rule, view.__name__, insider(described), methods=[method], **options)
        return view

    return decorate


def _responses(answers: Answers, problems: tuple[int, ...]) -> Json:
    responses: Json = {}
    for status, (what, content, headers) in answers.items():
        told: Json = {"description": what, "content": content, "headers": headers}
        responses[str(status)] = {name: value for name, value in told.items() if value}
    for status in sorted({*ALWAYS, *problems}):
        responses[str(status)] = HTTPStatus(status).name
    return responses


def in_path(name: str, description: str, example: str) -> Json:
    """Return a parameter of the path that is one step of it."""
    schema: Json = {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
    return {"name": name, "in": "path", "description": description, "example": example, "schema": schema}


def in_json(name: str) -> Json:
    """Return the content of an answer in JSON."""
    return {JSON: {"schema": ref(name)}}


def components(spec: Any) -> None:
    """Add what operations refer to."""
    for name, schema in COMPONENTS.items():
        spec.components.schema(name, schema)
    for status in HTTPStatus:
        content: Json = {TYPE: {"schema": ref("CallProblem" if status == 502 else "Problem")}}
        if status == 414:  # gunicorn refuses an address of more than about 4,000 bytes before anything of ours sees it
            content = {"text/html": {"schema": {"type": "string"}}}
        response: Json = {"description": status.phrase, "content": content}
        if status == 401:
            response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
        if status in {429, 503}:
            response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
        spec.components.response(status.name, response, lazy=True)
    spec.components.security_scheme("basic", {"type": "http", "scheme": "basic"})
    told = "The same text as with Basic: Base64 of username, colon, password."
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "description": told})
