"""The doors of the server: how a client that comes in by one transport or another is met."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from protocols.handover import HandOver
from protocols.listening import listen
from protocols.mqtt.handshakes import Handshakes
from protocols.mqtt.layer import Upper, WebSocketLayer
from protocols.mqtt.tls import TlsLayer

Tls = Callable[[], ssl.SSLContext | None]  # the context for the next handshake, if there is a certificate
Meet = Callable[[str | None, bytes], asyncio.Protocol]  # makes the protocol for a client; see `WebSocketLayer`


class Door(Protocol):
    def close(self) -> None:
        """Let nobody in any more."""
        ...


async def open_door(transport: str, listener: socket.socket, meet: Meet) -> Door:
    """Let clients in on a bound, listening socket."""
    if transport == "web":
        return HandOver(asyncio.get_running_loop(), listener, lambda message: _welcome(message, meet))
    return await listen(listener, lambda: meet(None, b""))


def dress(
    client: Upper, transport: str, handshakes: Handshakes, tls: Tls | None, address: str | None, sent: bytes
) -> asyncio.Protocol:
    """Put what the transport needs between a client and its socket."""
    upper: Upper = client
    if transport in {"ws", "wss", "web"}:
        upper = WebSocketLayer(upper, handshakes, address, sent)
    if transport in {"tls", "wss"}:
        upper = TlsLayer(upper, handshakes, tls() if tls is not None else None)
    return upper  # type: ignore[return-value]


def _welcome(message: bytes, meet: Meet) -> asyncio.Protocol:
    """Meet a client that a web worker gave away: with its address, a line feed, and what it has sent so far."""
    address, _, sent = message.partition(b"\n")
    return meet(address.decode("ascii", "replace"), sent)
