"""The shell of a stream: a socket that a web worker has given away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from protocols.http.calls import Call
    from protocols.http.server import HttpServer
    from protocols.http.streams import Poll, Stream

_HIGH = 64 * 1024  # bytes with the transport, from which on what comes next waits in the stream


class Shell(asyncio.Protocol):
    """Writes what a stream has to say; what a client sends is of no interest, but for its end."""

    def __init__(self, server: HttpServer, message: bytes) -> None:
        self._server = server
        self._message = message
        self._received = 0
        self._transport: asyncio.Transport | None = None
        self.stream: Stream | Poll | Call | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_HIGH)
        self._server.opened(self, self._message)
        self._message = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.lost(self)

    def eof_received(self) -> bool:
        """Close once everything is written, if nothing is to come: a client that says no more may have left."""
        return self.stream is not None and self.stream.conclude()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._server.limits.unasked:
            self.abort()

    def pause_writing(self) -> None:
        if self.stream is not None:
            self.stream.pause(self._server.now())

    def resume_writing(self) -> None:
        if self.stream is not None:
            self.stream.resume(self._server.now())

    # --- the way to the client

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
