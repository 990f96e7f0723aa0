"""Which release of the agent runs: the one that was installed, or one that came as an update and is kept in its state.

What was installed is never changed by an update, and comes back when it is installed anew, or when an update fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge_connector import environments, keeping

INSTALLED = ""  # the name of the release that was installed
AGAIN = 75  # the status of an agent that ends to be started again, in the release that the record names
UNUSABLE = 78  # and EX_CONFIG of sysexits.h, of one whose configuration cannot be used: to try again is of no use


@dataclass(frozen=True)
class Outcome:
    """What became of the last update."""

    state: str = ""  # installing, trial, done or failed
    version: str = ""
    error: str = ""


@dataclass(frozen=True)
class Record:
    """What is kept of releases."""

    base: str = ""  # the digest of what was installed when an update came
    current: str = INSTALLED
    trial: str = ""  # a release that has yet to show that it connects
    tried: bool = False  # it was started once
    last: Outcome = field(default_factory=Outcome)


class Releases:
    """The folders of releases and of their environments, and the record beside them."""

    def __init__(self, state: Path, installed: Path) -> None:
        self._record = state / "release.json"
        self._folder = state / "releases"
        self._environments = state / "environments"
        self._installed = installed
        self._base = _digest(installed)

    def load(self) -> Record:
        """Return the record; without one that can be used, and after another release was installed, a new one."""
        try:
            found = json.loads(self._record.read_bytes())
            record = Record(**{**found, "last": Outcome(**found["last"])})
        except (OSError, ValueError, TypeError, KeyError):
            return Record(self._base)
        return record if record.base == self._base else Record(self._base)

    def save(self, record: Record) -> None:
        """Keep a record.  Raises `OSError`."""
        keeping.write(self._record, json.dumps(asdict(record), indent=1).encode())

    def folder(self, name: str) -> Path:
        return self._installed if name == INSTALLED else self._folder / name

    def python(self, name: str) -> Path | None:
        """Return the interpreter for a release, None if it is gone: it may have been made for another Python."""
        if name == INSTALLED:
            return Path(sys.executable)
        try:
            own = self.environment((self.folder(name) / "requirements.txt").read_text("utf-8"))
        except OSError:
            return None
        if own is None:
            return Path(sys.executable)
        return environments.python(own) if environments.is_whole(own) else None

    def environment(self, requirements: str) -> Path | None:
        """Return the folder of the environment for requirements, None if what was installed has them all."""
        with contextlib.suppress(OSError):
            installed = (self._installed / "requirements.txt").read_text("utf-8")
            if environments.packages(requirements) <= environments.packages(installed):
                return None
        return self._environments / environments.digest(requirements)

    def prune(self) -> None:
        """Remove releases and environments that the record does not name."""
        record = self.load()
        kept = {self.folder(name) for name in (record.current, record.trial) if name}
        for name in kept.copy():
            with contextlib.suppress(OSError):
                own = self.environment((name / "requirements.txt").read_text("utf-8"))
                kept |= {own} if own else set()
        for parent in (self._folder, self._environments):
            for one in parent.iterdir() if parent.is_dir() else ():
                if one not in kept:
                    shutil.rmtree(one, ignore_errors=True)


def _digest(installed: Path) -> str:
    """Return what tells one installation from another: its list of sums."""
    try:
        return hashlib.sha256((installed / "SHA256SUMS").read_bytes()).hexdigest()
    except OSError:
        return ""
