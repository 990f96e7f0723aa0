"""HTTP/1.1 as the load speaks it: requests that are encoded once, and answers with their length in the head."""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping

from benchmarks.generator.clients import LoadError

PATIENCE = 10  # seconds for an answer
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_MOST = 262_144  # bytes in one read


def basic(username: str, password: str) -> str:
    """Return the value of Authorization."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def request(method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Return a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def answer(data: bytes) -> tuple[int, bytes, int] | None:
    """Return the status and the body of the answer at the start, and where it ends; None while it is incomplete."""
    end = data.find(_END)
    if end < 0:
        return None
    head = data[:end].lower()
    status, body, at = int(data[9:12]), end + len(_END), head.find(_LENGTH)
    if at < 0 and status != 204:
        raise LoadError(f"an answer without its length: {data[:end].decode(errors='replace')}")
    length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    return (status, data[body : body + length], body + length) if len(data) >= body + length else None


class Link:
    """A connection that stays open, with one request under way at a time."""

    __slots__ = ("_rest", "fileno", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fileno = self.socket.fileno  # so that select() takes it
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Send a request."""
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes] | None:
        """Read once; return status and body when the answer is whole.  Raises LoadError for a connection that ends."""
        data = self.socket.recv(_MOST)
        if not data:
            raise LoadError("the server closed a connection")
        self._rest += data
        found = answer(self._rest)
        if found is None:
            return None
        status, body, end = found
        if len(self._rest) > end:
            raise LoadError(f"more than an answer arrived: {self._rest[end : end + 40].hex()}")
        self._rest = b""
        return status, body
