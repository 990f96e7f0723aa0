"""Installs the Edge Connector of an unpacked download: `install.sh` and `install.ps1` have checked it, and run this.

Each release that is installed has a folder of its own, `app.<digest>`, and an environment, `env.<digest>`, which those
with the same packages share.  `start.sh` names those that run, and is replaced at once: whatever goes wrong before
leaves everything as it was.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from edge_connector import environments, keeping
from edge_connector.errors import EdgeError

SOURCE = Path(__file__).parents[1]
IS_WINDOWS = sys.platform == "win32"
START = "start.cmd" if IS_WINDOWS else "start.sh"
_PROGRAM = re.compile(r"(?:app|env)\.[0-9a-f]{12}")
_LEFT = frozenset({"files", ".lock"})  # by one that was removed


class InstallFault(EdgeError):
    """It cannot be installed; says why."""


class Installation:
    """A folder that an Edge Connector is installed in, or is to be."""

    def __init__(self, folder: Path, label: str) -> None:
        self.folder = folder
        self.label = label
        sums = (SOURCE / "SHA256SUMS").read_bytes()
        self._names = [line.split("  ", 1)[1] for line in sums.decode().splitlines()]
        self._app = folder / f"app.{hashlib.sha256(sums).hexdigest()[:12]}"
        self._requirements = (SOURCE / "requirements.txt").read_text("utf-8")
        self._environment = folder / f"env.{environments.digest(self._requirements)}"

    def install(self, *, as_service: bool) -> None:
        """Install it, or put another release in its place.  Raises `InstallFault` and others, and all is as it was."""
        os.umask(0o022)
        if self._is_somebodys():
            raise InstallFault(f"{self.folder} has other files in it; give another --folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.folder.samefile(SOURCE):
            raise InstallFault("the folder to install it in has to be another one than that of the download")
        with keeping.locked(self.folder / ".lock"):
            self._configure()
            self._copy()
            _say("installing packages")
            environments.make(self._environment, self._requirements)
            self._activate(as_service=as_service)
            for one in self._programs() - {self._app, self._environment}:
                shutil.rmtree(one, ignore_errors=True)

    def uninstall(self) -> None:
        """Remove it, but for the files that it was given.  Raises `InstallFault`."""
        if not (self.folder / START).is_file():
            raise InstallFault(f"there is no Edge Connector in {self.folder}")
        self._kept()
        if not IS_WINDOWS and _service().is_possible() and _service().is_of(self.folder, self.label):
            _service().end(self.label)
        for one in self._programs() | {self.folder / "state"}:
            shutil.rmtree(one, ignore_errors=True)
        for name in (START, "edge.toml", ".lock"):
            (self.folder / name).unlink(missing_ok=True)
        for one in (self.folder / "files", self.folder):
            with contextlib.suppress(OSError):  # what is in there stays
                one.rmdir()
        _say(f"removed{f'; {self.folder} still has files' if self.folder.exists() else ''}")

    def _programs(self) -> set[Path]:
        return {one for one in self.folder.iterdir() if _PROGRAM.fullmatch(one.name)}

    def _is_somebodys(self) -> bool:
        """Tell whether the folder is used for something else, of which nothing may be given away or removed."""
        if not self.folder.is_dir() or self.folder.samefile(SOURCE) or (self.folder / "edge.toml").exists():
            return False
        return any(one.name not in _LEFT for one in self.folder.iterdir())

    def _kept(self) -> str:
        """Return what is said of a configuration that is there.  Raises `InstallFault` for another one's."""
        there = self.folder / "edge.toml"
        if not there.exists():
            return ""
        old, new = _read(there), _read(SOURCE / "edge.toml")
        if _who(old) != _who(new):
            raise InstallFault(f"{there} is that of another Edge Connector; give another --folder")
        differs = old.get("server") != new.get("server") or old.get("fleet") != new.get("fleet")
        more = ", though the download has another server or other credentials" if differs else ""
        return f"{there} is kept as it is{more}"

    def _configure(self) -> None:
        """Put the configuration in place; one that is there stays, if it is that of this Edge Connector."""
        if kept := self._kept():
            _say(kept)
        else:
            keeping.write(self.folder / "edge.toml", (SOURCE / "edge.toml").read_bytes())
        for name in ("state", "files"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)

    def _copy(self) -> None:
        """Copy what the list of sums names, and nothing else."""
        for name in [*self._names, "SHA256SUMS"]:
            place = self._app / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SOURCE / name, place)
        compileall.compile_dir(self._app / "edge_connector", quiet=1)  # a service cannot write there
        keeping.sync_everything()

    def _activate(self, *, as_service: bool) -> None:
        """Have this release run from now on."""
        service = _service() if as_service else None
        text = service.unit(self.folder, self.label) if service else ""
        if service:
            if not service.is_of(self.folder, self.label):
                raise InstallFault(f"the service {self.label} is that of another folder; remove that one first")
            uid, gid = service.user()
            if not service.may_run(environments.python(self._environment), uid, gid):
                python = Path(sys.executable).resolve()
                raise InstallFault(f"{service.USER} may not run {python}; install with a Python for all users")
            self._give(uid, gid)
        keeping.write(self.folder / START, self._start().encode())
        (self.folder / START).chmod(0o755)
        if service:
            service.start(text, self.label)
            _say(f"runs as the service {self.label}; its log: journalctl -u {self.label}")
        else:
            _say(f"installed; start it with: {self.folder / START}")

    def _start(self) -> str:
        words = [environments.python(self._environment), self._app / "run.py", "--config", self.folder / "edge.toml"]
        if IS_WINDOWS:
            return "@" + " ".join(f'"{word}"' for word in words).replace("%", "%%") + " %*\r\n"
        return "#!/bin/sh\nexec " + " ".join(shlex.quote(str(word)) for word in words) + ' "$@"\n'

    def _give(self, uid: int, gid: int) -> None:
        """Give a service's user what it may change, once: later it could have put links to others' files there."""
        for name in ("state", "files"):
            top = self.folder / name
            if top.stat().st_uid != uid:
                for one in [*top.rglob("*"), top]:
                    os.chown(one, uid, gid, follow_symlinks=False)
        os.chown(self.folder / "edge.toml", uid, gid, follow_symlinks=False)


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InstallFault(f"{config} cannot be read: {error}") from None


