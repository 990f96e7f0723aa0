"""What is sent again over a connection that is made anew, and what is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from edge_connector.config import Server
from edge_connector.link import Link
from edge_connector.outbox import Message
from tests.support.processes import wait_until

CONNECT, PUBLISH, PUBREL = 1, 3, 6
ACCEPTED, RESUMED = b"\x20\x03\x00\x00\x00", b"\x20\x03\x01\x00\x00"


class Interrupter:
    """Ends the connection when it has a PUBREL, then when it has a CONNECT, and then lets things go on."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.heard: list[list[int]] = []

    def run(self) -> None:
        self._serve(ACCEPTED, until=PUBREL)
        self._serve(b"", until=CONNECT)
        self._serve(RESUMED, until=PUBREL)

    def _serve(self, answer: bytes, until: int) -> None:
        self.heard.append([])
        with self._server.accept()[0] as line, line.makefile("rb") as stream:
            while True:
                kind, body = _packet(stream)
                self.heard[-1].append(kind)
                if kind == CONNECT:
                    line.sendall(answer)
                elif kind == PUBLISH:
                    topic = int.from_bytes(body[:2], "big")
                    line.sendall(b"\x50\x02" + body[2 + topic : 4 + topic])
                if kind == until:
                    return


def _packet(stream: BinaryIO) -> tuple[int, bytes]:
    kind, length, shift = stream.read(1)[0] >> 4, 0, 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, stream.read(length)


@contextmanager
def interrupter() -> Iterator[tuple[Interrupter, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Interrupter(server)
        thread = threading.Thread(target=found.run, daemon=True)
        thread.start()
        yield found, server.getsockname()[1]
        thread.join(5)


def test_what_the_server_has_is_not_published_again_after_an_attempt_that_failed() -> None:
    with interrupter() as (server, port):
        where = Server("127.0.0.1", port, "tcp", path="", fingerprint="", ca="", username="a", password="b")
        link = Link(where, "acme.default/hall/1", 1_000_000)
        link._pauses.next = lambda: 0.05
        link.on_up = lambda window: sent.append(link.send(message, 1)) if not sent else None
        message = Message("plant/a", b"1", False, "")
        sent: list[int | None] = []
        link.start()
        wait_until(lambda: len(server.heard) == 3 and server.heard[2][-1:] == [PUBREL], 10, "the PUBREL")
        link.stop(lambda: None)
    assert server.heard == [[CONNECT, PUBLISH, PUBREL], [CONNECT], [CONNECT, PUBREL]]
