"""Answers the portal's pages what only a running server knows; see `portal.worker_client` for the other end."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from protocols.contract import Refused

log = logging.getLogger(__name__)

PATIENCE = 1.0  # seconds for a question to arrive and its answer to be taken
LONGEST = 1024 * 1024  # bytes of a question
THREADS = 4
RETRY = 0.5  # seconds between two tries to take a question

Action = Callable[..., object]


class Answers:
    """Answers at a listening Unix socket, off the servers' threads; what an action returns must fit into JSON."""

    def __init__(self, listener: socket.socket, actions: Mapping[str, Action]) -> None:
        self._listener = listener
        self._actions = dict(actions)
        self._pool = ThreadPoolExecutor(THREADS, "answer")
        self._thread = threading.Thread(target=self._accept, name="answers", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Take no more questions, and answer those that were asked."""
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout)
        self._listener.close()
        self._pool.shutdown()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:  # it is stopped, or clients have taken all files
                if self._stopping.wait(RETRY):
                    return
                log.warning("a page cannot be answered: %s", error)
                continue
            self._pool.submit(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the page waits no more
            connection.settimeout(PATIENCE)
            question = bytearray()
            while data := connection.recv(65_536):
                question += data
                if len(question) > LONGEST:
                    return
            connection.sendall(self._answer(bytes(question)))

    def _answer(self, question: bytes) -> bytes:
        try:
            asked = json.loads(question)
            return _encoded(answer=self._actions[asked["action"]](*asked["arguments"]))
        except Refused as error:
            return _encoded(refused=str(error), field=error.field)
        except TimeoutError:
            log.warning("a page was not answered in time")
        except Exception:  # of an action: nobody else would say so
            log.exception("a page asked what cannot be answered")
        return _encoded()


def _encoded(**answer: Any) -> bytes:
    return json.dumps(answer).encode()
