"""Records that are put and deleted together: two statements, however many they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

# The index is an object: a record's number to where its bytes are in the blob, position << 31 | size.
_PUT = """
    INSERT OR REPLACE INTO record
    SELECT CAST(j.key AS INTEGER), substr(:blob, j.value >> 31, j.value & 0x7fffffff) FROM json_each(:index) j
"""
_DELETE = "DELETE FROM record WHERE id IN (SELECT value FROM json_each(:gone))"

_SLICE = 16 << 20  # bytes of a blob: a larger batch takes more statements


class Batch:
    """Records to put and to delete together, made ready for their statements."""

    __slots__ = ("deletions", "gone", "insertions", "puts")

    def __init__(self, puts: Mapping[int, bytes], gone: Sequence[int]) -> None:
        self.puts = puts
        self.gone = gone
        self.insertions = list(_slices(puts))
        self.deletions = "[" + ",".join(map(str, gone)) + "]" if gone else ""

    @property
    def size(self) -> int:
        """Return how many bytes it takes, more or less."""
        return sum(len(blob) for blob, _ in self.insertions) + len(self.deletions)

    def commit(self, db: sqlite3.Connection) -> None:
        """Write all of it, or nothing and raise sqlite3.Error."""
        db.execute("BEGIN IMMEDIATE")
        try:
            for blob, index in self.insertions:
                db.execute(_PUT, {"blob": blob, "index": index})
            if self.deletions:
                db.execute(_DELETE, {"gone": self.deletions})
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


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
