"""Values that wait to be sent, in a file: they survive a kill, and leave in the order in which they came."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_connector.errors import EdgeError

log = logging.getLogger(__name__)

_OVERHEAD = 64  # bytes that a row takes beside its topic, time and payload
_TOTALS = "SELECT count(*), total(length(topic) + length(payload) + length(read_at) + length(via)) FROM message"
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS message (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL, payload BLOB NOT NULL, retain INTEGER NOT NULL, read_at TEXT NOT NULL, via TEXT NOT NULL
    )
"""


class OutboxFault(EdgeError):
    """The file cannot be written or read at present; says why."""


class InUse(OutboxFault):
    """Another process has the file."""


@dataclass(frozen=True, slots=True)
class Message:
    """A value on its way to a topic."""

    topic: str
    payload: bytes
    retain: bool
    read_at: str  # when it was read, ISO 8601 in UTC
    via: tuple[str, ...] = ()  # the bridges over which it came

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.payload) + len(self.read_at) + len(_said(self.via)) + _OVERHEAD


class Outbox:
    """A bounded queue in an SQLite file.  One thread uses it; `count` and `bytes` may be read by any.

    A message's number is never given twice, so that whoever gets a message twice can tell.
    """

    def __init__(self, path: Path, bound: int) -> None:
        self._path = path
        self._bound = bound
        self.count = 0
        self.bytes = 0
        self.dropped = 0
        self._db = self._open()

    def add(self, messages: Sequence[Message]) -> None:
        """Keep messages for good, all or none; the oldest are dropped, and counted, for what is beyond the bound."""
        rows = [(one.topic, one.payload, one.retain, one.read_at, _said(one.via)) for one in messages]
        sql = "INSERT INTO message (topic, payload, retain, read_at, via) VALUES (?, ?, ?, ?, ?)"
        with self._writing():
            self._db.executemany(sql, rows)
        self.count += len(messages)
        self.bytes += sum(one.size for one in messages)
        if self.bytes > self._bound:
            self._shrink()

    def after(self, number: int, limit: int) -> list[tuple[int, Message]]:
        """Return messages that came after one, oldest first."""
        sql = (
            "SELECT number, topic, payload, retain, read_at, via FROM message WHERE number > ? ORDER BY number LIMIT ?"
        )
        try:
            rows = self._db.execute(sql, (number, limit)).fetchall()
        except sqlite3.Error as error:
            raise OutboxFault(str(error)) from error
        return [
            (row[0], Message(row[1], row[2], bool(row[3]), row[4], tuple(filter(None, row[5].split("\n")))))
            for row in rows
        ]

    def remove(self, sent: Iterable[tuple[int, Message]]) -> None:
        """Forget messages that have arrived."""
        gone = list(sent)
        removed = 0
        with self._writing():
            for number, message in gone:
                if self._db.execute("DELETE FROM message WHERE number = ?", (number,)).rowcount:
                    removed += message.size
                    self.count -= 1
        self.bytes -= removed

    def close(self) -> None:
        self._db.close()

    def _shrink(self) -> None:
        """Drop the oldest, a little more than is needed, so that this is not done for each message."""
        goal = self._bound - self._bound // 20
        count = self.count
        while self.bytes > goal:
            gone, excess = [], self.bytes - goal
            for number, message in self.after(0, 1000):
                if excess <= 0:
                    break
                gone.append((number, message))
                excess -= message.size
            self.remove(gone)
        self.dropped += count - self.count
        log.warning("the buffer is full: the oldest %d values were dropped", count - self.count)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        count = self.count
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            self.count = count
            raise OutboxFault(str(error)) from error

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise InUse(f"another agent uses {self._path}") from None
            raise OutboxFault(f"cannot open {self._path}: {error}") from None
        except sqlite3.DatabaseError as error:
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            log.error("%s is damaged (%s) and was put aside as %s", self._path, error, aside)
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            with db:
                db.execute(_SCHEMA)
                self.count, total = db.execute(_TOTALS).fetchone()
            self.bytes = int(total) + self.count * _OVERHEAD
        except BaseException:
            db.close()
            raise
        return db


def _said(via: tuple[str, ...]) -> str:
    return "\n".join(via)
