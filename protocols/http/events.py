"""Messages as Server-Sent Events (WHATWG HTML, 9.2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from payloads import JSON, TEXT, kind_of
from protocols.hub.messages import Message

HEARTBEAT = b":\n\n"

Names = Callable[[int], str]  # the username of an integration; "" of one that is gone, and of the portal


class Encoder:
    """Encodes each message once in a turn of the loop, for however many streams.

    `stamp` returns a time as text; `soon` runs what is due at the end of the turn.
    """

    def __init__(
        self, names: Names, stamp: Callable[[float], str], soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._names = names
        self._stamp = stamp
        self._soon = soon
        self._known: dict[int, bytes] = {}

    def event(self, message: Message) -> bytes:
        """Return a message as an event; its data is JSON with the payload as "value", "text" or "base64"."""
        known = self._known.get(message.number)
        if known is None:
            if not self._known:
                self._soon(self._known.clear)
            known = self._known[message.number] = self._encode(message)
        return known

    def _encode(self, message: Message) -> bytes:
        told = {
            "topic": message.topic,
            "retain": message.retain,
            "integration": self._names(message.integration_id) or None,
            "time": self._stamp(message.time),
        }
        if message.deletes:
            return event("deleted", told, message.number)
        kind = kind_of(message.payload)
        if kind == JSON:
            return _event("message", _with_value(told, message.payload.decode()), message.number)
        if kind == TEXT:
            return event("message", told | {"text": message.payload.decode()}, message.number)
        return event("message", told | {"base64": base64.b64encode(message.payload).decode()}, message.number)


def event(name: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
    """Return an event; its number is what a client resumes after."""
    return _event(name, json.dumps(data, ensure_ascii=False), number)


def position(number: int) -> bytes:
    """Return what lets a client resume after this number, before it has got any event."""
    return b"id: %d\n\n" % number


def _event(name: str, data: str, number: int | None) -> bytes:
    line = f"id: {number}\n" if number is not None else ""
    return f"{line}event: {name}\ndata: {data}\n\n".encode()


def _with_value(told: Mapping[str, Any], value: str) -> str:
    """Put in a value as it was published, in one line: in JSON, line breaks are outside of strings."""
    one_line = value.replace("\r", " ").replace("\n", " ")
    return f'{json.dumps(told, ensure_ascii=False)[:-1]}, "value": {one_line}}}'
