"""Whether a request names as its reply topic the one of the client that sends it.

Its agent answers wherever `s` says.  Most requests are decided on without taking them apart: every "s" in them has the
client's own topic as its value, and none is written with an escape.  The rest is parsed as JSON, up to a bound.
"""

from __future__ import annotations

import json
import re

LONGEST = 64 * 1024  # bytes of a request that is parsed

_KEY = re.compile(rb'"s"[ \t\r\n]*:[ \t\r\n]*')
_ESCAPED = b"\\u0073"  # how JSON may spell an s


class Replies:
    """Checks the requests of one client."""

    __slots__ = ("_spelled", "_topic")

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._spelled = tuple({json.dumps(topic, ensure_ascii=escaped).encode() for escaped in (True, False)})

    def are_own(self, request: bytes) -> bool:
        """Say whether what this request brings about comes to the client itself."""
        if _ESCAPED not in request:
            places = [found.end() for found in _KEY.finditer(request)]
            if places and all(request.startswith(self._spelled, place) for place in places):
                return True
        return len(request) <= LONGEST and self._is_own_when_parsed(request)

    def _is_own_when_parsed(self, request: bytes) -> bool:
        try:
            found = json.loads(request)
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and found.get("s") == self._topic
