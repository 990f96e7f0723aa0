"""What may lie between a socket and a client: a protocol to what is below it, a transport to what is above.

A layer passes everything on; TLS (`tls.py`) and the WebSocket change what is read and written, and how it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol, cast

from protocols.mqtt import websocket
from protocols.mqtt.errors import MqttError
from protocols.mqtt.websocket import WebSocket


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


class Layer(asyncio.Protocol, asyncio.Transport):
    """Passes everything on."""

    __slots__ = ("_closing", "_lower", "_upper")

    _lower: asyncio.Transport

    def __init__(self, upper: Upper) -> None:
        self._upper = upper
        self._closing = False

    # --- what comes from below

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._lower = cast(asyncio.Transport, transport)
        self._upper.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upper.connection_lost(exc)

    def pause_writing(self) -> None:
        self._upper.pause_writing()

    def resume_writing(self) -> None:
        self._upper.resume_writing()

    def fail(self, error: MqttError) -> None:
        self._upper.fail(error)

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

    def __init__(self, upper: Upper, address: str | None = None, sent: bytes = b"") -> None:
        super().__init__(upper)
        self._sent = sent
        self._socket = WebSocket()
        self._address = address
        self._can_write = True

    def data_received(self, data: bytes) -> None:
        if self._sent:
            data, self._sent = self._sent + data, b""
        socket = self._socket
        received = socket.receive(data)
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
