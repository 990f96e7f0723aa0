"""Connections to named hosts only: every address that a name resolves to is looked at, and the one that is used is it.

A name that is allowed may be made to resolve to something else (DNS rebinding): a check of the name alone would let a
request for it through to whatever listens on this machine.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore

from edge_connector.errors import Refused, TimedOut

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Origin:
    """Where requests may go to."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return what the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Guard(httpcore.NetworkBackend):
    """Opens sockets to what is allowed, and holds everything on them to the deadline of the request."""

    def __init__(self, networks: dict[str, list[Network]], timeout: float) -> None:
        self._networks = networks
        self._timeout = timeout

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        deadline = time.monotonic() + self._timeout
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} is not known: {error.strerror}") from None
        failed: Exception = Refused(f"{host} has no address")
        for *_, place in found:
            self._check(host, ipaddress.ip_address(str(place[0]).partition("%")[0]))
            try:
                return _Stream(socket.create_connection((str(place[0]), port), _left(deadline)), deadline)
            except OSError as error:
                failed = httpcore.ConnectError(f"{host}:{port} cannot be reached: {error.strerror or error}")
        raise failed

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise Refused("there are no requests to Unix sockets")

    def _check(self, host: str, address: Address) -> None:
        """Refuse an address that a name must not lead to.  Raises `Refused`."""
        plain = getattr(address, "ipv4_mapped", None) or address
        allowed = self._networks[host]
        if allowed:
            if not any(plain in network for network in allowed):
                raise Refused(f"{host} leads to {plain}, which the agent's configuration does not allow")
        elif plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast:
            raise Refused(
                f"{host} leads to {plain}, a local address; the agent's configuration has to name its network"
            )


class _Stream(httpcore.NetworkStream):
    """A socket on which no read or write goes beyond the deadline, however slowly the other end talks."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(self._within(self._socket.recv, max_bytes))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._within(self._socket.sendall, buffer)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        wrapped = self._within(
            lambda name: ssl_context.wrap_socket(self._socket, server_hostname=name), server_hostname
        )
        return _Stream(wrapped, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None

    def _within(self, act: Any, argument: Any) -> Any:
        try:
            self._socket.settimeout(_left(self._deadline))
            return act(argument)
        except TimeoutError:
            raise TimedOut("the server took too long") from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut("the server took too long")
    return left
