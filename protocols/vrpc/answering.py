"""What agents send back: an answer to a request, the end of a promise, or an event."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from typing import NamedTuple

from protocols.vrpc.describing import plain
from protocols.vrpc.walking import Walker, text_of

PROMISE = "__p__"
# Finds whose answer a large message is without reading it; a promise's name may hold anything but quotes.
_ID = re.compile(rb'"i"\s*:\s*"([^"\\]{1,300})"')
_NULL = "null"


class Answer(NamedTuple):
    """An answer: exactly one of these is not ""; `result` is JSON text."""

    result: str = ""
    error: str = ""
    promise: str = ""


def whose(payload: bytes, waiting: Container[str]) -> str:
    """Return which of those that wait a message answers; "" for none."""
    for found in _ID.finditer(payload):
        if (name := found[1].decode("utf-8", "replace")) in waiting:
            return name
    return ""


def read_answer(payload: bytes, name: str, most: int) -> Answer | None:
    """Read the answer that `name` waits for, with an error's first characters; None if it is somebody else's.

    Raises ValueError.
    """
    found = _members(payload, ("e", "i", "r"))
    if json.loads(found.get("i", _NULL)) != name:
        return None
    error = json.loads(found.get("e", _NULL))
    if error or error in ({}, []):  # which JavaScript takes for an error, too
        return Answer(error=_message(error, most))
    result = found.get("r", _NULL)
    if result.startswith(f'"{PROMISE}'):
        return Answer(promise=json.loads(result))
    return Answer(result=result)


def read_event(payload: bytes) -> str:
    """Return the arguments of an event as JSON text; raises ValueError."""
    arguments = _members(payload, ("a",)).get("a", "[]")
    return arguments if arguments.startswith("[") else "[]"


def _members(payload: bytes, wanted: Container[str]) -> dict[str, str]:
    """Return members of a JSON object as JSON text; NaN and the infinities become null."""
    walker = Walker(text_of(payload))
    found: dict[str, str] = {}
    for key in walker.keys():
        begin = walker.at
        walker.is_strict = True
        value = walker.value()
        if key in wanted:
            found[key] = walker.text[begin : walker.at] if walker.is_strict else json.dumps(value)
    walker.end()
    return found


def _message(error: object, most: int) -> str:
    """Return what an error says: an object with a message, or a text; of any other the JSON."""
    said = error.get("message", error or "") if isinstance(error, dict) else error
    return plain(said if isinstance(said, str) else json.dumps(said), most).strip() or "an error without a message"
