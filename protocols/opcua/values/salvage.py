"""Reading the file of values back, whatever has happened to it: what is whole is kept, a damaged file is put aside."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

_log = logging.getLogger("protocols.opcua")

Row = tuple[int, bytes]
IsWhole = Callable[[int, bytes], bool]

APPLICATION_ID = 0x47746F76  # "Gtov"
VERSION = 1
_SCHEMA = f"""
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
    COMMIT;
"""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE = _DAMAGED | {sqlite3.SQLITE_ERROR}  # the table is missing


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open the file in a mode of SQLite's addresses, such as "rw"."""
    address = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=2)


def recover(path: Path, is_whole: IsWhole) -> list[Row]:
    """Return the whole rows of a file, and leave one that can be written; raise sqlite3.Error or OSError if not."""
    if not path.exists() or not path.stat().st_size:
        _create(path)
        return []
    rows, fault = _read(path)
    whole = [
        (number, data) for number, data in sorted(rows.items()) if isinstance(data, bytes) and is_whole(number, data)
    ]
    if len(whole) < len(rows) and not fault:
        fault = "checksums are wrong"
    if fault:
        aside = put_aside(path)
        _create(path)
        _insert(path, whole)
        _log.error(
            "%s was damaged (%s): %d records are whole and kept, %d are read and are not; the damaged file is now %s",
            path.name,
            fault,
            len(whole),
            len(rows) - len(whole),
            aside,
        )
    return whole


def is_damage(error: Exception) -> bool:
    """Say whether an error tells of a damaged file, and not of one that is out of reach."""
    return _code(error) in _DAMAGED


def put_aside(path: Path) -> str:
    """Rename the file and what belongs to it; return its new name."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{moment}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{moment}-{number}")
    for suffix in ("", "-wal"):
        if _beside(path, suffix).exists():
            _beside(path, suffix).rename(_beside(aside, suffix))
    _beside(path, "-shm").unlink(missing_ok=True)
    return aside.name


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _create(path: Path) -> None:
    """Make an empty file; a log without its file would harm it."""
    for suffix in ("", "-wal", "-shm"):
        _beside(path, suffix).unlink(missing_ok=True)
    db = connect(path, "rwc")
    try:
        db.executescript(_SCHEMA)
    finally:
        db.close()


def _insert(path: Path, rows: list[Row]) -> None:
    db = connect(path, "rw")
    try:
        db.execute("BEGIN")
        db.executemany("INSERT INTO record VALUES (?, ?)", rows)
        db.execute("COMMIT")
    finally:
        db.close()


def _read(path: Path) -> tuple[dict[int, bytes], str]:
    """Return the rows that can be read, and what is wrong with the file, or ""."""
    rows: dict[int, bytes] = {}
    db = connect(path, "rw")
    try:
        fault = _foreign(db)
        if not fault:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            fault = "" if found == "ok" else str(found).splitlines()[-1]
            rows.update(db.execute("SELECT id, data FROM record ORDER BY id"))
    except sqlite3.Error as error:
        if _code(error) not in _UNREADABLE:
            raise
        fault = str(error)
        _read_from_both_ends(db, rows)
    finally:
        db.close()
    return rows, fault


def _foreign(db: sqlite3.Connection) -> str:
    """Return why this is no file of ours, if it is none."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        return "it is no store of this program"
    if version != VERSION:
        return f"it is of version {version}, and this program reads {VERSION}"
    return ""


def _read_from_both_ends(db: sqlite3.Connection, rows: dict[int, bytes]) -> None:
    """Read the rows before the first damaged place, and those after the last one."""
    for order in ("ASC", "DESC"):
        try:
            for number, data in db.execute(f"SELECT id, data FROM record ORDER BY id {order}"):  # noqa: S608 - see above
                if number in rows:
                    break
                rows[number] = data
        except sqlite3.Error as error:
            _log.debug("reading %s ended: %s", order, error)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
