"""TLS between a socket and a client.

The loop's own would do the same, but tells nobody why a handshake failed, keeps its certificate for as long as it
listens, and holds a buffer of 256 KiB for each connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from protocols.mqtt.handshakes import Handshakes
from protocols.mqtt.layer import HandshakeError, Layer, Upper

PIECE = 16 * 1024  # the most that a record carries; OpenSSL's buffers keep the size that they once had

_HANDSHAKE = 0x16  # the first byte of every TLS connection (RFC 8446, section 5.1)
_FACTS = {
    "HTTP_REQUEST": "plain HTTP on a port that speaks TLS",
    "NO_SHARED_CIPHER": "the client shares no cipher with the server",
    "UNSUPPORTED_PROTOCOL": "the client speaks no TLS 1.2 or later",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not trust the certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client finds the certificate expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not trust the certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the certificate",
    "TLSV1_ALERT_DECRYPT_ERROR": "the client does not trust the certificate",
}


class TlsError(HandshakeError):
    """What is wrong with the handshake or a record."""


class TlsLayer(Layer):
    """The server's side of TLS; without a context every client is turned away."""

    __slots__ = ("_context", "_ended", "_incoming", "_is_open", "_is_tls", "_outgoing", "_tls")

    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    _tls: ssl.SSLObject

    def __init__(self, upper: Upper, handshakes: Handshakes, context: ssl.SSLContext | None) -> None:
        super().__init__(upper, handshakes)
        self._context = context
        self._is_tls = False  # the first byte said so
        self._is_open = False  # the handshake is done
        self._ended = False  # the peer has said that nothing follows

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._context is None:
            self._fail("there is no usable certificate")

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if not self._is_tls:
            if data[0] != _HANDSHAKE:
                self._fail(_plain(data))
                return
            self._begin()
        received: list[bytes] = []
        fact = None
        try:
            for piece in _pieces(data):
                self._decrypt(piece, received)
        except ssl.SSLError as error:
            fact = _fact(error)
        if self._outgoing.pending:
            self._lower.write(self._outgoing.read())
        if self._handshakes is not None and fact is None:
            self._count_handshake(self._handshakes, self._is_open)
        if received:
            self._upper.data_received(b"".join(received))
        if fact is not None:
            self._fail(fact)
        elif self._ended:
            self.close()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write encrypted."""
        if not self._is_open or self._closing:
            return
        records = []
        for piece in _pieces(data):
            self._tls.write(piece)
            records.append(self._outgoing.read())
        self._lower.writelines(records)

    def close(self) -> None:
        """Say that this is the end, and close."""
        if self._closing:
            return
        self._closing = True
        if self._is_open:
            with suppress(ssl.SSLError):  # the peer has not said so yet
                self._tls.unwrap()
            if self._outgoing.pending:
                self._lower.write(self._outgoing.read())
        self._lower.close()

    def _begin(self) -> None:
        """Make what a handshake needs: a client that has sent nothing costs none of it."""
        self._is_tls = True
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        assert self._context is not None  # noqa: S101 - it would be closing
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def _decrypt(self, piece: bytes | bytearray | memoryview[Any], received: list[bytes]) -> None:
        """Go on with the handshake, or decrypt what there is."""
        self._incoming.write(piece)
        with suppress(ssl.SSLWantReadError):
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
            while chunk := self._tls.read(PIECE):
                received.append(chunk)
            self._ended = True

    def _fail(self, fact: str) -> None:
        self._is_open = False
        self._upper.fail(TlsError(fact))
        self.close()


def _pieces(data: bytes | bytearray | memoryview[Any]) -> Iterator[bytes | bytearray | memoryview[Any]]:
    if len(data) <= PIECE:
        yield data
        return
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        yield view[start : start + PIECE]


def _plain(data: bytes) -> str:
    """Say what arrived where TLS should have begun."""
    if data[0] == 0x10:
        return "plain MQTT on a port that speaks TLS"
    if data[:1].isalpha():
        return _FACTS["HTTP_REQUEST"]
    return f"0x{data[0]:02x} instead of a TLS handshake"


def _fact(error: ssl.SSLError) -> str:
    reason = getattr(error, "reason", None) or type(error).__name__
    return f"TLS failed: {_FACTS.get(reason, reason.lower().replace('_', ' '))}"
