"""Acknowledges at TCP what agents and clients of VRPC have sent, sooner than the system would.

The packages leave Nagle's algorithm on: a small message waits until the one before it is acknowledged, and Linux puts
that off for 40 ms, in the hope of an answer that could take it along.  Where there is none, as between an agent's two
answers to a call with a promise, or between its events, each second message would be 40 ms late.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

PATIENCE = 0.002  # seconds between two looks, for an answer to come that takes the acknowledgement along
_QUICKLY: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


class Hurry:
    """The transports that have sent something since something was last sent to them."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None]) -> None:
        """`later` calls after so many seconds."""
        self._later = later
        self._unanswered: dict[asyncio.Transport, int] = {}  # before which look they sent it
        self._looks = 0
        self._is_awake = False

    def heard(self, transport: asyncio.Transport) -> None:
        """Note that something has come by a transport."""
        self._unanswered.setdefault(transport, self._looks)
        if not self._is_awake and _QUICKLY is not None:
            self._is_awake = True
            self._later(PATIENCE, self._look)

    def answered(self, transport: asyncio.Transport) -> None:
        """Note that something goes out by a transport, and the acknowledgement with it."""
        self._unanswered.pop(transport, None)

    def _look(self) -> None:
        """Have those acknowledged that have waited since the last look."""
        for transport in [one for one, since in self._unanswered.items() if since < self._looks]:
            del self._unanswered[transport]
            if not transport.is_closing():
                with suppress(OSError):  # the client has gone
                    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _QUICKLY, 1)
        self._looks += 1
        self._is_awake = bool(self._unanswered)
        if self._is_awake:
            self._later(PATIENCE, self._look)
