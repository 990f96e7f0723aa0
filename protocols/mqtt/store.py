"""The file of what must survive a kill: records by number in SQLite, written in batches by one thread.

A batch is one transaction of two statements, however many records it has: a thread that gives up the
interpreter's lock at each row starves beside a busy event loop.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from protocols.mqtt import salvage
from protocols.mqtt.checkpoint import Checkpointer
from protocols.mqtt.salvage import IsWhole, Row

_log = logging.getLogger("protocols.mqtt")

# The index is an object: a record's number to where its bytes are in the blob, position << 31 | size.
_PUT = """
    INSERT OR REPLACE INTO record
    SELECT CAST(j.key AS INTEGER), substr(:blob, j.value >> 31, j.value & 0x7fffffff) FROM json_each(:index) j
"""
_DELETE = "DELETE FROM record WHERE id IN (SELECT value FROM json_each(:gone))"

_KIB, _MIB = 1 << 10, 1 << 20
_SLICE = 16 * _MIB  # of a blob: a larger batch takes more statements
_CHECKPOINT = 4 * _MIB  # of the log, after which it is copied into the file
_LONGEST_LOG = 32 * _MIB  # after which a commit waits for that
_RETRY = 1.0  # seconds
_IDLE = 0.25  # seconds without a batch, after which there is time to tidy up
_RESERVE = 16 * _MIB  # that stays free for the log and the file, so that what is delivered can be deleted
_MARGIN = 4 * _MIB  # that there must be besides, until more is taken again
_LOOK = 1.0  # seconds between two looks for room while there is none
_SPARE = 512  # free pages that a file may have, and as many are given back at a time

Soon = Callable[[Callable[[], None]], object]


class Batch:
    """Records to put and to delete together, made ready for their statements."""

    __slots__ = ("deletions", "gone", "insertions", "puts")

    def __init__(self, puts: Mapping[int, bytes], gone: Sequence[int]) -> None:
        self.puts = puts
        self.gone = gone
        self.insertions = list(_slices(puts))
        self.deletions = "[" + ",".join(map(str, gone)) + "]" if gone else ""


def _slices(puts: Mapping[int, bytes]) -> Iterator[tuple[bytes, str]]:
    index: list[str] = []
    parts: list[bytes] = []
    position = 1
    for number, data in puts.items():
        size = len(data)
        index.append(f'"{number}":{position << 31 | size}')
        parts.append(data)
        position += size
        if position > _SLICE:
            yield b"".join(parts), "{" + ",".join(index) + "}"
            index, parts, position = [], [], 1
    if parts:
        yield b"".join(parts), "{" + ",".join(index) + "}"


def free_bytes(folder: Path) -> int:
    """Return how much more can be written to a folder's disk; much, where that is not told."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize if found.f_blocks else sys.maxsize


class Store:
    """One file and the thread that writes it.  `open` comes first, then `start`; then one batch at a time."""

    def __init__(self, path: Path, is_whole: IsWhole, *, synchronous: str = "full") -> None:
        self._path = path
        self._is_whole = is_whole
        self._synchronous = synchronous
        self._db: sqlite3.Connection | None = None
        self._known = False  # everything in the file was read
        self._jobs: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._unchecked = 0  # bytes since the last checkpoint
        self._checkpointer = Checkpointer(path)
        self._thread = threading.Thread(target=self._run, name="mqtt-store", daemon=True)
        self.failing = False  # nothing can be written at present
        self.is_short = False  # of room on the disk
        self.commits = 0

    def open(self) -> list[Row]:
        """Return every record that is whole, by its number; nothing if the file is out of reach."""
        try:
            rows = salvage.recover(self._path, self._is_whole)
            self._known = True
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return []
        try:
            self._db = self._connect()
        except sqlite3.Error as error:
            self._fail(error)
        return rows

    @property
    def accepting(self) -> bool:
        """Say whether there is room for more than the changes of what is there."""
        return not self.failing and not self.is_short

    def start(self, soon: Soon, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """Start writing.

        `soon` has one of the others run: `done` after each batch that is committed, `failed` a second after one that
        could not be, and that is to be handed in again with whatever has come since.
        """
        self._soon, self._done, self._failed = soon, done, failed
        self._checkpointer.start()
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Hand in the next batch; the one before must have been answered."""
        self._jobs.put(batch)

    def stop(self, last: Batch | None, timeout: float) -> None:
        """Write a last batch if that is possible, end the threads and close the file."""
        self._stopping.set()
        if last is not None:
            self._jobs.put(last)
        self._jobs.put(None)
        self._thread.join(timeout)
        self._checkpointer.stop(timeout)

    # --- the writer's thread

    def _run(self) -> None:
        pause: float | None = _IDLE
        while True:
            try:
                batch = self._jobs.get(timeout=pause)
            except queue.Empty:
                pause = self._tidy()
                continue
            if batch is None:
                break
            pause = _IDLE
            if self._try(batch):
                self._answer(self._done)
                self._check()
            else:
                self._stopping.wait(_RETRY)
                self._answer(self._failed)
        if self._db is not None:
            self._db.close()

    def _answer(self, answer: Callable[[], None]) -> None:
        if not self._stopping.is_set():
            self._soon(answer)

    def _try(self, batch: Batch) -> bool:
        """Commit a batch; say whether that worked."""
        try:
            if self._db is None:
                self._db = self._reopen()
            self._commit(self._db, batch)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        if self.failing:
            self.failing = False
            _log.warning("%s can be written again", self._path.name)
        self.commits += 1
        self._look_for_room()
        return True

    def _commit(self, db: sqlite3.Connection, batch: Batch) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            for blob, index in batch.insertions:
                db.execute(_PUT, {"blob": blob, "index": index})
                self._unchecked += len(blob)
            if batch.deletions:
                db.execute(_DELETE, {"gone": batch.deletions})
                self._unchecked += len(batch.deletions)
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _fail(self, error: sqlite3.Error | OSError) -> None:
        if not self.failing:
            self.failing = True
            _log.error(
                "%s cannot be written (%s): messages for durable sessions and retained ones are refused until it can",
                self._path.name,
                error,
            )
        if self._db is not None and salvage.is_damage(error):
            self._db.close()
            self._db = None

    def _reopen(self) -> sqlite3.Connection:
        """Open the file again; one that could not be read at start is put aside, for its numbers are used anew."""
        if self._known:
            salvage.recover(self._path, self._is_whole)
        else:
            salvage.start_anew(self._path)
            self._known = True
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = salvage.connect(self._path, "rw")
        try:
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("PRAGMA secure_delete = OFF")
            db.execute(f"PRAGMA journal_size_limit = {_LONGEST_LOG}")
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _look_for_room(self) -> None:
        """Stop taking more before the disk is full."""
        free = free_bytes(self._path.parent)
        if not self.is_short and free < _RESERVE:
            self.is_short = True
            _log.error(
                "the disk of %s is nearly full: messages for durable sessions and retained ones are refused for now",
                self._path.name,
            )
        elif self.is_short and free >= _RESERVE + _MARGIN:
            self.is_short = False
            _log.warning("the disk of %s has room again", self._path.name)

    # --- the log and the file stay small

    def _check(self) -> None:
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
        """Use a quiet moment; return when there is more to do, in seconds, or None."""
        if self.failing or self._db is None:
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
            return os.stat(f"{self._path}-wal").st_size
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
