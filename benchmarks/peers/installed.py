"""Peers that come from a package registry or from Debian: installed once into a folder that git ignores."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache"
INSTALL_WITHIN = 300


class NotInstalled(Exception):
    """A peer cannot be had here; the message says why."""


def python_environment(requirements: Path) -> Path:
    """Return the Python of an environment that has these requirements and nothing else."""

    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "-r", str(requirements)])

    return _folder(requirements.stem, [requirements], install) / "bin" / "python"


def node_program(script: Path) -> list[str]:
    """Return the command of a script, with the packages that the lock file beside it pins."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstalled("there is no Node.js")
    sources = [script, script.with_name("package.json"), script.with_name("package-lock.json")]

    def install(folder: Path) -> None:
        folder.mkdir()
        for source in sources:
            shutil.copy(source, folder)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return [node, str(_folder(script.stem, sources, install) / script.name)]


def debian_packages(packages: Path) -> Path:
    """Return the folder that these Debian packages are unpacked into: nothing is installed, no service is started."""
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        raise NotInstalled("there is no apt-get")

    def install(folder: Path) -> None:
        folder.mkdir()
        _run([apt, "download", *packages.read_text().split()], folder)
        for archive in folder.glob("*.deb"):
            _run([dpkg, "-x", str(archive), str(folder)])
            archive.unlink()

    return _folder(packages.stem, [packages], install)


def _folder(name: str, sources: list[Path], install: Callable[[Path], None]) -> Path:
    """Return the folder that was installed from these sources, now or before."""
    digest = hashlib.blake2b(b"".join(source.read_bytes() for source in sources), digest_size=6).hexdigest()
    folder = CACHE / f"{name}-{digest}"
    whole = folder / "installed"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        CACHE.mkdir(exist_ok=True)
        print(f"installing {name} into {folder}", file=sys.stderr)
        install(folder)
        whole.touch()
    return folder


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=INSTALL_WITHIN)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotInstalled(f"{Path(command[0]).name} failed: {last}") from None
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{Path(command[0]).name} took longer than {INSTALL_WITHIN} s") from None
