"""A web worker gives a client's socket to the protocols worker: of MQTT over WebSocket, and of what has to wait.

The socket itself changes hands (SCM_RIGHTS), by way of a Unix socket in DATA_DIR: no bytes are carried over, and the
web worker has nothing to do with the connection any more.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping
from pathlib import Path

from portal import unix
from portal.config import Settings

NAME = "web.sock"  # takes MQTT over WebSocket
STREAMS = "streams.sock"  # takes streams, long polls and calls
PATH = b"/mqtt"
MOST = 64 * 1024  # bytes that go along with a socket


class Away(Exception):
    """The protocols worker does not take sockets at the moment."""


class Courier:
    """Gives sockets to the protocols worker; does not block."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.data_dir
        self._is_on = settings.mqtt_web
        self._proxies = settings.trusted_proxies

    def wants(self, request: bytes | bytearray) -> bool:
        """Tell whether a request, whose head is complete, asks for MQTT over WebSocket."""
        if not self._is_on or not request.startswith((b"GET %s " % PATH, b"GET %s?" % PATH)) or len(request) > MOST:
            return False
        return any(value.lower() == b"websocket" for value in _values(request, b"upgrade"))

    def hand_over(self, client: socket.socket, peer: str, request: bytes) -> None:
        """Give a socket away with what was read of it; the caller closes its own copy.  Raises `Away`."""
        _give(self._folder, NAME, client, b"%s\n%s" % (self._address(peer, request).encode(), request))

    def _address(self, peer: str, request: bytes) -> str:
        """Return the client's address: the proxies' word for it, as far as they are trusted."""
        forwarded = _values(request, b"x-forwarded-for")
        if not self._proxies or len(forwarded) < self._proxies:
            return peer
        try:
            return str(ipaddress.ip_address(forwarded[-self._proxies].decode("ascii").strip("[]")))
        except ValueError:
            return peer


def stream(
    settings: Settings, client: socket.socket, ticket: str, headers: Mapping[str, str], *, after: int | None
) -> None:
    """Have a client's request answered by a stream of events, after the one of this number if there is one.

    The caller has got a ticket for it (`portal.hub`), and raises `portal.patient.HandedOver` next.  Raises `Away`.
    """
    _ask(settings, client, {"ticket": ticket, "headers": dict(headers), "after": after})


def poll(
    settings: Settings,
    client: socket.socket,
    ticket: str,
    headers: Mapping[str, str],
    *,
    topic: str,
    number: int,
    seconds: float,
    raw: bool,
) -> None:
    """Have a client's request answered once the topic's value has another number (0: there is none), or in time.

    `raw` asks for the bytes as application/octet-stream, whatever they are.  See `stream` for the rest.
    """
    wish = {"topic": topic, "number": number, "seconds": seconds, "raw": raw}
    _ask(settings, client, {"ticket": ticket, "headers": dict(headers), "poll": wish})


def call(settings: Settings, client: socket.socket, ticket: str, headers: Mapping[str, str], *, interim: bool) -> None:
    """Have a client's request answered once the agent has replied to the call that the ticket is for.

    `interim` says that the client knows interim responses.  See `stream` for the rest.
    """
    _ask(settings, client, {"ticket": ticket, "headers": dict(headers), "interim": interim})


def listen(data_dir: Path, name: str = NAME) -> socket.socket:
    """Return a socket at which the protocols worker takes clients over."""
    return unix.listen(data_dir, name, socket.SOCK_SEQPACKET)


def _ask(settings: Settings, client: socket.socket, message: Mapping[str, object]) -> None:
    _give(settings.data_dir, STREAMS, client, json.dumps(message).encode())


def _give(folder: Path, name: str, client: socket.socket, message: bytes) -> None:
    try:
        with unix.connect(folder, name, socket.SOCK_SEQPACKET, 0) as courier:
            socket.send_fds(courier, [message], [client.fileno()])
    except OSError as error:
        raise Away from error


def _values(request: bytes | bytearray, name: bytes) -> list[bytes]:
    """Return the values of a header that is a list, from all its lines."""
    head = bytes(request).partition(b"\r\n\r\n")[0]
    found = []
    for line in head.split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.lower() == name:
            found += [part.strip() for part in value.split(b",")]
    return found
