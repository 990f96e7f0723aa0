"""Fixtures of the API's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import worker_client
from tests.portal.api.api_bed import Bed


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    monkeypatch.setattr(worker_client, "_silent_until", {})
    made = Bed(tmp_path)
    try:
        yield made
    finally:
        made.stop()
        worker_client._forget()  # what would be kept for the next questions
