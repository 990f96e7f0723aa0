"""Whether what a request brings about comes to the client that sends it.

Its agent answers wherever `s` says, and makes a listener of each argument `__e__<topic>`, which it calls on that topic.
Most requests are decided on without taking them apart: every "s" in them has the client's own topic as its value, no
text begins like a listener, and none of this is written with escapes.  Where there is one "s" only, as in nearly all,
this is seen at once.  What is not as plain is parsed as JSON, up to a bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

LONGEST = 64 * 1024  # bytes of a request that is parsed
LISTENER = "__e__"

_S = b'"s"'
_KEY = rb'"s"[ \t\r\n]*+:[ \t\r\n]*+'
_QUOTED_LISTENER = f'"{LISTENER}'.encode()
_ESCAPE = b"\\u00"
_ESCAPED = re.compile(rb"\\u00(?:73|5[fF]|65)")  # how JSON may spell an s, a _ and an e


class Replies:
    """Checks the requests of one client; `may_hear` says which topics it may be called back on."""

    __slots__ = ("_as_npm", "_as_pypi", "_find_other", "_find_own", "_may_hear", "_topic")

    def __init__(self, topic: str, may_hear: Callable[[str], bool]) -> None:
        self._topic = topic
        self._may_hear = may_hear
        quoted = json.dumps(topic).encode()
        self._as_npm, self._as_pypi = _S + b":" + quoted, _S + b": " + quoted  # the packages of these names write it
        spelled = {json.dumps(topic, ensure_ascii=escaped).encode() for escaped in (True, False)}
        own = b"(?:%b)" % b"|".join(map(re.escape, spelled))
        self._find_own = re.compile(_KEY + own).search
        self._find_other = re.compile(_KEY + b"(?!%b)" % own).search

    def are_plainly_own(self, data: bytes, at: int = 0) -> bool:
        """Say whether `are_own` is sure to be true of the request from there on, by as few looks as it takes."""
        return (
            data.count(_S, at) == 1
            and (data.find(self._as_npm, at) >= 0 or data.find(self._as_pypi, at) >= 0)
            and data.find(_QUOTED_LISTENER, at) < 0
            and data.find(b"\\", at) < 0
        )

    def are_own(self, request: bytes) -> bool:
        """Say whether what this request brings about comes to the client itself."""
        if self.are_plainly_own(request):
            return True
        is_plain = _QUOTED_LISTENER not in request and not (_ESCAPE in request and _ESCAPED.search(request))
        if is_plain and not self._find_other(request) and self._find_own(request):
            return True
        return len(request) <= LONGEST and self._is_own_when_parsed(request)

    def _is_own_when_parsed(self, request: bytes) -> bool:
        """Say so of JSON; of keys that are there twice, agents may take the one or the other."""
        try:
            found = json.loads(request.decode(), object_pairs_hook=tuple)  # an object is a tuple of pairs
        except (ValueError, RecursionError):
            return False
        if not isinstance(found, tuple):
            return False
        arguments = [value for key, value in found if key == "a"]
        return [value for key, value in found if key == "s"] == [self._topic] and all(map(self._are_heard, arguments))

    def _are_heard(self, arguments: object) -> bool:
        return isinstance(arguments, list) and all(
            self._may_hear(one.removeprefix(LISTENER))
            for one in arguments
            if isinstance(one, str) and one.startswith(LISTENER)
        )
