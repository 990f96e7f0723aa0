"""Reading the store's file back, whatever has happened to it: what is whole is kept, a damaged file is put aside."""

from __future__ import annotations

import heapq
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_log = logging.getLogger("protocols.mqtt")

Row = tuple[int, bytes]
IsWhole = Callable[[int, bytes], bool]

APPLICATION_ID = 0x47746D71  # "Gtmq"
VERSION = 1
SCHEMA = f"""
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
    COMMIT;
"""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE = _DAMAGED | {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_ERROR}  # a page or the table is missing

_UPWARDS = "SELECT id, data FROM record WHERE id BETWEEN ? AND ? ORDER BY id"
_DOWNWARDS = f"{_UPWARDS} DESC"
_PROBES = 20_000  # ranges of a damaged file that are tried
_SLICE = 10_000  # rows written at a time to a new file


@dataclass(slots=True)
class Content:
    """What a file holds."""

    rows: list[Row] = field(default_factory=list)  # those that are whole, by their numbers
    damaged: int = 0  # rows that can be read and are not
    fault: str = ""  # what is wrong with the file; "" when all is well


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open the file in a mode of SQLite's addresses, such as "ro"."""
    address = f"file:{quote(str(path))}?mode={mode}"
    db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=2)
    db.text_factory = bytes  # whatever damage has made of a row, it can be read
    return db


def create(path: Path) -> None:
    """Make an empty file."""
    db = connect(path, "rwc")
    try:
        db.executescript(SCHEMA)
    finally:
        db.close()


def recover(path: Path, is_whole: IsWhole) -> list[Row]:
    """Return the rows of a file, and leave one that can be written; raise sqlite3.Error or OSError if there is none."""
    _finish_replacing(path)
    if not path.exists():
        _put_aside(path)  # a log without its file is no use, and harms a new one
        create(path)
        return []
    content = _read(path, is_whole)
    if content.fault:
        _replace(path, content)
    return content.rows


def start_anew(path: Path) -> None:
    """Put a file aside that could not be read, and make an empty one."""
    if path.exists():
        _log.error(
            "%s could not be read at start; it is kept as %s, and a new one is begun", path.name, _put_aside(path)
        )
    create(path)


def is_damage(error: Exception) -> bool:
    """Say whether an error tells of a damaged file, and not of one that is out of reach."""
    return _code(error) in _DAMAGED


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


# --- reading


def _read(path: Path, is_whole: IsWhole) -> Content:
    content = Content()
    if not path.stat().st_size:
        content.fault = "it is empty"
        return content
    rows: dict[int, bytes] = {}
    db = connect(path, "ro")
    try:
        content.fault = _foreign(db)
        if content.fault:
            return content
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        content.fault = "" if found == b"ok" else found.decode("utf-8", "replace").splitlines()[-1]
        rows.update(_rows(db, content))
    except sqlite3.Error as error:
        if _code(error) not in _UNREADABLE:
            raise
        content.fault = str(error)
        db.execute("PRAGMA writable_schema = ON")  # reads a file that is shorter than it says, too
        rows.update(_probe(db))
    finally:
        db.close()
    _keep_whole(content, rows, is_whole)
    return content


def _keep_whole(content: Content, rows: dict[int, bytes], is_whole: IsWhole) -> None:
    content.rows = [
        (number, data) for number, data in sorted(rows.items()) if _is_bytes(data) and is_whole(number, data)
    ]
    content.damaged = len(rows) - len(content.rows)
    if content.damaged and not content.fault:
        content.fault = "checksums are wrong"


def _is_bytes(data: object) -> bool:
    return isinstance(data, bytes)


