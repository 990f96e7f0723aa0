"""What a protocol server is handed, and what it offers in return.

A server receives `Authenticate` and `Presence` as arguments and implements `Server`.  It imports nothing of
the portal.  Both handed-in objects may be called from any thread, never block, and never raise.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Login:
    """One attempt to come in, as the client stated it."""

    protocol: str  # the door it knocked at: "mqtt", "opcua", ...
    username: str | None
    password: bytes | None
    client_id: str
    address: str  # the peer's IP address, without its port


@dataclass(frozen=True, slots=True)
class Grant:
    """An accepted login: who it is and which topics it may use (MQTT topic filters)."""

    integration_id: int
    username: str
    publish: tuple[str, ...] = ("#",)
    subscribe: tuple[str, ...] = ("#",)


class Refusal(StrEnum):
    """Why a login was refused; the value is what activity shows."""

    NO_CREDENTIALS = "no username or password"
    UNKNOWN_USERNAME = "unknown username"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a reason, not a secret
    INACTIVE = "integration is inactive"
    WRONG_TYPE = "integration is of another type"


class Authenticate(Protocol):
    """Check a login against the current credentials, and record a refused one.

    Synchronous and in memory (a few microseconds), so that a server can authenticate and register the
    connection in one turn of its loop: a credential withdrawn in between cannot slip through.
    """

    def __call__(self, login: Login) -> Grant | Refusal: ...


class Presence(Protocol):
    """Who is connected.  Calls are queued in order and written by the presence thread."""

    def connected(self, grant: Grant, login: Login) -> str:
        """Record an accepted login with its open connection; return the connection's id."""
        ...

    def disconnected(self, connection_id: str, reason: str) -> None:
        """Record that the connection is closed.  Touches that connection only, never its successor."""
        ...


class Server(Protocol):
    """One protocol server; all its methods run on its own event loop's thread."""

    async def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accept clients on bound, listening sockets."""
        ...

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """Close every connection of these integrations now; `forget` also drops their stored sessions."""
        ...

    async def stop(self) -> None:
        """Stop accepting, close every connection, return within two seconds."""
        ...
