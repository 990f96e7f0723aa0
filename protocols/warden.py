"""The guard's thread: keeps bans and known logins in step with the database, and so with other processes and nodes."""

from __future__ import annotations

import logging
import threading

from portal import bans, clock, db
from portal.guard import Guard

log = logging.getLogger(__name__)

STEP = 0.25  # seconds between two looks


class Warden:
    """Writes what the guard decided, and follows what others did, off the protocol threads."""

    def __init__(self, guard: Guard) -> None:
        self._keeper = bans.Keeper(guard)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._failing = False

    def read(self) -> None:
        """Read what is in the database, once, before anybody is let in.  Raises `db.Unavailable`."""
        self._keeper.sync(clock.now())

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what is left, and end the thread."""
        self._stopping.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.wait(STEP):
            self._sync()
        self._sync()
        self._keeper.close()

    def _sync(self) -> None:
        try:
            self._keeper.sync(clock.now())
        except db.Unavailable as error:
            if not self._failing:
                log.error("bans cannot be kept or followed, and are held in memory until they can be: %s", error)
            self._failing = True
            return
        if self._failing:
            log.warning("bans are kept and followed again")
            self._failing = False
