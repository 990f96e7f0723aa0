"""What a payload is, to those who read it over HTTP."""

from __future__ import annotations

import json

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


def kind_of(payload: bytes) -> str:
    """Return the content type of a payload."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return BYTES
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return TEXT
    return JSON


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON
