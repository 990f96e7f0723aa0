"""The thread that writes a file: records come in batches, each of which is one transaction.

A thread that gives up the interpreter's lock at each row starves beside a busy event loop: so a batch is two
statements, however many records it has.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from protocols.contract import Trouble
from protocols.storage import salvage
from protocols.storage.batch import Batch
from protocols.storage.file import RecordFile, Row, is_damage

_RETRY = 1.0  # seconds after a batch that could not be written

Soon = Callable[[Callable[[], None]], object]
Work = TypeVar("Work")


class Writer(Generic[Work]):
    """One file and the thread that writes it.  `open` comes first, then `start`; then one batch at a time.

    A server's store says what a batch is made of, and what else there is to do when one is committed or none comes.
    """

    pragmas: Sequence[str] = ()  # of the connection that writes
    idle: float | None = None  # seconds without a batch, after which there is time to tidy up
    meanwhile = ""  # what happens while nothing can be written

    def __init__(self, file: RecordFile, thread: str) -> None:
        self._file = file
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._is_known = False  # everything in the file was read
        self._jobs: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=thread, daemon=True)
        self.is_failing = False  # nothing can be written at present
        self._trouble: Trouble | None = None
        self.recoveries = 0  # of a file that was closed, which may have lost records that were committed
        self.commits = 0
        self.took = 0.0  # seconds, for the last batch

    @property
    def trouble(self) -> Trouble | None:
        """Return what keeps it from being written as it should, if anything does."""
        return self._trouble

    def open(self) -> Iterator[Row]:
        """Return every record that is whole, by its number; nothing if the file is out of reach.

        They are read one after the other, and all of them before `start`.
        """
        try:
            salvage.recover(self._file)
            self._is_known = True
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return iter(())
        try:
            self._db = self._connect()
        except sqlite3.Error as error:
            self._fail(error)
        return self._file.rows()

    def start(self, soon: Soon, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """Start writing.

        `soon` has one of the others run: `done` after each batch that is committed, `failed` a second after one that
        could not be, and that is to be handed in again with whatever has come since.
        """
        self._soon, self._done, self._failed = soon, done, failed
        self._thread.start()

    def write(self, work: Work) -> None:
        """Hand in the next batch; the one before must have been answered."""
        self._jobs.put(work)

    def stop(self, last: Work | None, timeout: float) -> None:
        """Write a last batch if that is possible, end the thread and close the file."""
        self._stopping.set()
        if self._thread.ident is None:  # it was never started
            self._close()
            return
        if last is not None:
            self._jobs.put(last)
        self._jobs.put(None)
        self._thread.join(timeout)

    # --- what a store adds, on the writer's thread

    def _prepare(self, work: Work) -> Batch:
        """Return the batch that is to be written."""
        raise NotImplementedError

    def _committed(self) -> None:
        """Look around before a batch is answered."""

    def _answered(self) -> None:
        """Tidy up a little after a batch."""

    def _tidy(self) -> float | None:
        """Use a quiet moment; return when there is more to do, in seconds, or None."""
        try:
            self._look_after_file()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        return self.idle

    # --- the writer's thread

    def _run(self) -> None:
        pause = self.idle
        while True:
            try:
                work = self._jobs.get(timeout=pause)
            except queue.Empty:
                pause = self._tidy()
                continue
            if work is None:
                break
            pause = self.idle
            began = time.perf_counter()
            is_written = self._try(work)
            self.took = time.perf_counter() - began
            if is_written:
                self._answer(self._done)
                self._answered()
            else:
                self._stopping.wait(_RETRY)
                self._answer(self._failed)
        self._close()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()

    def _answer(self, answer: Callable[[], None]) -> None:
        if not self._stopping.is_set():
            self._soon(answer)

    def _try(self, work: Work) -> bool:
        """Commit a batch; say whether that worked."""
        try:
            self._look_after_file()
            if self._db is None:
                self._db = self._reopen()
            self._prepare(work).commit(self._db)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        if self.is_failing:
            self.is_failing = False
            self._trouble = None
            self._file.log.warning("%s can be written again", self._file.name)
        self.commits += 1
        self._committed()
        return True

    def _fail(self, error: sqlite3.Error | OSError) -> None:
        if not self.is_failing:
            self.is_failing = True
            self._trouble = self._begun(f"cannot be written ({error})")
            self._file.log.error("%s cannot be written (%s): %s until it can", self._file.name, error, self.meanwhile)
        if self._db is not None and is_damage(error):
            self._db.close()
            self._db = None

    def _begun(self, fault: str) -> Trouble:
        return Trouble(self._file.name, fault, self.meanwhile.rstrip(","), round(time.time()))

    def _reopen(self) -> sqlite3.Connection:
        """Open the file again; one that could not be read at start is put aside, for its numbers are used anew."""
        if self._is_known:
            salvage.recover(self._file)
        else:
            salvage.start_anew(self._file)
            self._is_known = True
        self.recoveries += 1
        return self._connect()

    def _look_after_file(self) -> None:
        """Begin a new file if somebody has taken this one away: SQLite would write on where nobody finds it again."""
        if self._db is None or self._identity() == self._opened:
            return
        self._db.close()
        self._db = None
        self._file.put_aside()
        self._file.log.error("%s was deleted or replaced while it was in use: a new one is begun", self._file.name)
        self._file.create()
        self.recoveries += 1
        self._db = self._connect()

    def _identity(self) -> tuple[int, int] | None:
        """Return what tells the file that is in the place from others."""
        try:
            found = os.stat(self._file.path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _connect(self) -> sqlite3.Connection:
        db = self._file.connect("rw")
        try:
            for pragma in self.pragmas:
                db.execute(f"PRAGMA {pragma}").fetchall()
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        except sqlite3.Error:
            db.close()
            raise
        self._opened = self._identity()
        return db
