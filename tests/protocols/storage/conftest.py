"""A file of records, and stores that are closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.protocols.storage import bed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def opened(path: Path) -> Iterator[bed.Make]:
    """Open the file, which is closed at the end."""
    all_of_them: list[bed.Writing] = []

    def make(at: Path = path) -> bed.Writing:
        all_of_them.append(bed.plain(at))
        return all_of_them[-1]

    yield make
    for one in all_of_them:
        one.stop()
