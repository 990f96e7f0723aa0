"""A file of numbered records: one table in SQLite."""

from __future__ import annotations

import glob
import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

ROWS = "SELECT id, data FROM record ORDER BY id"

Row = tuple[int, bytes]
IsWhole = Callable[[int, bytes], bool]

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE = _DAMAGED | {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_ERROR}  # a page or the table is missing
_MOST_ASIDE = 3  # damaged files that are kept
_ASIDE = re.compile(r"\.damaged-(\d{8}T\d{6}Z)(?:-(\d{1,9}))?(?:-wal)?")


@dataclass(frozen=True, slots=True)
class RecordFile:
    """Where a file is, what it is known by, and which of its records are whole."""

    path: Path
    application_id: int
    version: int
    is_whole: IsWhole
    log: logging.Logger

    @property
    def name(self) -> str:
        """Return what people know it by."""
        return self.path.name

    def beside(self, suffix: str) -> Path:
        """Return what belongs to it, such as its log."""
        return self.path.with_name(self.path.name + suffix)

    def connect(self, mode: str) -> sqlite3.Connection:
        """Open the file in a mode of SQLite's addresses, such as "ro"."""
        address = f"file:{quote(str(self.path))}?mode={mode}"
        db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=2)
        db.text_factory = bytes  # whatever damage has made of a row, it can be read
        return db

    def rows(self) -> Iterator[Row]:
        """Return every row, by number: what is made of one need not lie in memory among all those that follow."""
        db = self.connect("ro")
        try:
            db.execute("PRAGMA cache_size = -64")  # KiB: no page is needed twice
            yield from db.execute(ROWS)
        finally:
            db.close()

    def create(self) -> None:
        """Make an empty file."""
        db = self.connect("rwc")
        try:
            db.executescript(f"""
                PRAGMA auto_vacuum = INCREMENTAL;
                PRAGMA journal_mode = WAL;
                BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
                PRAGMA application_id = {self.application_id};
                PRAGMA user_version = {self.version};
                COMMIT;
            """)
        finally:
            db.close()

    def foreign(self, db: sqlite3.Connection) -> str:
        """Return why this is no file of ours, if it is none."""
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if application != self.application_id:
            return "it is no store of this program"
        if version != self.version:
            return f"it is of version {version}, and this program reads {self.version}"
        return ""

    def remove(self) -> None:
        """Delete it with all that belongs to it."""
        for suffix in ("", "-wal", "-shm"):
            self.beside(suffix).unlink(missing_ok=True)

    def put_aside(self) -> str:
        """Rename the file and what belongs to it; return its new name."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 1 + max((number for at, number in self._asides() if at == moment), default=0)
        suffix = f".damaged-{moment}" if number == 1 else f".damaged-{moment}-{number}"
        log = self.beside("-wal")
        if log.exists() and not log.stat().st_size:
            log.unlink()
        for part in ("", "-wal"):  # the file first: while it is missing, the replacing goes on at the next start
            if self.beside(part).exists():
                self.beside(part).rename(self.beside(suffix + part))
        self.beside("-shm").unlink(missing_ok=True)
        self._forget_old_ones()
        return self.beside(suffix).name

    def _forget_old_ones(self) -> None:
        """Delete the oldest of the files that were put aside, so that they never fill the disk."""
        asides = self._asides()
        for gone in sorted(asides)[:-_MOST_ASIDE]:
            for part in asides[gone]:
                part.unlink(missing_ok=True)

    def _asides(self) -> dict[tuple[str, int], list[Path]]:
        """Return the files that were put aside, each with its log, by their moment and number within that second."""
        found: dict[tuple[str, int], list[Path]] = {}
        for path in self.path.parent.glob(f"{glob.escape(self.name)}.damaged-*"):
            if name := _ASIDE.fullmatch(path.name[len(self.name) :]):
                found.setdefault((name[1], int(name[2] or 1)), []).append(path)
        return found


def is_damage(error: Exception) -> bool:
    """Say whether an error tells of a damaged file, and not of one that is out of reach."""
    return _code(error) in _DAMAGED


def is_unreadable(error: Exception) -> bool:
    """Say whether an error that came of reading may tell of a damaged file."""
    return _code(error) in _UNREADABLE


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
