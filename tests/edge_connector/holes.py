"""Addresses where nobody is at home."""

from __future__ import annotations

import socket
from types import TracebackType


class BlackHole:
    """A port where connections are neither taken nor refused: its queue is full."""

    def __enter__(self) -> int:
        self._server = socket.socket()
        self._server.bind(("127.0.0.1", 0))
        self._server.listen(0)
        self._waiting = [socket.socket() for _ in range(4)]
        for one in self._waiting:
            one.setblocking(False)
            one.connect_ex(self._server.getsockname())
        return int(self._server.getsockname()[1])

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for one in (*self._waiting, self._server):
            one.close()
