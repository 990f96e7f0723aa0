"""A lasting connection to another part of the protocols worker, which comes back by itself; see `protocols.answers`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Mapping

from protocols.contract import Refused
from protocols.frames import Frame, packed
from protocols.peers import Peer, Turns

log = logging.getLogger(__name__)

PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two tries to connect, longer from try to try
ANSWER = 5.0  # seconds
MOST_WAITING = 16 * 1024 * 1024  # bytes that are kept while the other part is away or slow
MOST_ASKED = 1_000  # questions without an answer yet
FRAME_COST = 64  # bytes that one takes besides its own
SLOW = 256 * 1024  # bytes in the transport, from which on they are kept here

Dial = Callable[[], socket.socket]  # connects without blocking.  Raises OSError.


class Away(Exception):
    """The other part did not answer; what was asked for may have been done all the same."""


class OtherPart:
    """The other part, as one without threads talks to it; all methods are called on the loop."""

    def __init__(
        self,
        dial: Dial,
        pushes: Mapping[str, Callable[..., object]],
        connected: Callable[[], object],
        disconnected: Callable[[], object],
    ) -> None:
        """`pushes` are called by name with what is pushed.

        `connected` is called each time that there is a connection, before anything that waited is sent: the other part
        knows nothing then, and has to be told again what is wanted from it.  `disconnected` is called
        when it has ended.
        """
        self._dial = dial
        self._pushes = dict(pushes)
        self._connected, self._disconnected = connected, disconnected
        self._end: _End | None = None
        self._waiting: deque[bytes] = deque()
        self._size = 0  # bytes of these
        self._asked: dict[int, asyncio.Future[object]] = {}
        self._number = 0
        self._task: asyncio.Task[None] | None = None
        self._is_beginning = False
        self.dropped = 0  # how much was told and thrown away, because the other part was away or slow for too long

    @property
    def is_connected(self) -> bool:
        return self._end is not None

    def start(self) -> None:
        """Connect, and stay connected."""
        self._turns = Turns()
        self._task = asyncio.get_running_loop().create_task(self._stay())

    async def stop(self) -> None:
        """Close the connection; what was sent still arrives."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._end is not None:
            self._end.transport.close()
            self._forget()

    def tell(self, action: str, *arguments: object) -> None:
        """Have something done, without an answer.  While the other part is away it waits; the oldest is dropped first.

        What is on its way when the connection ends is lost.
        """
        self._send(packed(None, action, arguments))

    async def ask(self, action: str, *arguments: object) -> object:
        """Have something done, and return the answer.  Raises `Refused` and, also at once, `Away`."""
        if self._end is None or len(self._asked) >= MOST_ASKED:
            raise Away
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send(packed(number, action, arguments))
            return await asyncio.wait_for(answer, ANSWER)
        except TimeoutError:
            raise Away from None
        finally:
            del self._asked[number]

    async def _stay(self) -> None:
        pause = PAUSE
        while True:
            lasted = await self._converse(is_first_try=pause == PAUSE)
            pause = PAUSE if lasted > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _converse(self, *, is_first_try: bool) -> float:
        """Connect, and stay connected until the connection ends; return for how many seconds that was."""
        try:
            end = await self._connect()
        except OSError as error:
            if is_first_try:
                log.warning("another part of the protocols worker cannot be reached: %s", error)
            return 0.0
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._begin(end)
        await end.ended.wait()
        self._forget()
        try:
            self._disconnected()
        except Exception:
            log.exception("the end of a connection to another part could not be followed")
        return loop.time() - began

    async def _connect(self) -> _End:
        loop = asyncio.get_running_loop()
        dialled = self._dial()
        dialled.setblocking(False)
        try:
            _, end = await loop.create_unix_connection(lambda: _End(self._turns, self), sock=dialled)
        except BaseException:
            dialled.close()
            raise
        return end

    def _begin(self, end: _End) -> None:
        self._end = end
        self._is_beginning = True
        try:
            self._connected()
        except Exception:
            log.exception("what is wanted of another part could not be said")
        self._is_beginning = False
        self.flush()

    def _forget(self) -> None:
        self._end = None
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Away())

    def _send(self, data: bytes) -> None:
        """Send a frame, or keep it behind those that wait; when the connection begins, before them."""
        if self._end is not None and (self._is_beginning or (self._end.is_writable and not self._waiting)):
            self._end.transport.write(data)
            return
        self._waiting.append(data)
        self._size += len(data) + FRAME_COST
        while self._size > MOST_WAITING:
            self._next()
            self.dropped += 1

    def _next(self) -> bytes:
        data = self._waiting.popleft()
        self._size -= len(data) + FRAME_COST
        return data

    def flush(self) -> None:
        """Send what waits, as far as the other part takes it."""
        while self._waiting and self._end is not None and self._end.is_writable:
            self._end.transport.write(self._next())

    def hear(self, frame: Frame) -> None:
        """Act on what the other part says.  Raises ValueError if it has the wrong shape."""
        match frame:
            case [0, str() as name, list() as arguments]:
                self._take(name, arguments)
            case [int() as number, dict() as answer]:
                if (asked := self._asked.get(number)) is not None and not asked.done():
                    _settle(asked, answer)
            case _:
                raise ValueError("a frame is no answer")

    def _take(self, name: str, arguments: list[object]) -> None:
        try:
            self._pushes[name](*arguments)
        except Exception:
            log.exception("what another part has pushed cannot be used")


def _settle(asked: asyncio.Future[object], answer: Mapping[str, object]) -> None:
    if "answer" in answer:
        asked.set_result(answer["answer"])
    elif "refused" in answer:
        asked.set_exception(Refused(str(answer["refused"]), str(answer["field"])))
    else:
        asked.set_exception(Away())


class _End(Peer):
    """This end of the connection."""

    def __init__(self, turns: Turns, part: OtherPart) -> None:
        super().__init__(turns)
        self._part = part
        self.is_writable = True
        self.ended = asyncio.Event()

    def act(self, frame: Frame) -> None:
        self._part.hear(frame)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(SLOW)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.is_writable = False
        self.ended.set()

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        self._part.flush()
