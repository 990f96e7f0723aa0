"""The file of what survives a restart.  Records are encoded by the thread that writes them, beside the loop."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asyncua import ua

from protocols.opcua.values import records
from protocols.opcua.values.records import Record
from protocols.storage.batch import Batch
from protocols.storage.file import RecordFile
from protocols.storage.writer import Writer

_log = logging.getLogger("protocols.opcua")

_APPLICATION_ID = 0x47746F76  # "Gtov"
_VERSION = 1
_LONGEST_LOG = 8 << 20  # bytes
_UNENCODABLE = (ua.UaError, struct.error, TypeError, ValueError, AttributeError)


@dataclass(slots=True)
class Changes:
    """Records to put and to delete together, not encoded yet."""

    puts: Mapping[int, Record] = field(default_factory=dict)
    gone: Sequence[int] = ()


class Store(Writer[Changes]):
    """The file of nodes, values and history."""

    pragmas = ("synchronous = NORMAL", f"journal_size_limit = {_LONGEST_LOG}", "incremental_vacuum(1000)")
    meanwhile = "values are kept in memory only,"

    def __init__(self, path: Path) -> None:
        super().__init__(RecordFile(path, _APPLICATION_ID, _VERSION, records.is_whole, _log), "opcua-store")

    def _prepare(self, work: Changes) -> Batch:
        return Batch(dict(_encoded(work.puts)), work.gone)


def _encoded(puts: Mapping[int, Record]) -> Iterator[tuple[int, bytes]]:
    for number, record in puts.items():
        try:
            yield number, records.encode(record)
        except _UNENCODABLE as error:
            _log.error("a value of node %.60r cannot be stored: %s", record.name, error)
