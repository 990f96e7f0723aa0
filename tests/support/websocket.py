"""The client's side of a WebSocket (RFC 6455), written down a second time, for tests."""

from __future__ import annotations

import os
import socket

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455, section 1.3, which also has the answer
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def handshake(path: str = "/mqtt", protocol: str | None = "mqtt", **headers: str | None) -> bytes:
    """Return a request for a WebSocket; `headers` replace or, with None, leave out some of it."""
    fields: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": protocol,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join((f"GET {path} HTTP/1.1", *lines, "", "")).encode()


def frame(payload: bytes, kind: int = BINARY, *, fin: bool = True, mask: bytes | None = None) -> bytes:
    """Return a frame as a client sends it; an empty mask leaves it unmasked."""
    key = os.urandom(4) if mask is None else mask
    head = bytes((0x80 * fin | kind,))
    masked = 0x80 if key else 0
    if len(payload) < 126:
        head += bytes((masked | len(payload),))
    elif len(payload) < 65_536:
        head += bytes((masked | 126,)) + len(payload).to_bytes(2, "big")
    else:
        head += bytes((masked | 127,)) + len(payload).to_bytes(8, "big")
    return head + key + bytes(byte ^ key[index & 3] for index, byte in enumerate(payload)) if key else head + payload


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Cut what a server sent into (first byte, payload), and what is incomplete."""
    found = []
    while len(data) >= 2:
        assert data[1] < 0x80, "a server must not mask"
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + length:
            break
        found.append((data[0], data[start : start + length]))
        data = data[start + length :]
    return found, data


class WebSocket:
    """A socket to the eye, a WebSocket on the wire."""

    def __init__(self, below: socket.socket, **headers: str) -> None:
        self.below = below
        below.sendall(handshake(**headers))
        self._rest = b""
        self.head = self._head()
        self.closed: bytes | None = None  # the payload of the Close frame

    def _head(self) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.below.recv(65_536)
            assert part, f"closed in the handshake, after {data!r}"
            data += part
        head, _, self._rest = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return head.decode()

    def sendall(self, data: bytes) -> None:
        self.below.sendall(frame(data))

    def recv(self, size: int) -> bytes:
        """Return what the next frames carry; nothing at the end."""
        while self.closed is None:
            frames, self._rest = split(self._rest)
            payload = b""
            for first, part in frames:
                assert first in {0x82, 0x88}, f"0x{first:02x}"
                if first == 0x88:
                    self.closed = part
                else:
                    payload += part
            if payload:
                return payload
            more = b"" if self.closed is not None else self.below.recv(size)
            if not more:
                break
            self._rest += more
        return b""

    def settimeout(self, seconds: float | None) -> None:
        self.below.settimeout(seconds)

    def close(self) -> None:
        self.below.close()
