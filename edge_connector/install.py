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
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from edge_connector import environments, keeping
from edge_connector.environments import EnvironmentFault

SOURCE = Path(__file__).parents[1]
IS_WINDOWS = sys.platform == "win32"
START = "start.cmd" if IS_WINDOWS else "start.sh"


class InstallFault(Exception):
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
        if not IS_WINDOWS and _service().is_possible():
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
        return {*self.folder.glob("app.*"), *self.folder.glob("env.*")}

    def _configure(self) -> None:
        """Put the configuration in place; one that is there stays, if it is that of this Edge Connector."""
        wanted, there = SOURCE / "edge.toml", self.folder / "edge.toml"
        if there.exists():
            if _who(there) != _who(wanted):
                raise InstallFault(f"{there} is that of another Edge Connector; give another --folder")
            _say(f"{there} is kept as it is")
        else:
            keeping.write(there, wanted.read_bytes())
        for name in ("state", "files"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)

    def _copy(self) -> None:
        """Copy what the list of sums names, and nothing else."""
        for name in [*self._names, "SHA256SUMS"]:
            place = self._app / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(SOURCE / name, place)
        compileall.compile_dir(self._app / "edge_connector", quiet=1)  # a service cannot write there

    def _activate(self, *, as_service: bool) -> None:
        """Have this release run from now on."""
        service = _service() if as_service else None
        text = service.unit(self.folder, self.label) if service else ""
        if service:
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


def _who(config: Path) -> tuple[Any, ...]:
    """Return what tells one Edge Connector from another."""
    try:
        values = tomllib.loads(config.read_text("utf-8"))
        agent, fleet = values.get("agent", {}), values.get("fleet", {})
        return agent.get("domain"), agent.get("name"), fleet.get("prefix")
    except (OSError, ValueError, AttributeError) as error:
        raise InstallFault(f"{config} cannot be read: {error}") from None


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
    except (InstallFault, EnvironmentFault, OSError, ValueError, subprocess.CalledProcessError) as error:
        _say(f"{asked.label}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
