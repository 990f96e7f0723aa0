"""Answers on a loop of their own, and another process that asks."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

from portal import unix
from protocols import frames
from protocols.answers import Answers
from protocols.contract import Refused
from protocols.looper import Looper

LONG = "x" * 900_000


def refuse() -> None:
    raise Refused("the last one stays")


def refuse_name() -> None:
    raise Refused("there is one already", "name")


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class Server:
    """Answers on a loop of its own, with actions that note what became of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links: list[Any] = []
        self.ended: list[Any] = []
        self.noted: list[object] = []
        self.looper = Looper("test")
        self.answers = Answers(self.actions(), {"follow": self.follow})

    def actions(self) -> dict[str, Callable[..., object]]:
        return {
            "add": lambda one, other: one + other,
            "echo": lambda value: value,
            "note": self.noted.append,
            "refuse": refuse,
            "refuse name": refuse_name,
            "full": full,
            "odd": lambda: {1, 2},  # not for msgpack
            "far": lambda: 2**80,
            "long": lambda: b"x" * (frames.LONGEST + 1),
            "sleep": time.sleep,
        }

    def follow(self, link: Any, *names: str) -> int:
        self.links.append(link)
        link.on_close(lambda: self.ended.append(link))
        return len(self.links)

    def start(self) -> None:
        self.looper.start()
        self.looper.run(self.answers.start(unix.listen(self.folder, "test.sock", socket.SOCK_STREAM)), 20)

    def stop(self) -> None:
        self.looper.run(self.answers.stop(), 20)
        self.looper.stop(5)

    def push(self, link: Any, *pushed: object) -> None:
        self.looper.call(lambda: link.push(*pushed))

    def open_links(self) -> int:
        return len(self.answers._links)


class Client:
    """Another process, which says what it likes."""

    def __init__(self, server: Server) -> None:
        self.socket = unix.connect(server.folder, "test.sock", socket.SOCK_STREAM, 10)
        self.unpacker = msgpack.Unpacker(max_buffer_size=0)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def next(self) -> list[Any] | None:
        """Return the next frame, None if the connection ends."""
        while True:
            for frame in self.unpacker:
                return frame
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.unpacker.feed(data)

    def ask(self, action: str, *arguments: Any, number: int | None = 7) -> Any:
        self.send(question(action, *arguments, number=number))
        frame = self.next()
        assert frame is not None, "the connection was closed"
        assert frame[0] == number
        return frame[1]


def question(action: str, *arguments: Any, number: int | None = 7) -> bytes:
    return msgpack.packb([number, action, arguments])
