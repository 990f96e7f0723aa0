"""Acknowledges at TCP what agents and clients of VRPC have sent, sooner than the system would.

The packages leave Nagle's algorithm on: a small message waits until the one before it is acknowledged, and Linux puts
that off for 40 ms, in the hope of an answer that could take it along.  Where there is none, as between an agent's two
answers to a call with a promise, or between its events, each second message would be 40 ms late.

Most messages are answered, and to look after them would cost them time: a timer that is due soon makes each sleep of
the loop dearer.  So only those are looked after who have sent twice without an answer in between, and for a while.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

PATIENCE = 0.002  # seconds between two looks, for an answer to come that takes the acknowledgement along
WHILE = 10.0  # seconds
QUICK_ACK: int = getattr(socket, "TCP_QUICKACK", 0)  # Linux has it


class Sender(Protocol):
    """A connection that something comes by."""

    @property
    def sent(self) -> int:
        """Return how many bytes it was sent ever: more of them are an answer, whatever they say."""
        ...

    def acknowledge(self) -> None:
        """Have what came acknowledged at TCP; raise OSError if it has gone."""
        ...


class Hurry:
    """Those who have sent something twice since something was last sent to them."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None], now: Callable[[], float]) -> None:
        """`later` calls after so many seconds, `now` returns the time."""
        self._later = later
        self._now = now
        self.hasty: dict[Sender, float] = {}  # until when that counts
        self._waiting: dict[Sender, tuple[int, int]] = {}  # from which look on, and what they had been sent by then
        self._looks = 0
        self._is_awake = False

    def heard_again(self, sender: Sender) -> None:
        """Note that something has come by a connection that was sent nothing since something came before."""
        self.hasty[sender] = self._now() + WHILE
        self._look_after(sender)

    def heard(self, sender: Sender) -> None:
        """Note the same of a connection that was sent something, but is hasty, unless that was long ago."""
        if self.hasty[sender] < self._now():
            del self.hasty[sender]
        else:
            self._look_after(sender)

    def lost(self, sender: Sender) -> None:
        """Forget a connection that is closed."""
        self.hasty.pop(sender, None)
        self._waiting.pop(sender, None)

    def _look_after(self, sender: Sender) -> None:
        since = self._waiting.get(sender)
        if since is None or since[1] != sender.sent:
            self._waiting[sender] = self._looks, sender.sent
        if not self._is_awake and QUICK_ACK:
            self._is_awake = True
            self._later(PATIENCE, self._look)

    def _look(self) -> None:
        """Have those acknowledged that have waited since the last look, and were sent nothing."""
        for sender, (since, sent) in list(self._waiting.items()):
            if sender.sent != sent:
                del self._waiting[sender]
            elif since < self._looks:
                del self._waiting[sender]
                with suppress(OSError):  # the client has gone
                    sender.acknowledge()
        self._looks += 1
        self._is_awake = bool(self._waiting)
        if self._is_awake:
            self._later(PATIENCE, self._look)