def _who(config: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one Edge Connector from another."""
    return tuple(
        config.get(table, {}).get(key) for table, key in (("agent", "domain"), ("agent", "name"), ("fleet", "prefix"))
    )


def _service() -> Any:
    """Return the module for services, which only Unix has."""
    from edge_connector import service

    return service


def _folder(asked: argparse.Namespace) -> Path:
    if asked.folder:
        return Path(os.path.abspath(asked.here / asked.folder))
    if not IS_WINDOWS and os.geteuid() == 0:
        return Path("/opt") / str(asked.label)
    return Path.home() / ".local" / "share" / str(asked.label)


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def main() -> int:
    """Do what install.sh was asked for; return the status to end with."""
    parser = argparse.ArgumentParser(prog="install.sh", description="Installs, upgrades or removes an Edge Connector.")
    parser.add_argument("what", nargs="?", choices=["install", "uninstall"], default="install")
    parser.add_argument("--folder", metavar="DIR", help="where it is, or is to be")
    parser.add_argument("--no-service", action="store_true", help="do not make a service of systemd")
    parser.add_argument("--label", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--here", type=Path, default=Path(), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    found = Installation(_folder(asked), asked.label)
    try:
        if asked.what == "uninstall":
            found.uninstall()
        else:
            found.install(as_service=not asked.no_service and not IS_WINDOWS and _service().is_possible())
    except keeping.Locked:
        _say(f"{asked.label}: something is being installed in {found.folder} already")
        return 1
    except (EdgeError, OSError, ValueError, subprocess.CalledProcessError) as error:
        _say(f"{asked.label}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
