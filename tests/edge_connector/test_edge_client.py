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

CONNECT, PUBLISH, PUBREL = 1, 3, 6
ACCEPTED, RESUMED, REFUSED = (b"\x20\x03" + rest for rest in (b"\0\0\0", b"\1\0\0", b"\0\x89\0"))
Step = tuple[bytes, int]  # an answer to CONNECT, and the packet after which the connection ends


class Interrupter:
    """Serves one connection after the other, each up to a packet."""

    def __init__(self, server: socket.socket, steps: list[Step]) -> None:
        self._server = server
        self._steps = steps
        self.heard: list[list[int]] = []
        self.clean: list[bool] = []  # whether each has begun a new session

    def run(self) -> None:
        for answer, until in self._steps:
            self._serve(answer, until)

    def _serve(self, answer: bytes, until: int) -> None:
        self.heard.append([])
        with self._server.accept()[0] as line, line.makefile("rb") as stream:
            while True:
                kind, body = _packet(stream)
                self.heard[-1].append(kind)
                if kind == CONNECT:
                    self.clean.append(bool(body[7] & 2))
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
def interrupted(*steps: Step) -> Iterator[Interrupter]:
    """Have a link connect as often as there are steps, and send a value when it first has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Interrupter(server, list(steps))
        thread = threading.Thread(target=found.run, daemon=True)
        thread.start()
        where = Server(*server.getsockname(), "tcp", path="", fingerprint="", ca="", username="a", password="b")
        link = Link(where, "acme.default/hall/1", 1_000_000)
        link._pauses.next = lambda: 0.05
        sent: list[int | None] = []
        link.on_up = lambda window: sent.append(link.send(Message("plant/a", b"1", False, ""), 1)) if not sent else None
        link.start()
        thread.join(10)
        link.stop(lambda: None)
        assert not thread.is_alive(), found.heard
        yield found


def test_what_the_server_has_is_not_published_again_after_an_attempt_that_failed() -> None:
    with interrupted((ACCEPTED, PUBREL), (b"", CONNECT), (RESUMED, PUBREL)) as server:
        assert server.heard == [[CONNECT, PUBLISH, PUBREL], [CONNECT], [CONNECT, PUBREL]]


def test_the_first_connection_that_is_accepted_begins_a_session_and_later_ones_go_on_with_it() -> None:
    with interrupted((REFUSED, CONNECT), (ACCEPTED, PUBLISH), (RESUMED, PUBREL)) as server:
        assert server.clean == [True, True, False]
