"""As much of a SQL Server as its protocol (MS-TDS) shows of one: it knows no SQL, and keeps what it is sent.

There is no SQL Server that tests could start.  What it answers is written by the specification, not taken from one.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

REPLY, PRELOGIN = 0x04, 0x12
KINDS = {0x01: "batch", 0x03: "call", 0x06: "cancel", 0x0E: "transaction", 0x10: "login", 0x12: "prelogin"}
TRANSACTIONS = {5: "begin", 7: "commit", 8: "rollback"}

MORE, FAILED, COUNTED, CANCELLED = 0x01, 0x02, 0x10, 0x20
WAIT = object()  # in place of an answer: there is none

Row = tuple[int, str]


def done(status: int = 0, count: int = 0, token: int = 0xFD) -> bytes:
    return struct.pack("<BHHQ", token, status, 0, count)


def table(rows: Iterable[Row]) -> bytes:
    """Return a number and a text for each row, as a batch answers."""
    columns = b"".join(
        struct.pack("<IH", 0, 1) + kind + bytes([len(name)]) + name.encode("utf-16-le")
        for name, kind in (("id", b"\x26\x04"), ("name", b"\xe7" + struct.pack("<H", 200) + bytes(5)))
    )
    data = [b"\x81" + struct.pack("<H", 2) + columns]
    for number, name in rows:
        word = name.encode("utf-16-le")
        data.append(b"\xd1\x04" + struct.pack("<i", number) + struct.pack("<H", len(word)) + word)
    return b"".join(data)


def failed(number: int, message: str) -> bytes:
    """Return an error as a batch ends with."""
    said = message.encode("utf-16-le")
    inside = struct.pack("<iBBH", number, 1, 16, len(message)) + said + b"\0\0" + struct.pack("<i", 1)
    return b"\xaa" + struct.pack("<H", len(inside)) + inside + done(FAILED)


class SqlServer:
    """Listens, logs everybody in, and answers statements as it is told."""

    def __init__(self, answer: Callable[[str], object], tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self.heard: list[str] = []  # begin, commit, rollback, cancel, batches, and calls with what is in them
        self._taken: list[socket.socket] = []

    def __enter__(self) -> SqlServer:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for one in self._taken:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._taken.clear()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                taken, _ = self._server.accept()
                self._taken.append(taken)
                threading.Thread(target=self._serve, args=[taken], daemon=True).start()

    def _serve(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, ssl.SSLError), taken:
            way: Plain | Encrypted = Plain(taken)
            while True:
                kind, payload = _message(way.read)
                answer = self._answered(KINDS[kind], payload)
                if answer is not WAIT:
                    assert isinstance(answer, bytes)
                    way.write(_packets(REPLY, answer))
                if KINDS[kind] == "prelogin" and self._tls:
                    way = Encrypted(taken, self._tls)

    def _answered(self, kind: str, payload: bytes) -> object:
        if kind == "prelogin":  # a version, and whether there is encryption
            said = bytes([16, 0, 0, 0, 0, 0, 1 if self._tls else 2])
            return struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF) + said
        if kind == "login":
            name = "Microsoft SQL Server".encode("utf-16-le")
            inside = b"\x01\x74\x00\x00\x04" + bytes([len(name) // 2]) + name + bytes([16, 0, 0, 0])
            return b"\xad" + struct.pack("<H", len(inside)) + inside + done()
        if kind == "cancel":
            self.heard.append("cancel")
            return done(CANCELLED)
        payload = payload[struct.unpack_from("<I", payload)[0] :]  # behind its headers
        if kind == "transaction":
            return self._changed(*struct.unpack_from("<HxB", payload + b"\0\0"))
        said = payload.decode("utf-16-le") if kind == "batch" else _in_call(payload)
        self.heard.append(said)
        return done() if said.startswith("SET ") else self._answer(said)

    def _changed(self, request: int, flags: int) -> bytes:
        """Begin or end a transaction; the next one begins at once where that is asked for."""
        self.heard.append(TRANSACTIONS[request])
        ended = b"\xe3\x0b\x00" + bytes([9 if request == 7 else 10]) + b"\0\x08" + bytes(7) + b"\x01"
        begun = b"\xe3\x0b\x00\x08\x08" + bytes(7) + b"\x01\0"
        return begun + done() if request == 5 else ended + begun + done()


class Plain:
    """A connection as it is."""

    def __init__(self, taken: socket.socket) -> None:
        self._taken = taken

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._taken.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def write(self, data: bytes) -> None:
        self._taken.sendall(data)


class Encrypted:
    """A connection whose TLS handshake goes in packets of its own, and what comes then in none."""

    def __init__(self, taken: socket.socket, context: ssl.SSLContext) -> None:
        self._taken = taken
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        plain = Plain(taken)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                taken.sendall(_packets(PRELOGIN, self._out.read()))
                return
            if self._out.pending:
                taken.sendall(_packets(PRELOGIN, self._out.read()))
            self._in.write(_message(plain.read)[1])

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                data += self._tls.read(size - len(data))
            except ssl.SSLWantReadError:
                piece = self._taken.recv(4096)
                if not piece:
                    raise EOFError from None
                self._in.write(piece)
        return data

    def write(self, data: bytes) -> None:
        self._tls.write(data)
        self._taken.sendall(self._out.read())


def _packets(kind: int, data: bytes) -> bytes:
    """Return a message as packets, the last of which says that it is."""
    pieces = [data[at : at + 4088] for at in range(0, len(data), 4088)]
    marks = [b"\0"] * (len(pieces) - 1) + [b"\1"]
    return b"".join(
        bytes([kind]) + mark + struct.pack(">HHBB", len(piece) + 8, 0, 1, 0) + piece
        for piece, mark in zip(pieces, marks, strict=True)
    )


def _message(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Return what packets hold until the last of a message."""
    data = b""
    while True:
        header = read(8)
        kind, status, size = struct.unpack(">BBH", header[:4])
        data += read(size - 8)
        if status & 1:
            return kind, data


def _in_call(payload: bytes) -> str:
    """Return the texts of a call of sp_executesql: the statement, what its parameters are, and which."""
    assert payload[:4] == b"\xff\xff\x0a\x00"
    found = payload[6:].decode("utf-16-le", "replace") + "\n" + payload[7:].decode("utf-16-le", "replace")
    return "".join(one for one in found if one == "\n" or " " <= one <= "~")
