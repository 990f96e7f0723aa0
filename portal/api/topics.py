"""Topics in addresses: everything behind the first slash, however many levels it has."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.routing import BaseConverter

from portal.api.problems import Problem, parameter
from portal.api.schemas import TOPIC

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # what the framework puts in the place of bytes that are no UTF-8


class TopicConverter(BaseConverter):
    """A topic as it is: levels may be empty, and a slash at the end is one of it.

    A percent-encoded slash is a slash: a topic has no other ones.
    """

    regex = r"[\s\S]*"
    part_isolating = False

    def to_python(self, value: str) -> str:
        return value


def schema_of(converter: BaseConverter) -> dict[str, Any]:
    """Return how a topic is described in the document."""
    return {"type": "string", "minLength": 1, "pattern": TOPIC}


def hold_to_utf8(**parts: str) -> None:
    """Refuse an address of which a part was not in UTF-8."""
    for name, part in parts.items():
        if REPLACEMENT in part and not _is_utf8(request.environ["PATH_INFO"].encode("latin-1")):
            raise Problem(400, f"the {name.replace('_', ' ')} is not in UTF-8", parameter(name))


def hold_query_to_utf8() -> None:
    """Refuse a query that was not in UTF-8."""
    if request.query_string and not _is_utf8(unquote_to_bytes(request.query_string)):
        pairs = (part.partition(b"=") for part in request.query_string.split(b"&"))
        name = next(name for name, _, value in pairs if not _is_utf8(unquote_to_bytes(name + value)))
        shown = unquote_to_bytes(name).decode(errors="replace")
        raise Problem(400, f"the parameter {shown[:60]!r} is not in UTF-8", parameter(shown))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
