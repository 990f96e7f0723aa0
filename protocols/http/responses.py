"""Responses that the protocols worker writes by itself: heads, values, problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from protocols.http.faults import Fault

RETRY = 5  # seconds after which a client that was turned away may try again

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Headers = Mapping[str, str]  # what the web worker has every response say


def head(status: int, headers: Headers, **more: object) -> bytes:
    """Return the head of a response that ends with its connection; `more` has "content_type" for Content-Type."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    every = {
        **headers,
        "Cache-Control": "no-store",
        "Connection": "close",
        **{name.replace("_", "-").title(): value for name, value in more.items()},
    }
    lines += [f"{name}: {value}" for name, value in every.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def events(headers: Headers) -> bytes:
    """Return the head of a stream of events, which no proxy may hold back."""
    return head(200, headers, content_type="text/event-stream; charset=utf-8", x_accel_buffering="no")


def value(headers: Headers, number: int, content_type: str, payload: bytes) -> bytes:
    """Return a value."""
    more = {"content_type": content_type, "content_length": len(payload), "etag": etag(number)}
    return head(200, headers, **more) + payload


def unchanged(headers: Headers, number: int) -> bytes:
    """Say that the value is still what the client knows."""
    return head(304, headers, etag=etag(number))


def result(headers: Headers, body: bytes) -> bytes:
    """Return JSON."""
    return head(200, headers, content_type="application/json", content_length=len(body)) + body


def fault(headers: Headers, found: Fault) -> bytes:
    """Return what is wrong (RFC 9457)."""
    body = json.dumps(found.told()).encode()
    more = {"retry_after": found.retry} if found.retry else {}
    return head(found.status, headers, content_type="application/problem+json", content_length=len(body), **more) + body


def etag(number: int) -> str:
    """Return the entity tag of the value with this number."""
    return f'"{number}"'
