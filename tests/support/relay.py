"""A network between a client and a server: it can hold bytes back, and break."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

HOST = "127.0.0.1"
CHUNK = 65_536
HELD_FOR = 10  # seconds at most


class Relay:
    """Takes connections at a port of its own, and passes what comes on to a server, and back."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._text: bytes | None = None
        self._before = 0
        self._released = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def hold(self, text: bytes, before: int) -> None:
        """Hold back what a client sends, from so many bytes before a text that comes next, until `release`."""
        self._released.clear()
        self._before, self._text = before, text

    def release(self) -> None:
        """Pass on what is held back."""
        self._released.set()

    def cut(self) -> None:
        """Break every connection."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it."""
        self.release()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(20)
        self.cut()
        for thread in self._threads[1:]:
            thread.join(20)
        for one in (*self._sockets, self._listener):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self._server), 5)
            server.settimeout(None)
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                self._threads.append(threading.Thread(target=self._pass, args=(source, target, client), daemon=True))
                self._threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK):
                if source is client and self._text is not None and self._text in chunk:
                    at = chunk.index(self._text) - self._before
                    self._text = None
                    target.sendall(chunk[:at])
                    self._released.wait(HELD_FOR)
                    chunk = chunk[at:]
                target.sendall(chunk)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
