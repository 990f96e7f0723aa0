"""The file of what must survive a kill: batches are answered when they are on the disk, and it never fills that up."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from protocols.contract import Trouble
from protocols.mqtt.checkpoint import Checkpointer
from protocols.storage.batch import Batch
from protocols.storage.file import IsWhole, RecordFile
from protocols.storage.writer import Soon, Writer

_log = logging.getLogger("protocols.mqtt")

APPLICATION_ID = 0x47746D71  # "Gtmq"
VERSION = 1

_MIB = 1 << 20
_CHECKPOINT = 4 * _MIB  # of the log, after which it is copied into the file
_LONGEST_LOG = 32 * _MIB  # after which a commit waits for that
_IDLE = 0.25  # seconds without a batch, after which there is time to tidy up
_RESERVE = 16 * _MIB  # that stays free for the log and the file, so that what is delivered can be deleted
_MARGIN = 4 * _MIB  # that there must be besides, until more is taken again
_LOOK = 1.0  # seconds between two looks for room while there is none
_SPARE = 512  # free pages that a file may have, and as many are given back at a time
_REFUSED = "messages for durable sessions and retained ones are refused"


def record_file(path: Path, is_whole: IsWhole) -> RecordFile:
    """Return how a file of the broker is known."""
    return RecordFile(path, APPLICATION_ID, VERSION, is_whole, _log)


def free_bytes(folder: Path) -> int:
    """Return how much more can be written to a folder's disk; much, where that is not told."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize if found.f_blocks else sys.maxsize


class Store(Writer[Batch]):
    """The broker's file.  The log and the file stay small, and a disk that gets full is noticed before it is."""

    idle = _IDLE
    meanwhile = _REFUSED

    def __init__(self, path: Path, is_whole: IsWhole, *, synchronous: str = "full") -> None:
        super().__init__(record_file(path, is_whole), "mqtt-store")
        self.pragmas = (
            f"synchronous = {synchronous}",
            "wal_autocheckpoint = 0",
            "secure_delete = OFF",
            f"journal_size_limit = {_LONGEST_LOG}",
        )
        self._unchecked = 0  # bytes since the last checkpoint
        self._checkpointer = Checkpointer(self._file)
        self.is_short = False  # of room on the disk
        self._shortage: Trouble | None = None

    @property
    def accepting(self) -> bool:
        """Say whether there is room for more than the changes of what is there."""
        return not self.is_failing and not self.is_short

    @property
    def trouble(self) -> Trouble | None:
        """Return what keeps it from being written as it should, if anything does."""
        return self._trouble or self._shortage

    def start(self, soon: Soon, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """Start writing; see `Writer`."""
        self._checkpointer.start()
        super().start(soon, done, failed)

    def stop(self, last: Batch | None, timeout: float) -> None:
        """Write a last batch if that is possible, end the threads and close the file."""
        super().stop(last, timeout)
        self._checkpointer.stop(timeout)

    # --- the writer's thread

    def _prepare(self, work: Batch) -> Batch:
        self._unchecked += work.size
        return work

    def _committed(self) -> None:
        self._look_for_room()

    def _look_for_room(self) -> None:
        """Stop taking more before the disk is full."""
        free = free_bytes(self._file.path.parent)
        if not self.is_short and free < _RESERVE:
            self.is_short = True
            self._shortage = self._begun("has hardly any room left on its disk")
            _log.error("the disk of %s is nearly full: %s for now", self._file.name, _REFUSED)
        elif self.is_short and free >= _RESERVE + _MARGIN:
            self.is_short = False
            self._shortage = None
            _log.warning("the disk of %s has room again", self._file.name)

    def _answered(self) -> None:
        """Have the log copied into the file when it has grown."""
        if self._unchecked < _CHECKPOINT // 4 or self._checkpointer.is_busy:
            return
        self._unchecked = 0
        size = self._log_size()
        if size > _LONGEST_LOG:
            self._pragma("wal_checkpoint(RESTART)")  # of the little that is not copied yet
        elif size > _CHECKPOINT:
            self._checkpointer.want()

    def _tidy(self) -> float | None:
        if self.is_failing or self._db is None:
            return None
        self._look_for_room()
        if self._unchecked:
            self._unchecked = 0
            self._checkpointer.want()
            return _IDLE
        free = self._pragma("freelist_count")
        if free >= _SPARE and free >= self._pragma("page_count") // 4:
            self._give_back()
            self._unchecked = 1
            return _IDLE
        if not self.is_short:
            return None
        self._pragma("wal_checkpoint(TRUNCATE)")
        return _LOOK

    def _give_back(self) -> None:
        try:
            if self._db is not None:
                self._db.executescript(f"PRAGMA incremental_vacuum({_SPARE})")  # `execute` would end after one page
        except sqlite3.Error as error:
            _log.debug("giving pages back failed: %s", error)

    def _log_size(self) -> int:
        try:
            return self._file.beside("-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _pragma(self, text: str) -> int:
        """Run a PRAGMA; return its first value, or 0."""
        try:
            rows = self._db.execute(f"PRAGMA {text}").fetchall() if self._db is not None else []
        except sqlite3.Error as error:  # a full disk; the commits say so
            _log.debug("PRAGMA %s failed: %s", text, error)
            return 0
        return int(rows[0][0]) if rows and rows[0] else 0
