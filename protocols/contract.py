"""What a protocol server is handed, and what it offers in return.

A server receives `Authenticate` and `Presence` as arguments and implements `Server`.  It imports nothing of
the portal.  Both handed-in objects may be called from any thread, never block, and never raise.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Login(NamedTuple):
    """One attempt to come in, as the client stated it."""

    protocol: str  # the door it knocked at: "mqtt", "opcua", ...
    username: str | None
    password: bytes | None
    client_id: str
    address: str  # the peer's IP address, without its port
    version: str = ""  # of the protocol: "3.1.1", "5.0"
    transport: str = "tcp"  # "tcp", "tls", "ws", "wss", "web" (a WebSocket through the portal's own port), or "http"
    will_topic: str = ""  # of MQTT
    name: str = ""  # what the client says that it is called, where its protocol has a word for that


class Grant(NamedTuple):
    """An accepted login: who it is and which topics it may use.

    The topic filters may hold %u and %c, which the server replaces by the username and the client id.
    """

    integration_id: int
    username: str
    publish: tuple[str, ...] = ("#",)
    subscribe: tuple[str, ...] = ("#",)
    domain: str = ""  # of VRPC: where its agents and clients are; for an HTTP one, whose functions it may call
    role: str = ""  # in that domain: "agent", "client" or "both"
    is_single: bool = False  # it lets in one client identifier at a time
    closed: frozenset[str] = frozenset()  # all domains of VRPC: no wildcard, %u or %c stands for one of these


class Refusal(StrEnum):
    """Why a login was refused; the value is what activity shows."""

    NO_CREDENTIALS = "no username or password"
    UNKNOWN_USERNAME = "unknown username"
    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a reason, not a secret
    INACTIVE = "integration is inactive"
    WRONG_TYPE = "integration is of another type"
    TOO_MANY_FAILURES = "too many failed logins"
    NO_AGENT_OR_CLIENT = "its Will is that of no VRPC agent or client"
    OTHER_DOMAIN = "its Will is in another VRPC domain than its integration"
    OTHER_ROLE = "its integration does not have this role in its VRPC domain"
    NAME_TAKEN = "another integration is online as this VRPC agent or client"
    NAME_OWNED = "the VRPC agent of this name belongs to another integration, see the page Agents"
    ANOTHER_INSTANCE = "another instance of this Edge Connector is online"
    FLEET_CLOSED = "fleet is closed to new members"
    NO_FLEET = "no fleet has this prefix and token"


@dataclass(frozen=True, slots=True)
class Wait:
    """No answer yet: keep the client at the door, and ask again after so many seconds.

    `knocks` says that an operator is asked whether the client may come in.
    """

    seconds: float
    knocks: bool = False


class Given(NamedTuple):
    """Credentials that were made up for a client without a username, to knock with."""

    username: str
    password: str


class Give(Protocol):
    """Have an operator asked about a client without a username, under credentials that are made up for it.

    Only to be called for a client that can be told them, over its own connection, as the one answer that it gets;
    it is not let in, and recorded as refused.  None where nobody may ask to come in; then nothing is recorded.
    Synchronous and in memory, as `Authenticate`.
    """

    def __call__(self, login: Login) -> Given | None: ...


def give_nobody(login: Login) -> Given | None:
    """`Give` where clients that nobody knows may never ask to come in."""
    return None


class Authenticate(Protocol):
    """Check a login against the current credentials, and record a refused one.

    Synchronous and in memory (a few microseconds), so that a server can authenticate and register the
    connection in one turn of its loop: a credential withdrawn in between cannot slip through.
    `waited` is how many seconds have passed since the login was first asked about.  Nothing is recorded
    before the answer is final.
    """

    def __call__(self, login: Login, waited: float = 0.0) -> Grant | Refusal | Wait: ...


class Presence(Protocol):
    """Who is connected.  Calls are queued in order and written by the presence thread."""

    def connected(self, grant: Grant, login: Login) -> str:
        """Record an accepted login with its open connection; return the connection's id."""
        ...

    def refused(self, login: Login, refusal: Refusal, integration_id: int | None) -> None:
        """Record a login that was not accepted for another reason than its credentials."""
        ...

    def disconnected(self, connection_id: str, reason: str) -> None:
        """Record that the connection is closed.  Touches that connection only, never its successor."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What a server knows of one open connection."""

    connection_id: str
    client_id: str
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    queued: int  # messages that wait for it
    dropped: int  # messages for it that were thrown away
    subscription_count: int
    subscriptions: tuple[tuple[str, int], ...]  # (topic filter, QoS) of the first hundred; of OPC UA (node id, 0)
    muted: tuple[int, ...] = ()  # which of these get nothing, because they are not permitted any more
    denied: int = 0  # messages of a VRPC agent or client that it was not permitted to publish
    application_name: str = ""  # this and what follows: of OPC UA
    application_uri: str = ""
    security_mode: str = ""  # "None", "Sign" or "SignAndEncrypt"
    security_policy: str = ""  # "None", "Basic256Sha256", ...
    monitored_items: int = 0
    values_read: int = 0
    values_written: int = 0


