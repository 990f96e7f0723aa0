"""Questions to the protocol servers that a page needs answered now; without an answer it shows what the database knows.

Each part of the protocols worker answers at a Unix socket of its own in DATA_DIR (see `protocols.answers`): one
connection for each question, with a JSON text in each direction.  While a part is away, and of other nodes, there is
no answer.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from pathlib import Path
from typing import Any

from flask import current_app

from portal import unix

log = logging.getLogger(__name__)

MQTT, OPCUA = "mqtt", "opcua"  # the parts
KIND = socket.SOCK_STREAM
TIMEOUT = 1.0  # seconds; the worker itself gives up a little earlier
PAUSE = 3.0  # seconds in which nobody asks again after there was no answer, so that no web thread waits for nothing

_silent_until: dict[str, float] = {}


class Refused(Exception):
    """What was asked for cannot be done; the message says why, to a person, and `field` of which input, if of one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Silent(Exception):
    """Nobody answered; what was asked for may have been done all the same."""


def socket_name(part: str) -> str:
    """Return the name of the socket at which a part answers."""
    return f"{part}.sock"


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
    try:
        answer = _exchange(part, {"action": action, "arguments": arguments}, timeout)
    except (OSError, ValueError) as error:
        _silent_until[part] = time.monotonic() + PAUSE
        log.warning("the %s part of the protocols worker did not answer %r: %s", part, action, error or "silence")
        raise Silent from None
    if "refused" in answer:
        raise Refused(answer["refused"], answer["field"])
    if "answer" not in answer:
        raise Silent
    return answer["answer"]


def _exchange(part: str, question: dict[str, Any], timeout: float) -> dict[str, Any]:
    folder: Path = current_app.extensions["gatehouse_settings"].data_dir
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, KIND) as connection, unix.short(folder, socket_name(part)) as path:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(json.dumps(question).encode())
        connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        while data := connection.recv(65_536):
            received += data
            connection.settimeout(max(0.001, until - time.monotonic()))
    found: dict[str, Any] = json.loads(received)
    return found
