"""The broker's store for tests, open."""

from __future__ import annotations

from pathlib import Path

from protocols.mqtt.store import Store
from tests.protocols.storage import bed


class Writing(bed.Writing):
    """A store that is open, whose answers the test takes."""

    def __init__(self, path: Path, **options: str) -> None:
        super().__init__(Store(path, bed.is_whole, **options))
