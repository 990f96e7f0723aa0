"""The file of what survives a restart: records by number in SQLite, written in batches by one thread.

A batch is one transaction of two statements, however many records it has: a thread that gives up the interpreter's
lock at each row starves beside a busy event loop.  Records are encoded here, beside the loop.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asyncua import ua

from protocols.opcua.values import records, salvage
from protocols.opcua.values.records import Record
from protocols.opcua.values.salvage import Row

_log = logging.getLogger("protocols.opcua")

# The index is an object: a record's number to where its bytes are in the blob, position << 31 | size.
_PUT = """
    INSERT OR REPLACE INTO record
    SELECT CAST(j.key AS INTEGER), substr(:blob, j.value >> 31, j.value & 0x7fffffff) FROM json_each(:index) j
"""
_DELETE = "DELETE FROM record WHERE id IN (SELECT value FROM json_each(:gone))"

_RETRY = 1.0  # seconds after a batch that could not be written
_LONGEST_LOG = 8 << 20  # bytes
_UNENCODABLE = (ua.UaError, struct.error, TypeError, ValueError, AttributeError)

Soon = Callable[[Callable[[], None]], object]


@dataclass(slots=True)
class Batch:
    """Records to put and to delete together."""

    puts: Mapping[int, Record] = field(default_factory=dict)
    gone: Sequence[int] = ()


class Store:
    """One file and the thread that writes it.  `open` comes first, then `start`; then one batch at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._is_known = False  # everything in the file was read
        self._jobs: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="opcua-store", daemon=True)
        self.is_failing = False  # nothing can be written at present
        self.recoveries = 0  # of a damaged file, which may have lost records that were committed
        self.commits = 0
        self.took = 0.0  # seconds, for the last batch

    def open(self) -> list[Row]:
        """Return every record that is whole, by its number; nothing if the file is out of reach."""
        try:
            rows = salvage.recover(self._path, records.is_whole)
            self._is_known = True
            self._db = self._connect()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return []
        return rows

    def start(self, soon: Soon, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """Start writing.

        `soon` has one of the others run: `done` after each batch that is committed, `failed` a second after one that
        could not be, and that is to be handed in again with whatever has come since.
        """
        self._soon, self._done, self._failed = soon, done, failed
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Hand in the next batch; the one before must have been answered."""
        self._jobs.put(batch)

    def stop(self, last: Batch | None, timeout: float) -> None:
        """Write a last batch if that is possible, end the thread and close the file."""
        self._stopping.set()
        if self._thread.ident is None:  # it was never started
            return
        if last is not None:
            self._jobs.put(last)
        self._jobs.put(None)
        self._thread.join(timeout)

    # --- the writer's thread

    def _run(self) -> None:
        while (batch := self._jobs.get()) is not None:
            began = time.perf_counter()
            is_written = self._try(batch)
            self.took = time.perf_counter() - began
            if not is_written:
                self._stopping.wait(_RETRY)
            if not self._stopping.is_set():
                self._soon(self._done if is_written else self._failed)
        if self._db is not None:
            self._db.close()

    def _try(self, batch: Batch) -> bool:
        """Commit a batch; say whether that worked."""
        try:
            if self._db is None:
                self._db = self._reopen()
            self._commit(self._db, batch)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        if self.is_failing:
            _log.warning("%s can be written again", self._path.name)
            self.is_failing = False
        self.commits += 1
        return True

    def _commit(self, db: sqlite3.Connection, batch: Batch) -> None:
        blob, index = _pack(batch.puts)
        db.execute("BEGIN IMMEDIATE")
        try:
            if blob:
                db.execute(_PUT, {"blob": blob, "index": index})
            if batch.gone:
                db.execute(_DELETE, {"gone": "[" + ",".join(map(str, batch.gone)) + "]"})
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _fail(self, error: sqlite3.Error | OSError) -> None:
        if not self.is_failing:
            _log.error(
                "%s cannot be written (%s): values are kept in memory only, until it can", self._path.name, error
            )
            self.is_failing = True
        if self._db is not None and salvage.is_damage(error):
            self._db.close()
            self._db = None

    def _reopen(self) -> sqlite3.Connection:
        """Open the file again; one that could not be read at start is put aside, for its numbers are used anew."""
        if not self._is_known and self._path.exists():
            _log.error(
                "%s could not be read at start; it is kept as %s", self._path.name, salvage.put_aside(self._path)
            )
        salvage.recover(self._path, records.is_whole)
        self._is_known = True
        self.recoveries += 1
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = salvage.connect(self._path, "rw")
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA journal_size_limit = {_LONGEST_LOG}")
            db.execute("PRAGMA incremental_vacuum(1000)").fetchall()
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        except sqlite3.Error:
            db.close()
            raise
        return db


def _pack(puts: Mapping[int, Record]) -> tuple[bytes, str]:
    """Return the bytes of all records one after the other, and where each begins."""
    index: list[str] = []
    parts: list[bytes] = []
    position = 1
    for number, record in puts.items():
        try:
            data = records.encode(record)
        except _UNENCODABLE as error:
            _log.error("a value of node %.60r cannot be stored: %s", record.name, error)
            continue
        index.append(f'"{number}":{position << 31 | len(data)}')
        parts.append(data)
        position += len(data)
    return b"".join(parts), "{" + ",".join(index) + "}"