def _foreign(db: sqlite3.Connection) -> str:
    """Return why this is no file of ours, if it is none."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        return "it is no store of this program"
    if version != VERSION:
        return f"it is of version {version}, and this program reads {VERSION}"
    return ""


def _rows(db: sqlite3.Connection, content: Content) -> dict[int, bytes]:
    """Read every row, in one go if that works."""
    if not content.fault:
        return dict(db.execute("SELECT id, data FROM record ORDER BY id"))
    return _probe(db)


def _probe(db: sqlite3.Connection) -> dict[int, bytes]:
    """Read the rows that SQLite can still reach: by ranges, from both ends, that get smaller around what it cannot.

    The largest range comes first, so that no small place takes up all the tries.
    """
    rows: dict[int, bytes] = {}
    high = next((1 << bits for bits in range(62, 0, -1) if _read_down(db, 0, 1 << bits, rows) < 1 << bits), 0)
    ranges = [(-high, 0, high)]
    for _ in range(_PROBES):
        if not ranges:
            break
        _, low, high = heapq.heappop(ranges)
        low = _read_up(db, low, high, rows) + 1
        if low > high:
            continue
        high = _read_down(db, low, high, rows) - 1
        if low < high:
            middle = (low + high) // 2
            heapq.heappush(ranges, (low - middle, low, middle))
            heapq.heappush(ranges, (middle + 1 - high, middle + 1, high))
    return rows


def _read_up(db: sqlite3.Connection, low: int, high: int, rows: dict[int, bytes]) -> int:
    """Read a range from its low end; return up to where that worked."""
    last = low - 1
    for number in _readable(db, _UPWARDS, low, high, rows):
        if number is None:
            return high
        last = number
    return last


def _read_down(db: sqlite3.Connection, low: int, high: int, rows: dict[int, bytes]) -> int:
    """Read a range from its high end; return down to where that worked."""
    last = high + 1
    for number in _readable(db, _DOWNWARDS, low, high, rows):
        if number is None:
            return low
        last = number
    return last


def _readable(db: sqlite3.Connection, sql: str, low: int, high: int, rows: dict[int, bytes]) -> Iterator[int | None]:
    """Read rows until a damaged place, and return their numbers; None comes at the end of the range."""
    try:
        for number, data in db.execute(sql, (low, high)):
            if not low <= number <= high:
                return
            rows[number] = data
            yield number
    except sqlite3.Error:
        return
    yield None


# --- a new file in the place of a damaged one


def _replace(path: Path, content: Content) -> None:
    """Put a damaged file aside, and a new one with what was whole in its place.

    The new file is finished before the old one is touched, so that a kill on the way loses nothing.
    """
    draft = _draft(path)
    _remove(draft)
    create(draft)
    db = connect(draft, "rw")
    try:
        for start in range(0, len(content.rows), _SLICE):
            db.execute("BEGIN")
            db.executemany("INSERT INTO record VALUES (?, ?)", content.rows[start : start + _SLICE])
            db.execute("COMMIT")
    finally:
        db.close()  # which brings everything into the file itself
    aside = _put_aside(path)
    draft.rename(path)
    _log.error(
        "%s was damaged (%s): %d records are whole and kept, %d can be read and are not; the damaged file is now %s",
        path.name,
        content.fault,
        len(content.rows),
        content.damaged,
        aside,
    )


def _finish_replacing(path: Path) -> None:
    """Go on where a kill has ended `_replace`."""
    draft = _draft(path)
    if not draft.exists():
        return
    if path.exists():
        _remove(draft)
        return
    aside = _put_aside(path)
    draft.rename(path)
    _log.error("%s was damaged: it is replaced now; the rest of the damaged file is now %s", path.name, aside)


def _put_aside(path: Path) -> str:
    """Rename the file and what belongs to it; return its new name."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{moment}")
    number = 1
    while aside.exists() or _beside(aside, "-wal").exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{moment}-{number}")
    log = _beside(path, "-wal")
    if log.exists() and not log.stat().st_size:
        log.unlink()
    for suffix in ("", "-wal"):  # the file first: while it is missing, the replacing goes on at the next start
        if _beside(path, suffix).exists():
            _beside(path, suffix).rename(_beside(aside, suffix))
    _beside(path, "-shm").unlink(missing_ok=True)
    return aside.name


def _draft(path: Path) -> Path:
    return _beside(path, ".new")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        _beside(path, suffix).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
