"""Reading a file back, whatever has happened to it: what is whole is kept, a damaged file is put aside."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace

from protocols.storage.file import ROWS, RecordFile, Row, is_unreadable
from protocols.storage.probe import probe

_SLICE = 10_000  # rows written at a time to a new file


@dataclass(slots=True)
class Content:
    """What is wrong with a file, and what it holds then."""

    rows: list[Row] = field(default_factory=list)  # those that are whole, by their numbers
    damaged: int = 0  # rows that can be read and are not
    fault: str = ""  # what is wrong with the file; "" when all is well


def recover(file: RecordFile) -> None:
    """Leave a file whose rows are all whole and that can be written; raise sqlite3.Error or OSError without one."""
    _finish_replacing(file)
    if not file.path.exists():
        file.put_aside()  # a log without its file is no use, and harms a new one
        file.create()
        return
    content = _read(file)
    if content.fault:
        _replace(file, content)


def start_anew(file: RecordFile) -> None:
    """Put a file aside that could not be read, and make an empty one."""
    if file.path.exists():
        file.log.error(
            "%s could not be read at start; it is kept as %s, and a new one is begun", file.name, file.put_aside()
        )
    file.create()


# --- reading


def _read(file: RecordFile) -> Content:
    content = Content()
    if not file.path.stat().st_size:
        content.fault = "it is empty"
        return content
    rows: dict[int, bytes] = {}
    db = file.connect("ro")
    try:
        content.fault = file.foreign(db)
        if content.fault:
            return content
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        content.fault = "" if found == b"ok" else found.decode("utf-8", "replace").splitlines()[-1]
        if not content.fault and all(_is_whole(file, *row) for row in db.execute(ROWS)):
            return content
        rows.update(_rows(db, content))
    except sqlite3.Error as error:
        if not is_unreadable(error):
            raise
        content.fault = str(error)
        db.execute("PRAGMA writable_schema = ON")  # reads a file that is shorter than it says, too
        rows.update(probe(db))
    finally:
        db.close()
    _keep_whole(file, content, rows)
    return content


def _rows(db: sqlite3.Connection, content: Content) -> dict[int, bytes]:
    """Read every row, in one go if that works."""
    if not content.fault:
        return dict(db.execute(ROWS))
    return probe(db)


def _keep_whole(file: RecordFile, content: Content, rows: dict[int, bytes]) -> None:
    content.rows = [row for row in sorted(rows.items()) if _is_whole(file, *row)]
    content.damaged = len(rows) - len(content.rows)
    if content.damaged and not content.fault:
        content.fault = "checksums are wrong"


def _is_whole(file: RecordFile, number: int, data: object) -> bool:
    return isinstance(data, bytes) and file.is_whole(number, data)


# --- a new file in the place of a damaged one


def _replace(file: RecordFile, content: Content) -> None:
    """Put a damaged file aside, and a new one with what was whole in its place.

    The new file is finished before the old one is touched, so that a kill on the way loses nothing.
    """
    draft = _draft(file)
    draft.remove()
    draft.create()
    db = draft.connect("rw")
    try:
        for start in range(0, len(content.rows), _SLICE):
            db.execute("BEGIN")
            db.executemany("INSERT INTO record VALUES (?, ?)", content.rows[start : start + _SLICE])
            db.execute("COMMIT")
    finally:
        db.close()  # which brings everything into the file itself
    aside = file.put_aside()
    draft.path.rename(file.path)
    file.log.error(
        "%s was damaged (%s): %d records are whole and kept, %d can be read and are not; the damaged file is now %s",
        file.name,
        content.fault,
        len(content.rows),
        content.damaged,
        aside,
    )


def _finish_replacing(file: RecordFile) -> None:
    """Go on where a kill has ended `_replace`."""
    draft = _draft(file)
    if not draft.path.exists():
        return
    if file.path.exists():
        draft.remove()
        return
    aside = file.put_aside()
    draft.path.rename(file.path)
    file.log.error("%s was damaged: it is replaced now; the rest of the damaged file is now %s", file.name, aside)


def _draft(file: RecordFile) -> RecordFile:
    return replace(file, path=file.beside(".new"))
