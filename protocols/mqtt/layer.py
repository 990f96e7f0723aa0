"""What may lie between a socket and a client: a protocol to what is below it, a transport to what is above.

A layer passes everything on; TLS (`tls.py`) and the WebSocket change what is read and written, and how it ends.
Both begin with a handshake, which is counted while it is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol, cast

from protocols.mqtt import websocket
from protocols.mqtt.errors import MqttError
from protocols.mqtt.handshakes import Handshakes
from protocols.mqtt.websocket import WebSocket


class HandshakeError(MqttError):
    """What is wrong with a handshake."""


class Upper(Protocol):
    """A client, or another layer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...

    def fail(self, error: MqttError) -> None:
        """Close the connection for what is wrong below."""
        ...


class _Nobody(asyncio.Protocol):
    """Is above a layer whose connection is lost: client and layer refer to each other no more, and both are free."""

    def fail(self, error: MqttError) -> None:
        """Close nothing: it is closed."""


_NOBODY = _Nobody()


class Layer(asyncio.Protocol, asyncio.Transport):
    """Passes everything on."""

    __slots__ = ("_closing", "_handshakes", "_lower", "_upper")

    _lower: asyncio.Transport

    def __init__(self, upper: Upper, handshakes: Handshakes) -> None:
        self._upper = upper
        self._closing = False
        self._handshakes: Handshakes | None = handshakes  # until that of this layer is over

    # --- what comes from below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._lower = cast(asyncio.Transport, transport)
        self._upper.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_handshake()
        upper, self._upper = self._upper, _NOBODY
        upper.connection_lost(exc)

    def pause_writing(self) -> None:
        self._upper.pause_writing()

    def resume_writing(self) -> None:
        self._upper.resume_writing()

    def fail(self, error: MqttError) -> None:
        self._upper.fail(error)

    # --- the handshake

    def give_way(self) -> None:
        """Close an unfinished handshake: there are too many."""
        self._upper.fail(HandshakeError("a handshake in parts, while too many others are unfinished"))

    def _count_handshake(self, handshakes: Handshakes, is_open: bool) -> None:
        """Count a handshake that has begun, as long as it is not over."""
        if is_open:
            self._end_handshake()
        elif not self._closing:
            peer = self.get_extra_info("peername")
            handshakes.begin(self, peer[0] if peer else "unknown")

    def _end_handshake(self) -> None:
        if self._handshakes is not None:
            self._handshakes.end(self)
            self._handshakes = None

    # --- what comes from above

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._lower.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        self._lower.pause_reading()

    def resume_reading(self) -> None:
        self._lower.resume_reading()

    def is_closing(self) -> bool:
        return self._closing or self._lower.is_closing()

    def close(self) -> None:
        self._closing = True
        self._lower.close()

    def abort(self) -> None:
        self._closing = True
        self._lower.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._lower.get_extra_info(name, default)


class WebSocketLayer(Layer):
    """A WebSocket.

    Of one that comes from a web worker, `address` is the client's and `sent` what was read already; it is used before
    what is read first, which may be nothing.
    """

    __slots__ = ("_address", "_can_write", "_sent", "_socket")

    def __init__(self, upper: Upper, handshakes: Handshakes, address: str | None = None, sent: bytes = b"") -> None:
        super().__init__(upper, handshakes)
        self._sent = sent
        self._socket = WebSocket()
        self._address = address
        self._can_write = True

    def data_received(self, data: bytes) -> None:
        if self._sent:
            data, self._sent = self._sent + data, b""
        socket = self._socket
        received = socket.receive(data)
        if self._handshakes is not None and data and socket.error is None:
            self._count_handshake(self._handshakes, socket.is_open)
        if socket.replies:
            self._reply()
        if received and not self._closing:
            self._upper.data_received(received)
        if socket.closed:
            self._closing = True
            self._lower.close()
        elif socket.error is not None and not self._closing:
            self._upper.fail(socket.error)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write as one binary frame."""
        if self._socket.is_open and not self._closing:
            self._lower.write(websocket.data_header(len(data)) + data)

    def close(self) -> None:
        """Say that this is the end, and wait for the peer to say so too; the server's sweep ends the wait."""
        if self._closing:
            return
        self._closing = True
        if not self._socket.is_open:
            self._lower.close()
        elif not self._lower.is_closing():
            error = self._socket.error
            status = error.status if error is not None else websocket.NORMAL
            self._lower.write(websocket.close_frame(status.to_bytes(2, "big")))
            self._lower.resume_reading()

    def pause_writing(self) -> None:
        self._can_write = False
        self._upper.pause_writing()

    def resume_writing(self) -> None:
        self._can_write = True
        self._upper.resume_writing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername" and self._address is not None:
            return self._address, 0
        return self._lower.get_extra_info(name, default)

    def _reply(self) -> None:
        """Answer a handshake, a Ping or a Close; Pings of a peer that does not read stay without answer."""
        replies, self._socket.replies = self._socket.replies, []
        if self._can_write and not self._closing:
            self._lower.write(b"".join(replies))
