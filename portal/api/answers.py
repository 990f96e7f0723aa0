"""What is answered: values as they are or in JSON, in a form that the client accepts."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from flask import Response, request

import payloads
from payloads import BYTES, JSON, TEXT
from portal.api.problems import Problem, header
from portal.hub import Value

EVENTS = "text/event-stream"


def value(found: Value) -> Response:
    """Return a value as it was published; its number is the entity tag."""
    return Response(found.payload, content_type=chosen(payloads.kind_of(found.payload)), headers={"ETag": etag(found)})


def empty(status: int, **headers: str) -> Response:
    """Return an answer without a body."""
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def etag(found: Value) -> str:
    """Return the entity tag of a value."""
    return f'"{found.number}"'


def chosen(kind: str) -> str:
    """Return how to send a payload of this kind: as what it is, or as bytes if the client prefers that."""
    stated = request.environ.get("HTTP_ACCEPT", "*/*")
    if stated == "*/*":
        return kind
    accepted = request.accept_mimetypes
    own, raw = accepted.quality(kind.partition(";")[0]), accepted.quality(BYTES)
    if not own and not raw:
        raise _not_acceptable(f"this value is {kind}, and can be had as {BYTES}")
    return kind if own >= raw else BYTES


def prefers_bytes() -> bool:
    """Tell whether the client wants bytes, whatever the value will be."""
    accepted = request.accept_mimetypes
    own, raw = max(accepted.quality("application/json"), accepted.quality("text/plain")), accepted.quality(BYTES)
    if request.environ.get("HTTP_ACCEPT") and not own and not raw:
        raise _not_acceptable(f"a value is {JSON}, {TEXT} or {BYTES}")
    return bool(raw > own)


def hold_to(kind: str) -> None:
    """Refuse a client that does not accept the one kind of answer that there is."""
    if request.environ.get("HTTP_ACCEPT", "*/*") != "*/*" and not request.accept_mimetypes.quality(kind):
        raise _not_acceptable(f"the answer is {kind}")


def listing(found: Sequence[Value], **more: Any) -> Response:
    """Return values in JSON, in which those that are JSON themselves stand as they were published."""
    rest = f", {json.dumps(more, ensure_ascii=False)[1:]}" if more else "}"
    body = f'{{"values": [{", ".join(map(_entry, found))}]{rest}'
    return Response(body, content_type=JSON)


def _entry(found: Value) -> str:
    told: dict[str, Any] = {
        "topic": found.topic,
        "number": found.number,
        "time": found.time.isoformat(timespec="milliseconds"),
        "integration": found.integration or None,
        "retain": found.retain,
    }
    payload, raw = found.payload, ""
    if found.is_deleted:
        told["deleted"] = True
    elif (kind := payloads.kind_of(payload)) == JSON:
        raw = f', "value": {payload.decode()}'
    elif kind == TEXT:
        told["text"] = payload.decode()
    else:
        told["base64"] = base64.b64encode(payload).decode()
    return f"{json.dumps(told, ensure_ascii=False)[:-1]}{raw}}}"


def _not_acceptable(detail: str) -> Problem:
    return Problem(406, detail, header("Accept"))
