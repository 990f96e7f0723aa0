"""What comes with a client's socket: the ticket, and what the web worker wants its response to say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from protocols.http.responses import Headers


@dataclass(frozen=True, slots=True)
class PollWish:
    """A long poll of a topic: answered when its value has another number (0: there is none), or in time."""

    topic: str
    number: int
    seconds: float
    raw: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """A stream, after the message of a number if there is one; a long poll; or the call that the ticket is for."""

    ticket: str
    headers: Headers
    after: int | None = None
    poll: PollWish | None = None
    interim: bool = False  # whether the client knows interim responses (1xx), which came with HTTP/1.1


def parse(message: bytes) -> Wish:
    """Return what a message of `portal.handover` says.  Raises ValueError."""
    try:
        told: dict[str, Any] = json.loads(message)
        if (poll := told.pop("poll", None)) is not None:
            return Wish(**told, poll=PollWish(**poll))
        return Wish(**told)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"a client came with {message[:100]!r}: {error}") from None
