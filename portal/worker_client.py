"""Questions to the protocol servers that a page needs answered now; without an answer it shows what the database knows.

Each part of the protocols worker answers at a Unix socket of its own in DATA_DIR (see `protocols.answers`); a thread
that asks has a connection for itself, and leaves it for the next one.  While a part is away, and of other nodes, there
is no answer.  Both are msgpack: a question is `[id, action, arguments]`, an answer `[id, {"answer": …}]`, or with
"refused" and a reason in its place, or with nothing at all.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import msgpack
from flask import current_app

from portal import unix

log = logging.getLogger(__name__)

MQTT, OPCUA = "mqtt", "opcua"  # the parts
TIMEOUT = 1.0  # seconds for an answer
PAUSE = (
    3.0  # seconds in which nobody asks again after an answer was waited for in vain, and between two lines in the log
)
LONGEST = 16 * 1024 * 1024  # bytes of an answer
MOST_KEPT = 64  # connections to one part
_PIECE = 256 * 1024

_silent_until: dict[str, float] = {}
_quiet_until: dict[str, float] = {}
_kept: dict[str, deque[_Connection]] = defaultdict(deque)  # by the folder and the part


class Refused(Exception):
    """What was asked for cannot be done; the message says why, to a person, and `field` of which input, if of one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Silent(Exception):
    """Nobody answered; what was asked for may have been done all the same."""


def part_of(door: str) -> str:
    """Return the part that has the server of a door."""
    return OPCUA if door == OPCUA else MQTT


def ask(part: str, action: str, *arguments: Any, timeout: float = TIMEOUT) -> Any:
    """Return what an action of a part answers, or None.  Raises `Refused`."""
    try:
        return have(part, action, *arguments, timeout=timeout)
    except Silent:
        return None


def have(part: str, action: str, *arguments: Any, timeout: float = TIMEOUT) -> Any:
    """Have a part do something; return its answer, which may be None.  Raises `Refused` and `Silent`."""
    if time.monotonic() < _silent_until.get(part, 0.0):
        raise Silent
    question = msgpack.packb((1, action, arguments), unicode_errors="surrogatepass")
    try:
        answer = _exchange(part, question, time.monotonic() + timeout)
    except (OSError, ValueError, msgpack.UnpackException) as error:
        if isinstance(error, TimeoutError):
            _silent_until[part] = time.monotonic() + PAUSE
        _complain(part, action, str(error))
        raise Silent from None
    if "refused" in answer:
        raise Refused(answer["refused"], answer["field"])
    if "answer" not in answer:
        raise Silent
    return answer["answer"]


def _complain(part: str, action: str, fault: str) -> None:
    """Say that there is no answer; once, if others ask on."""
    if time.monotonic() > _quiet_until.get(part, 0.0):
        _quiet_until[part] = time.monotonic() + PAUSE
        log.warning("the %s part of the protocols worker did not answer %r: %s", part, action, fault or "silence")


def _exchange(part: str, question: bytes, until: float) -> dict[str, Any]:
    folder: Path = current_app.extensions["gatehouse_settings"].data_dir
    kept = _kept[os.path.join(folder, part)]
    connection = _sent(kept, question, until) or _Connection(folder, part, question, until)
    answer = connection.answer(until)
    if len(kept) < MOST_KEPT:
        kept.append(connection)
    else:
        connection.close()
    return answer


def _sent(kept: deque[_Connection], question: bytes, until: float) -> _Connection | None:
    """Send a question over a connection that was kept; those to a part that was made anew meanwhile are closed."""
    while kept:
        try:
            connection = kept.pop()
        except IndexError:  # another thread was quicker
            return None
        try:
            connection.send(question, until)
        except TimeoutError:
            raise
        except OSError:  # so it has not arrived whole
            continue
        return connection
    return None


class _Connection:
    """A connection with one question under way at most; it is closed when anything goes wrong with it."""

    def __init__(self, folder: Path, part: str, question: bytes, until: float) -> None:
        self._socket = unix.connect_to(folder, part, _left(until))
        self.send(question, until)

    def send(self, question: bytes, until: float) -> None:
        """Send a question."""
        try:
            self._socket.settimeout(_left(until))
            self._socket.sendall(question)
        except BaseException:
            self.close()
            raise

    def answer(self, until: float) -> dict[str, Any]:
        """Return the answer to the question that was sent."""
        unpacker = msgpack.Unpacker(unicode_errors="surrogatepass", read_size=_PIECE, max_buffer_size=LONGEST + _PIECE)
        try:
            while True:
                data = self._socket.recv(_PIECE)
                if not data:
                    raise ConnectionResetError("the connection was closed")
                unpacker.feed(data)
                for _, answer in unpacker:
                    found: dict[str, Any] = answer
                    return found
                self._socket.settimeout(_left(until))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; an answer that is still to come reaches nobody."""
        self._socket.close()


def _left(until: float) -> float:
    return max(0.001, until - time.monotonic())


def _forget() -> None:
    """Leave the connections to the process that this one was forked from."""
    for kept in _kept.values():
        while kept:
            kept.pop().close()


os.register_at_fork(after_in_child=_forget)
