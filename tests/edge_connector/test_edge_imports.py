"""The Edge Connector stands alone, and loads a library only for the connector that needs it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edge_connector
from edge_connector.connectors import KINDS
from release import VERSION

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "edge_connector"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What has neither a thread nor a socket, a clock or a file.
PURE = ["wire", "described", "settings", "pauses"]
IMPURE = {"asyncio", "os", "paho", "random", "select", "socket", "sqlite3", "ssl", "subprocess", "threading", "time"}


def imports(path: Path) -> set[str]:
    """Return the packages that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_nothing_of_it_imports_anything_else_of_this_project(path: Path) -> None:
    ours = {one.stem if one.suffix == ".py" else one.name for one in ROOT.iterdir()} - {"edge_connector"}
    assert {"portal", "protocols", "release"} <= ours
    assert not imports(path) & ours


@pytest.mark.parametrize("name", PURE)
def test_its_core_has_no_thread_socket_clock_or_file(name: str) -> None:
    assert not imports(PACKAGE / f"{name}.py") & IMPURE


def test_it_is_loaded_from_a_folder_that_has_nothing_else_and_without_libraries_of_connectors(tmp_path: Path) -> None:
    (tmp_path / "edge_connector").symlink_to(PACKAGE)
    program = "import sys, edge_connector.__main__; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "paho" in loaded
    assert not loaded & {
        "psutil",
        "sqlalchemy",
        "psycopg",
        "httpcore",
        "pymodbus",
        "snap7",
        "serial",
        "peewee",
        "flask",
    }


def test_what_installs_and_launches_it_needs_python_alone(tmp_path: Path) -> None:
    (tmp_path / "edge_connector").symlink_to(PACKAGE)
    program = "import edge_connector.launch, edge_connector.install, edge_connector.service"
    subprocess.run([sys.executable, "-S", "-c", program], cwd=tmp_path, check=True)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_connector_has_its_requirements_pinned(kind: str) -> None:
    wanted = packages(ROOT / "requirements-dev.txt") | packages(ROOT / "requirements.txt")
    paths = [PACKAGE / "requirements" / f"{kind}.txt", *PACKAGE.glob(f"requirements/{kind}-*.txt")]
    for path in paths:
        found = packages(path)
        assert all("==" in one for one in found)
        assert found <= wanted


def packages(path: Path) -> set[str]:
    """Return what a file of requirements has, without extras and without the machines that it is for."""
    lines = [line.partition(";")[0].strip() for line in path.read_text().splitlines()]
    return {re.sub(r"\[\w+\]", "", line) for line in lines if line and not line.startswith(("#", "-"))}


def test_its_version_is_that_of_gatehouse() -> None:
    assert edge_connector.VERSION == VERSION
