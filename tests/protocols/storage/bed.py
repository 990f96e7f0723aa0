"""A file of records for tests: records that are sealed, and a store that is open."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

from protocols.storage.batch import Batch
from protocols.storage.file import RecordFile
from protocols.storage.writer import Writer

VERSION = 3


def sealed(number: int, data: bytes) -> bytes:
    return crc32(data, number).to_bytes(4, "little") + data


def is_whole(number: int, data: bytes) -> bool:
    return len(data) > 3 and data == sealed(number, data[4:])


def record_file(path: Path) -> RecordFile:
    return RecordFile(path, 0x54657374, VERSION, is_whole, logging.getLogger("protocols.test"))


class Plain(Writer[Batch]):
    """A store that adds nothing."""

    meanwhile = "nothing is kept"

    def _prepare(self, work: Batch) -> Batch:
        return work


class Writing:
    """A store that is open, whose answers the test takes."""

    def __init__(self, store: Any) -> None:
        self.answers: queue.Queue[Callable[[], None]] = queue.Queue()
        self.store = store
        self.found = dict(self.store.open())
        self.said: list[str] = []
        self.store.start(self.answers.put, lambda: self.said.append("done"), lambda: self.said.append("failed"))

    def write(self, puts: dict[int, bytes], gone: tuple[int, ...] = ()) -> str:
        """Write a batch of what is not sealed yet, and return what became of it."""
        self.store.write(Batch({number: sealed(number, data) for number, data in puts.items()}, gone))
        return self.answer()

    def answer(self) -> str:
        self.answers.get(timeout=10)()
        return self.said.pop()

    def limit(self, pages: int) -> None:
        """Let the file have no more than so many pages."""
        assert self.store._db is not None
        self.store._db.execute(f"PRAGMA max_page_count = {pages}")

    def stop(self) -> None:
        self.store.stop(None, 10)


Make = Callable[..., Writing]


def plain(path: Path) -> Writing:
    return Writing(Plain(record_file(path), "test-store"))


def rows(count: int, size: int = 200) -> dict[int, bytes]:
    """Return records that differ."""
    return {number: b"%d " % number * (size // len(b"%d " % number)) for number in range(1, count + 1)}


def filled(path: Path, count: int = 2000) -> dict[int, bytes]:
    """Make a file that holds records, closed in order."""
    store = plain(path)
    assert store.write(rows(count)) == "done"
    store.stop()
    return {number: sealed(number, data) for number, data in rows(count).items()}


def asides(path: Path, suffix: str = "Z") -> list[str]:
    return sorted(one.name for one in path.parent.glob(f"{path.name}.damaged-*{suffix}"))
