"""The server is told the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocols.test_imports import dotted, modules

FOLDER = [path for path in modules("protocols/opcua") if path.parent.name == "opcua"]


@pytest.mark.parametrize("path", FOLDER, ids=dotted)
def test_the_server_reads_no_wall_clock(path: Path) -> None:
    source = path.read_text("utf-8")
    assert "datetime.now(" not in source and "time.time(" not in source
