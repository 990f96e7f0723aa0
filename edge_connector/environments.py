"""Python environments for releases: made whole, or made again."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from edge_connector import keeping
from edge_connector.errors import EdgeError

SECONDS = 1800  # for packages that have to be compiled on a small machine
_DONE = "complete"  # a file in it that is written last


class EnvironmentFault(EdgeError):
    """An environment cannot be made; says why."""


def python(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def digest(requirements: str) -> str:
    """Return what tells environments apart: the packages, and the version of Python that they are for."""
    lines = [f"{sys.version_info.major}.{sys.version_info.minor}", *sorted(packages(requirements))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def packages(requirements: str) -> set[str]:
    """Return what a file of requirements names."""
    return {line for line in map(str.strip, requirements.splitlines()) if line and not line.startswith("#")}


def is_whole(folder: Path) -> bool:
    return (folder / _DONE).is_file() and python(folder).exists()


def make(folder: Path, requirements: str) -> None:
    """Make an environment with packages, if it is not there yet.  Raises `EnvironmentFault` or `OSError`."""
    if is_whole(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        _run([sys.executable, "-m", "venv", str(folder)], "venv")
        wanted = folder / "requirements.txt"
        wanted.write_text(requirements, "utf-8")
        words = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"]
        _run([str(python(folder)), "-m", "pip", "install", *words, "-r", str(wanted)], "pip")
        keeping.sync_everything()
        keeping.write(folder / _DONE, b"")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _run(command: list[str], name: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - programs of this Python
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFault(f"{name} took longer than {SECONDS} s") from None
    if done.returncode:
        raise EnvironmentFault(f"{name} failed: {(done.stderr or done.stdout).strip()[-1000:]}")
