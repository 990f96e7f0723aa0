"""One end of a connection between two processes: acts on frames without holding up the loop that it runs on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import cast

from protocols.frames import Frame, Frames

log = logging.getLogger(__name__)

PIECE = 32 * 1024  # bytes that are looked at at once: at worst each of them is an object to be made
TURN = 0.001  # seconds in one turn of the loop for all peers together; what has been begun is finished


class Turns:
    """Lets peers act on what has arrived: one frame each in turn, and for a moment in one turn of the loop."""

    def __init__(self) -> None:
        self._due: deque[Peer] = deque()
        self._loop = asyncio.get_running_loop()
        self._is_planned = False

    def add(self, peer: Peer) -> None:
        """Have a peer act soon."""
        self._due.append(peer)
        self._plan()

    def _plan(self) -> None:
        if not self._is_planned:
            self._is_planned = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        self._is_planned = False
        until = time.perf_counter() + TURN
        while self._due:
            peer = self._due.popleft()
            if peer.step():
                self._due.append(peer)
            if time.perf_counter() > until:
                break
        if self._due:
            for peer in self._due:
                peer.hold()
            self._plan()


class Peer(asyncio.Protocol):
    """Whom this process is connected with; a subclass acts on its frames."""

    transport: asyncio.Transport

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._frames = Frames()
        self._pieces: deque[bytes] = deque()  # of what has arrived, to be looked at
        self._is_due = False
        self._is_held = False
        self.is_open = False

    def act(self, frame: Frame) -> None:
        """Act on a frame.  Raises ValueError if it has the wrong shape."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._pieces.extend(data[start : start + PIECE] for start in range(0, len(data), PIECE))
        self.wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False

    def wake(self) -> None:
        """Act on what has arrived, soon."""
        if not self._is_due:
            self._is_due = True
            self._turns.add(self)

    def step(self) -> bool:
        """Act on one frame, or look at one piece of what has arrived; return False if there is neither for now."""
        try:
            if self.is_ready() and (frame := self._next()) is not None:
                self.act(frame)
                return True
            if self.is_ready() and self._pieces:
                return True
        except ValueError as error:
            self.give_up(str(error))
        self._is_due = False
        if self._is_held and self.is_ready():
            self._is_held = False
            self.transport.resume_reading()
        return False

    def _next(self) -> Frame | None:
        frame = self._frames.next() if self._frames.held else None
        if frame is None and self._pieces:
            self._frames.feed(self._pieces.popleft())
            frame = self._frames.next()
        return frame

    def is_ready(self) -> bool:
        """Tell whether frames may be acted on."""
        return self.is_open

    def hold(self) -> None:
        """Read no more for now: there is enough to do."""
        if not self._is_held and self.is_open:
            self._is_held = True
            self.transport.pause_reading()

    def give_up(self, reason: str) -> None:
        """Close the connection at once."""
        if self.is_open:
            self.is_open = False
            log.warning("a connection to another process is closed: %s", reason)
            self.transport.abort()
