"""The protocol servers, each on a thread with an event loop of its own."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from protocols.contract import Grant, Server
from protocols.looper import Looper

log = logging.getLogger(__name__)

T = TypeVar("T")

START = 120.0  # seconds to take back all that was stored
STOP = 2.0  # seconds that each server, and then its thread, has to end
ANSWER = 0.8  # seconds that a server has to answer another thread


class Servers:
    """Starts and stops the servers, and hands them work from other threads."""

    def __init__(self) -> None:
        self._running: list[tuple[Looper, Server]] = []

    def start(
        self,
        protocol: str,
        server: Server,
        listeners: Mapping[str, Sequence[socket.socket]],
        grants: Mapping[int, Grant],
    ) -> Looper:
        """Start a server on a thread of its own, which is returned when it accepts clients."""
        looper = Looper(protocol)
        looper.start()
        looper.run(server.start(listeners, grants), START)
        self._running.append((looper, server))
        return looper

    def stop(self) -> None:
        """Stop each server and its thread."""
        for looper, server in self._running:
            try:
                looper.run(server.stop(), STOP)
            except TimeoutError:
                log.error("the %s server did not stop in time", looper.name)
            looper.stop(STOP)

    def tell(self, act: Callable[[Server], object]) -> None:
        """Have something done by each server soon, on its own thread."""
        for looper, server in self._running:
            looper.call(partial(act, server))

    def ask(self, question: Callable[[Server], T]) -> list[T]:
        """Return what each server answers, on its own thread.  Raises TimeoutError."""

        async def answer(server: Server) -> T:
            return question(server)

        return [looper.run(answer(server), ANSWER) for looper, server in self._running]

    def stuck(self) -> list[str]:
        """Return the names of the threads whose loops do not answer."""
        return [looper.name for looper, _ in self._running if not looper.ping()]
