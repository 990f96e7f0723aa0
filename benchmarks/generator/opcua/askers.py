"""Clients that ask for one value, or write one, again and again."""

from __future__ import annotations

import select
from collections.abc import Callable

from asyncua import ua

from benchmarks.generator.clients import LoadError
from benchmarks.generator.opcua import wire
from benchmarks.generator.opcua.sessions import PATIENCE, Session

_HEAD = slice(wire.HEADER + wire.RESULT_AT, wire.HEADER + wire.RESULTS_AT + 4)  # ServiceResult to number of results
_VALUE = slice(_HEAD.stop + 1, _HEAD.stop + 10)  # a Double, after the mask of its DataValue
_CODE = slice(_HEAD.stop, _HEAD.stop + 4)


class Asker:
    """Sends a request, and the next when the answer is there; every answer is compared with the first."""

    __slots__ = (
        "_good",
        "_is_write",
        "_message",
        "_number",
        "_part",
        "_rest",
        "_send",
        "_value_at",
        "descriptor",
        "receive",
    )

    def __init__(self, session: Session, kind: str, node_id: str) -> None:
        self._is_write = kind == "write"
        if self._is_write:
            session.write(node_id)
            number, params = ua.ObjectIds.WriteRequest_Encoding_DefaultBinary, wire.write(node_id)
            self._part, good = _CODE, bytes(4)
        else:
            body = session.read(node_id)
            number, params = ua.ObjectIds.ReadRequest_Encoding_DefaultBinary, wire.read(node_id)
            self._part, good = _VALUE, body[wire.RESULTS_AT + 5 : wire.RESULTS_AT + 14]
        self._good = (bytes(12) + b"\x01\x00\x00\x00", good)
        channel = session.plain
        self._message = wire.message(channel.id, channel.sent, wire.request(number, session.token, params))
        self._number = channel.sent + 1
        self._value_at = len(self._message) - wire.DOUBLE.size
        self._rest = b""
        self._send = session.link.socket.send
        self.descriptor = session.link.socket.fileno()
        self.receive = session.link.socket.recv

    def ask(self) -> None:
        """Send the next request; a Write has another value each time."""
        number = self._number = self._number + 1
        wire.IDS.pack_into(self._message, wire.IDS_AT, number, number)
        if self._is_write:
            wire.DOUBLE.pack_into(self._message, self._value_at, number)
        self._send(self._message)

    def is_answered(self, data: bytes) -> bool:
        """Take what has arrived; return whether the answer is there.  Raises LoadError for a wrong one."""
        if self._rest:
            data = self._rest + data
        if len(data) < _HEAD.stop or len(data) < int.from_bytes(data[4:8], "little"):
            self._rest = data
            if not data:
                raise LoadError("the server closed a connection")
            return False
        if (data[_HEAD], data[self._part]) != self._good:
            raise LoadError(f"a request was answered by {data[:120].hex()}")
        self._rest = b""
        return True


def ask_until(askers: list[Asker], is_over: Callable[[], bool]) -> int:
    """Let all ask until it is over, and wait for the last answers; return how many came before."""
    by_descriptor = {asker.descriptor: asker for asker in askers}
    count = 0
    with select.epoll() as answers:
        for descriptor, asker in by_descriptor.items():
            answers.register(descriptor, select.EPOLLIN)
            asker.ask()
        while not is_over():
            arrived = answers.poll(PATIENCE)
            if not arrived:
                raise LoadError("no client got an answer")
            for descriptor, _ in arrived:
                asker = by_descriptor[descriptor]
                if asker.is_answered(asker.receive(4_096)):
                    count += 1
                    asker.ask()
    for asker in askers:
        while not asker.is_answered(asker.receive(4_096)):
            pass
    return count
