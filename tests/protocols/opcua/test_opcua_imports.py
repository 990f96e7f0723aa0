"""The server knows the contract and its own folder, and is told the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocols.test_imports import dotted, imports, modules

FOLDER = [path for path in modules("protocols/opcua") if path.parent.name == "opcua"]


@pytest.mark.parametrize("path", FOLDER, ids=dotted)
def test_the_server_knows_the_contract_and_itself_only(path: Path) -> None:
    ours = {name for name in imports(path) if name.split(".")[0] in {"protocols", "portal", "app"}}
    allowed = ("protocols.contract", "protocols.opcua")
    assert not {name for name in ours if name != "protocols" and not name.startswith(allowed)}


@pytest.mark.parametrize("path", FOLDER, ids=dotted)
def test_the_server_reads_no_wall_clock(path: Path) -> None:
    source = path.read_text("utf-8")
    assert "datetime.now(" not in source and "time.time(" not in source