@dataclass(frozen=True, slots=True)
class StoredInfo:
    """What a server keeps for one client that is away; times are seconds since the epoch."""

    key: str  # tells it from the others of its integration
    client_id: str
    since: int | None  # when it left; None where that was before the server started, and is not known
    ends_at: int | None  # None where it is kept for ever
    subscription_count: int
    messages: int  # that wait for it
    bytes: int  # of these, as the limits count them
    dropped: int  # messages for it that were thrown away since the server started


@dataclass(frozen=True, slots=True)
class Trouble:
    """What cannot be written at present, and since when (seconds since the epoch)."""

    file: str
    fault: str  # goes on after the file's name
    meanwhile: str  # what that means for clients
    since: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one integration sent and got since this was last asked."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """One limit of a server: how much of it is used, and how often something ran into it."""

    name: str  # the setting that holds the limit, such as MQTT_MAX_CONNECTIONS
    used: int | None  # None where the limit is one of each client
    limit: float
    exceeded: int | None  # None where nothing is refused: what is asked for is brought within the limit


class Refused(Exception):
    """What a page asked of a server cannot be done; the message is for the person who asked.

    `field` names what of their input it is about, by the action's own name for it; "" for none of it.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Link(Protocol):
    """A connection from another process that is told more than the answers to its questions."""

    def push(self, name: str, *arguments: object) -> None:
        """Send something that was not asked for, which must fit into msgpack; does nothing once the link has ended.

        A link that does not take what waits for it is ended.
        """
        ...

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have something called on the loop when the link has ended."""
        ...


class Server(Protocol):
    """One protocol server; all its methods run on its own event loop's thread."""

    async def start(self, listeners: Mapping[str, Sequence[socket.socket]], grants: Mapping[int, Grant]) -> None:
        """Accept clients on bound, listening sockets, by transport (see `Login.transport`).

        `grants` has every integration that exists: what was stored for others is forgotten.
        """
        ...

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """Close every connection of these integrations now; `forget` also drops their stored sessions."""
        ...

    def kick(self, connection_ids: Collection[str], reason: str) -> None:
        """Close these connections now, where they are still open."""
        ...

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold open connections and stored sessions of these integrations to other topics from now on."""
        ...

    def connections(self, integration_id: int) -> list[ConnectionInfo]:
        """Return what is known of the open connections of an integration."""
        ...

    def traffic(self) -> dict[int, Traffic]:
        """Return the traffic of each integration that had any since the last call."""
        ...

    def usage(self) -> list[Usage]:
        """Return the limits."""
        ...

    def switch(self, switches: Mapping[str, bool]) -> None:
        """Follow what an operator has switched, by the settings' names; those of other servers are ignored."""
        ...

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask of this server alone, by name; what is returned must fit into msgpack.

        Each runs on the server's own loop, and has to be brief.  Raises `Refused`.
        """
        ...

    def link_actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what other processes may ask, by name; as `actions`, but the `Link` comes first of the arguments."""
        ...

    async def stop(self) -> None:
        """Stop accepting, close every connection, return within two seconds."""
        ...
