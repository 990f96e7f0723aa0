"""The file of values, `hub.db`.  Records are encoded by the thread that writes them, beside the loop."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protocols.hub import records
from protocols.hub.messages import Fields
from protocols.storage.batch import Batch
from protocols.storage.file import RecordFile
from protocols.storage.writer import Writer

_log = logging.getLogger("protocols.hub")

APPLICATION_ID = 0x47746875  # "Gthu"
VERSION = 1
_LONGEST_LOG = 8 << 20  # bytes
_LOOK = 5.0  # seconds without a batch, after which the file is looked after


@dataclass(slots=True)
class Changes:
    """Values to put, with the times when they expire, and records to delete together."""

    puts: Mapping[int, tuple[Fields, float | None]] = field(default_factory=dict)
    gone: Sequence[int] = ()


class Store(Writer[Changes]):
    """The file and the thread that writes it."""

    pragmas = ("synchronous = NORMAL", f"journal_size_limit = {_LONGEST_LOG}", "incremental_vacuum(1000)")
    idle = _LOOK
    meanwhile = "last values are kept in memory only,"

    def __init__(self, path: Path) -> None:
        super().__init__(RecordFile(path, APPLICATION_ID, VERSION, records.is_whole, _log), "hub-store")

    def _prepare(self, work: Changes) -> Batch:
        puts = {number: records.encode(number, *kept) for number, kept in work.puts.items()}
        return Batch(puts, work.gone)
