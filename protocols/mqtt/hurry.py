"""Acknowledges at TCP what agents and clients of VRPC have sent, sooner than the system would.

The packages leave Nagle's algorithm on: a small message waits until the one before it is acknowledged, and Linux puts
that off for 40 ms, in the hope of an answer that could take it along.  Where there is none, as between an agent's two
answers to a call with a promise, or between its events, each second message would be 40 ms late.

Most messages are answered, and to look after them would cost them time: a timer that is due soon makes each sleep of
the loop dearer.  So only those are looked after who have sent twice without an answer in between, and for a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

PATIENCE = 0.002  # seconds between two looks, for an answer to come that takes the acknowledgement along
WHILE = 10.0  # seconds
_QUICKLY: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


class Hurry:
    """The transports that have sent something since something was last sent to them."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None], now: Callable[[], float]) -> None:
        """`later` calls after so many seconds, `now` returns the time."""
        self._later = later
        self._now = now
        self._unanswered: set[asyncio.Transport] = set()
        self._hasty: dict[asyncio.Transport, float] = {}  # who has sent twice, and until when that counts
        self._waiting: dict[asyncio.Transport, int] = {}  # those of them to acknowledge, from which look on
        self._looks = 0
        self._is_awake = False

    def heard(self, transport: asyncio.Transport) -> None:
        """Note that something has come by a transport."""
        if transport in self._unanswered:
            self._hasty[transport] = self._now() + WHILE
        else:
            self._unanswered.add(transport)
            if transport not in self._hasty or self._calmed(transport):
                return
        self._waiting.setdefault(transport, self._looks)
        if not self._is_awake and _QUICKLY is not None:
            self._is_awake = True
            self._later(PATIENCE, self._look)

    def answered(self, transport: asyncio.Transport) -> None:
        """Note that something goes out by a transport, and the acknowledgement with it."""
        self._unanswered.discard(transport)
        if self._waiting:
            self._waiting.pop(transport, None)

    def lost(self, transport: asyncio.Transport) -> None:
        """Forget a transport that is closed."""
        self.answered(transport)
        self._hasty.pop(transport, None)

    def _calmed(self, transport: asyncio.Transport) -> bool:
        """Let one go that has not sent twice for a while; say whether it has not."""
        is_calm = self._hasty[transport] < self._now()
        if is_calm:
            del self._hasty[transport]
        return is_calm

    def _look(self) -> None:
        """Have those acknowledged that have waited since the last look."""
        for transport in [one for one, since in self._waiting.items() if since < self._looks]:
            del self._waiting[transport]
            if not transport.is_closing():
                with suppress(OSError):  # the client has gone
                    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKLY, 1)
        self._looks += 1
        self._is_awake = bool(self._waiting)
        if self._is_awake:
            self._later(PATIENCE, self._look)
