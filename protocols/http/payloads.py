"""What a payload is, to those who read it over HTTP."""

from __future__ import annotations

from protocols.hub.values import is_json

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


def kind_of(payload: bytes) -> str:
    """Return the content type of a payload."""
    if is_json(payload):
        return JSON
    try:
        payload.decode()
    except UnicodeDecodeError:
        return BYTES
    return TEXT
