"""Releases for launchers: programs in the place of agents, that do what their text says."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_connector.launch import Launcher
from edge_connector.releases import Outcome, Releases
from tests.support.processes import wait_until

# Each writes its name down when it starts, and when it was told to end.
AGENT = """\
import os, sys, time

def note(what):
    with open(os.path.join(os.path.dirname(sys.argv[2]), "notes"), "a") as notes:
        notes.write("{name} " + what + "\\n")

note("starts")
{does}
os.read(0, 1)
note("ends")
"""
UP = "os.write(1, b'up\\n')"


class Site:
    """A folder with an installed release, and what came after it."""

    def __init__(self, folder: Path, does: str = UP) -> None:
        self.folder = folder
        self.config = folder / "edge.toml"
        self.config.write_text("")
        (folder / "state").mkdir()
        self.installed = folder / "app"
        self.write(self.installed, "installed", does)
        (self.installed / "SHA256SUMS").write_text("of the first")
        (self.installed / "requirements.txt").write_text("# none\n")
        self.releases = Releases(folder / "state", self.installed)

    def write(self, folder: Path, name: str, does: str) -> None:
        package = folder / "edge_connector"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(AGENT.format(name=name, does=textwrap.dedent(does)))
        (folder / "requirements.txt").write_text("")

    def update(self, name: str, does: str, requirements: str = "") -> None:
        """Have a release that is tried at the next start."""
        self.write(self.releases.folder(name), name, does)
        (self.releases.folder(name) / "requirements.txt").write_text(requirements)
        self.releases.save(replace(self.releases.load(), trial=name, tried=False, last=Outcome("trial", name)))

    @property
    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def notes_are(self, *wanted: str) -> None:
        wait_until(lambda: len(self.notes) >= len(wanted), what=f"{wanted}, and not {self.notes}")
        assert self.notes == list(wanted)


class Running:
    """A launcher in a thread."""

    def __init__(self, site: Site, trial: float = 10) -> None:
        self.launcher = Launcher(site.config, site.installed, trial)
        self.status: list[int] = []
        self._thread = threading.Thread(target=lambda: self.status.append(self.launcher.run()))
        self._thread.start()

    def stop(self) -> int:
        self.launcher.stop()
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; return its status."""
        self._thread.join(15)
        assert self.status, "the launcher does not end"
        return self.status[0]


def until(condition: Callable[[], object], what: str) -> None:
    wait_until(condition, what=what)
