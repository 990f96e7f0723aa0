"""gunicorn's adapter: runs the protocols worker, and its companions, as the one app of the dirty arbiter."""

from __future__ import annotations

import socket

from gunicorn.dirty.app import DirtyApp

from portal import config
from protocols import parts, process
from protocols.runtime import Runtime

# Filled by gunicorn.conf.py in gunicorn's first process, before any other is made from it.
listeners: dict[str, socket.socket] = {}


class ProtocolsWorker(DirtyApp):  # type: ignore[misc]
    """Starts the runtime when gunicorn has made the process, and stops it before the process ends."""

    def init(self) -> None:
        """Start every protocol server."""
        process.set_aside_what_is_loaded()
        settings = config.load()
        self._companions = parts.companions(settings, listeners, Runtime)
        process.end_with_any_thread()
        process.follow_parent()
        self._runtime = Runtime(settings, listeners)
        self._runtime.start()

    def close(self) -> None:
        """Stop every protocol server, all at the same time: gunicorn has so much patience and no more."""
        for companion in self._companions:
            companion.end()
        self._runtime.stop()
        for companion in self._companions:
            companion.wait()
