"""The server is told the time, and stands on the one version of asyncua that it closes the holes of."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.protocols.test_imports import ROOT, dotted, modules

FOLDER = [path for path in modules("protocols/opcua") if path.parent.name == "opcua"]


@pytest.mark.parametrize("path", FOLDER, ids=dotted)
def test_the_server_reads_no_wall_clock(path: Path) -> None:
    source = path.read_text("utf-8")
    assert "datetime.now(" not in source and "time.time(" not in source


def test_asyncua_is_pinned_to_the_version_that_is_tested() -> None:
    assert f"asyncua=={version('asyncua')}" in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
