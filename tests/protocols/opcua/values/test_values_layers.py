"""The values' own modules: which of them know a loop, a clock, files, or asyncua's server."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

VALUES = Path(__file__).parents[4] / "protocols" / "opcua" / "values"
SHELL = {"items", "space"}  # asyncua's server
STORE = {"keeper", "store"}  # files and a thread
MODULES = sorted(VALUES.glob("*.py"))
IMPURE = {"asyncio", "os", "random", "socket", "sqlite3", "threading", "time"}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for part in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(part, ast.Import):
            found |= {alias.name for alias in part.names}
        elif isinstance(part, ast.ImportFrom):
            found |= {f"{part.module}.{alias.name}" for alias in part.names} | {part.module or ""}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_only_the_shell_and_the_store_are_impure(path: Path) -> None:
    found = imports(path)
    if path.stem not in SHELL | STORE:
        assert not {name for name in found if name.split(".")[0] in IMPURE}
        assert not {name for name in found if name.startswith("protocols.opcua.") and "values" not in name} - {
            "protocols.opcua.space",
            "protocols.opcua.space.GoOn",
        }
        assert "datetime.now(" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_imports_the_shell_but_the_shell(path: Path) -> None:
    if path.stem != "space":
        assert not imports(path) & {f"protocols.opcua.values.{name}" for name in SHELL}
