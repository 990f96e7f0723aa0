"""Answers other processes what only a running server knows, on the server's own event loop.

Web workers ask by `portal.worker_client`, other parts of the protocols worker by `protocols.linking`; both keep their
connections.  They are trusted, but may be broken: whatever they send, MQTT goes on beside it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping

from protocols.contract import Refused
from protocols.frames import Frame, packed
from protocols.peers import Peer, Turns

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds for a peer to take what waits for it
SLOW = 1024 * 1024  # bytes that wait for a peer, from which on nothing more is done for it
MOST_WAITING = 32 * 1024 * 1024  # bytes that may wait for a peer
MOST_HELD = 64 * 1024 * 1024  # bytes of frames that have not arrived whole, of all peers together
MOST_LINKS = 1_000
BACKLOG = 1_024

Action = Callable[..., object]


class Answers:
    """Answers at a listening Unix socket; what an action returns must fit into msgpack.

    A link action is given the `contract.Link` first.
    """

    def __init__(self, actions: Mapping[str, Action], link_actions: Mapping[str, Action]) -> None:
        self._actions = dict(actions)
        self._link_actions = dict(link_actions)
        self._links: dict[PeerLink, None] = {}  # the one that has been quiet for the longest is the first
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Begin to answer; the listener is closed in the end."""
        turns = Turns()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: PeerLink(turns, self), sock=listener, backlog=BACKLOG)

    async def stop(self) -> None:
        """Take no more questions; what was answered is still sent."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.transport.close()

    def opened(self, link: PeerLink) -> None:
        """Count a link in; of too many the one that has been quiet for the longest gives way."""
        self._links[link] = None
        if len(self._links) > MOST_LINKS:
            next(iter(self._links)).give_up(f"more than {MOST_LINKS} are open, and this was quiet for the longest")

    def used(self, link: PeerLink) -> None:
        """Note that a link is in use."""
        if link in self._links:
            del self._links[link]
            self._links[link] = None

    def weigh(self, link: PeerLink) -> None:
        """Raise ValueError if all together hold too much and this link is among those with most."""
        if link.held > SLOW and sum(one.held for one in self._links) > MOST_HELD:
            raise ValueError(f"more than {MOST_HELD} bytes of unfinished frames")

    def closed(self, link: PeerLink) -> None:
        """Forget a link."""
        self._links.pop(link, None)

    def answer(self, link: PeerLink, action: str, arguments: list[object]) -> dict[str, object]:
        """Do what is asked; return what to say, nothing if it went wrong."""
        try:
            if (act := self._link_actions.get(action)) is not None:
                return {"answer": act(link, *arguments)}
            return {"answer": self._actions[action](*arguments)}
        except Refused as error:
            return {"refused": str(error), "field": error.field}
        except Exception:  # of an action: nobody else would say so
            log.exception("another process asked what cannot be answered")
        return {}


class PeerLink(Peer):
    """A process that asks; see `contract.Link`."""

    def __init__(self, turns: Turns, answers: Answers) -> None:
        super().__init__(turns)
        self._answers = answers
        self._closings: list[Callable[[], object]] = []
        self._slow: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        return self._frames.held

    def push(self, name: str, *arguments: object) -> None:
        """Send something that was not asked for; a peer that does not take what waits for it is given up."""
        self._answers.used(self)
        self._send(packed(0, name, arguments))

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have something called when the link has ended."""
        self._closings.append(callback)

    def act(self, frame: Frame) -> None:
        match frame:
            case [int() | None as number, str() as action, list() as arguments]:
                answer = self._answers.answer(self, action, arguments)
            case _:
                raise ValueError("a frame is no question")
        if number is None:
            return
        try:
            self._send(packed(number, answer))
        except (TypeError, ValueError, OverflowError):
            log.exception("the answer to %r cannot be sent", action)
            self._send(packed(number, {}))

    def is_ready(self) -> bool:
        return self.is_open and self._slow is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(SLOW)
        self._answers.opened(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        try:
            self._answers.used(self)
            self._answers.weigh(self)
        except ValueError as error:
            self.give_up(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._answers.closed(self)
        if self._slow is not None:
            self._slow.cancel()
        for callback in self._closings:
            try:
                callback()
            except Exception:
                log.exception("a link could not be ended as it should")
        self._closings.clear()

    def pause_writing(self) -> None:
        self.hold()
        self._slow = asyncio.get_running_loop().call_later(PATIENCE, self.give_up, "it does not read")

    def resume_writing(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        self.wake()

    def _send(self, data: bytes) -> None:
        if not self.is_open:
            return
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > MOST_WAITING:
            self.give_up("it does not read")
