"""gunicorn's adapter: runs the protocols worker as the one app of the dirty arbiter."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from gunicorn.dirty.app import DirtyApp

from portal import config
from protocols import process
from protocols.runtime import Runtime

log = logging.getLogger(__name__)

T = TypeVar("T")

# Filled by gunicorn.conf.py in gunicorn's first process, before any other is made from it.
listeners: dict[str, socket.socket] = {}

PARENT_CHECK = 0.5  # seconds


class ProtocolsWorker(DirtyApp):  # type: ignore[misc]
    """Starts the runtime when gunicorn has made the process, and stops it before the process ends."""

    def init(self) -> None:
        """Start every protocol server."""
        process.end_with_any_thread()
        threading.Thread(target=_follow_parent, args=(os.getppid(),), name="parent", daemon=True).start()
        self._runtime = Runtime(config.load(), listeners)
        self._runtime.start()

    def connections(self, integration_id: int, connection_ids: list[str]) -> list[dict[str, object]] | None:
        """Answer a page what is known of these connections; None when that takes too long."""
        return _in_time(lambda: self._runtime.connections(integration_id, connection_ids))

    def usage(self) -> list[dict[str, object]] | None:
        """Answer a page how much of each limit is used; None when that takes too long."""
        return _in_time(self._runtime.usage)

    def close(self) -> None:
        """Stop every protocol server."""
        self._runtime.stop()


def _in_time(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except TimeoutError:
        log.warning("a page was not answered in time")
        return None


def _follow_parent(parent: int) -> None:
    """End this process when the arbiter is gone: the new arbiter's worker needs the ports and the data folder."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK)
    os.kill(os.getpid(), signal.SIGTERM)
