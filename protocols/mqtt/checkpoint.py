"""Brings what was committed from the write-ahead log into the file, beside the commits."""

from __future__ import annotations

import logging
import sqlite3
import threading

from protocols.storage.file import RecordFile

_log = logging.getLogger("protocols.mqtt")


class Checkpointer:
    """A thread that copies pages when it is told to; commits go on meanwhile."""

    def __init__(self, file: RecordFile) -> None:
        self._file = file
        self._wanted = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="mqtt-checkpoint", daemon=True)
        self.is_busy = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def want(self) -> None:
        """Have everything copied that is committed by now."""
        self.is_busy = True
        self._wanted.set()

    def stop(self, timeout: float) -> None:
        """End the thread."""
        self._stopping = True
        self._wanted.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._stopping:
                return
            try:
                self._copy()
            except sqlite3.Error as error:  # a full disk; the commits say so, and the next time may do
                _log.debug("a checkpoint failed: %s", error)
            self.is_busy = False

    def _copy(self) -> None:
        db = self._file.connect("rw")
        try:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            db.close()
