"""The socket of one connection: feeds what arrives, and closes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

from asyncua import ua
from asyncua.ua.ua_binary import uatcp_to_binary

from protocols.opcua.common import Common
from protocols.opcua.doors import has_left
from protocols.opcua.errors import FrameError, Refused, WrongLogin, name
from protocols.opcua.frames import Frame, Frames
from protocols.opcua.held import Share
from protocols.opcua.processor import Processor
from protocols.opcua.steps import DONE, go_on, next_step

CONNECTION_LOST = "connection lost"
CLOSED = "closed by the client"
STOPPING = "server is stopping"
TIMED_OUT = "session timed out"
REFUSED = "login refused"

_TOO_MUCH = "unfinished messages, while those of others are too many"
_LAST_WORDS = 0.1  # seconds for a client to take what it is told at the end
_PATIENCE = 2.0  # seconds for it to be sent
_FAREWELL = 0.5  # seconds for a refused client to close its session and channel; all that it asks for is refused


class Host(Protocol):
    """What a server does for its sockets."""

    common: Common

    def open(self, shell: Shell, transport: asyncio.Transport, address: str) -> Processor:
        """Begin a connection."""
        ...

    def lost(self, shell: Shell) -> None:
        """Forget a connection whose socket is closed."""
        ...

    def settled(self, shell: Shell, *, logged_in: bool) -> None:
        """Note that a connection has logged in, or has no session any more."""
        ...


class Shell(asyncio.Protocol):
    """The socket of one connection."""

    processor: Processor
    _transport: asyncio.Transport

    def __init__(self, host: Host) -> None:
        self._host = host
        self._common = host.common
        self._frames = Frames(self._common.limits.max_chunk)
        self._queue: deque[Frame] = deque()
        self._queued = 0  # bytes in it
        self._served = 0  # bytes of the message that is being served
        self._share = Share(self._common.held)
        self._task: asyncio.Task[None] | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._reads = True
        self._was_in = False
        self._since = self._common.now()  # without a session
        self.closed = False
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")  # None when it is gone already
        self.address = peer[0] if peer else "unknown"
        self.processor = self._host.open(self, self._transport, self.address)

    def connection_lost(self, exc: Exception | None) -> None:
        self.close(CONNECTION_LOST)
        self._can_write.set()
        self._host.lost(self)

    def data_received(self, data: bytes) -> None:
        if self.closed:
            return
        self.processor.counts.bytes_in += len(data)
        try:
            found = self._frames.feed(data)
        except FrameError as error:
            self._fail(error)
            return
        self._queue.extend(found)
        self._queued += sum(len(frame.data) for frame in found)
        if self._queue and self._task is None:
            self._begin()
        if self._hold():
            limit = self._share.limit
            self._fail(FrameError(ua.StatusCodes.BadTcpNotEnoughResources, _TOO_MUCH, limit))
        elif self._reads and not self.closed and self._is_full(1):
            self._reads = False
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def check(self, now: float) -> None:
        """Close a connection that is overdue, or whose client has left while it was not read."""
        if self.closed:
            return
        if not self._reads and has_left(self._transport.get_extra_info("socket").fileno()):
            self.close(CONNECTION_LOST)
            return
        session, limits = self.processor.session, self._common.limits
        if session is not None and session.is_activated():
            if now - self.processor.active_at > (session.session_timeout or limits.session_timeout):
                self._common.hits.add("session_timeout")
                self.close(TIMED_OUT)
        elif now - self._since > limits.connect_timeout and not self.processor.is_logging_in:
            self._common.hits.add("connect_timeout")
            self._common.journal.note(self.address, "no login in time")
            self.close("no login in time")

    def close(self, reason: str, *, gently: bool = False) -> None:
        """End the session now, and close the socket; `gently` after the client has had time to read why."""
        if self.closed:
            return
        self.closed = True
        self._forget()
        self.processor.end(reason)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if gently:
            self._transport.pause_reading()
            self._common.loop.call_later(_LAST_WORDS, self._transport.close)
            self._common.loop.call_later(_PATIENCE, self._transport.abort)
        else:
            self._transport.abort()

    def _begin(self) -> None:
        """Take what has arrived: a Read or a Write without a task, as long as there is nothing to wait for."""
        work = self._work()
        if self.processor.is_quick(self._queue[0]):
            waits_for = next_step(work)
            if waits_for is not DONE:
                self._task = self._common.loop.create_task(go_on(work, waits_for))
        else:
            self._task = self._common.loop.create_task(work)

    async def _work(self) -> None:
        """Take what has arrived, one after the other, as fast as the client takes the answers."""
        try:
            while self._queue and not self.closed:
                await self._can_write.wait()
                if not self._queue:  # it was closed meanwhile
                    break
                await self._take(self._next())
                self._served = 0
                self._note_login()
                self._hold()
                self._read_on()
                if self._queue:
                    await asyncio.sleep(0)
        except FrameError as error:
            self._fail(error)
        except Exception as error:
            # Of ours; without this the client would wait, and nobody would know.
            self._common.journal.fail(self.address, error)
            self.close("an error of the server")
        finally:
            self._task = None
            self._served = 0
            self._hold()

    def _next(self) -> Frame:
        """Return the frame that is served now."""
        frame = self._queue.popleft()
        self._queued -= len(frame.data)
        self._served = len(frame.data)
        if frame.chunk == b"F":
            self._served += self.processor.channel.unfinished
        return frame

    def _hold(self) -> bool:
        """Count what is held of messages that are not served; return whether all together hold too much."""
        size = self._queued + self._served + self._frames.waiting + self.processor.channel.unfinished
        return self._share.change(size, logged_in=self.processor.is_in)

    def _is_full(self, part: int) -> bool:
        """Tell whether so much waits, or a part of it, that the client is not read."""
        limits = self._common.limits
        most = limits.queued_bytes if self.processor.is_in else limits.max_first_message
        return len(self._queue) * part >= limits.queued_frames or self._queued * part >= most

    def _forget(self) -> None:
        """Let go of all that has arrived."""
        self._queue.clear()
        self._queued = self._served = 0
        self._frames = Frames(self._common.limits.max_chunk)
        self.processor.channel.forget()
        self._hold()

    async def _take(self, frame: Frame) -> None:
        try:
            if not await self.processor.take(frame):
                self.close(CLOSED)
        except Refused as refused:
            if not isinstance(refused, WrongLogin):
                self._common.journal.note(self.address, f"turned away: {refused}")
            self.processor.refuse(refused)
            self._common.loop.call_later(_FAREWELL, self.close, REFUSED)

    def _note_login(self) -> None:
        session = self.processor.session
        is_in = session is not None and session.is_activated()
        if is_in != self._was_in:
            self._was_in = is_in
            self._since = self._common.now()
            if not self.closed:
                self._host.settled(self, logged_in=is_in)

    def _read_on(self) -> None:
        if not self._reads and not self.closed and not self._is_full(2):
            self._reads = True
            self._transport.resume_reading()

    def _fail(self, error: FrameError) -> None:
        """Say what is wrong (ERR, OPC 10000-6, section 7.1.2.5), and close."""
        self._common.journal.note(self.address, str(error))
        if error.limit:
            self._common.hits.add(error.limit)
        message = ua.ErrorMessage(ua.StatusCode(error.code), name(error.code))
        self._transport.write(uatcp_to_binary(ua.MessageType.Error, message))
        self.close(str(error), gently=True)
