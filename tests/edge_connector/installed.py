"""An Edge Connector as a person gets one: downloaded, unpacked, and installed by its own script."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

from portal.edge import archive
from portal.edge.plan import Plan
from tests.edge_connector.edge import Edge
from tests.support import processes


def download(plan: Plan, folder: Path) -> Path:
    """Unpack a plan's download in a folder; return where it is."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "xz"], input=archive.build(plan), cwd=folder, check=True)
    return folder / plan.label


def another(version: str, **changes: tuple[str, str]) -> bytes:
    """Return a release of another version, with one text replaced by another in some modules."""
    changes["__init__"] = (f'VERSION = "{archive.VERSION}"', f'VERSION = "{version}"')
    buffer = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive.release()[1])) as old,
        tarfile.open(fileobj=buffer, mode="w:gz") as new,
    ):
        for member in old:
            content = old.extractfile(member).read()
            path = Path(member.name)
            if path.parent.name == "edge_connector" and path.stem in changes:
                before, after = changes[path.stem]
                assert before.encode() in content, path
                content = content.replace(before.encode(), after.encode())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Installed(Edge):
    """Installed in a folder, and run by what is there."""

    def __init__(self, source: Path, folder: Path, name: str) -> None:
        self.source = source
        self.folder = folder
        self.name = name
        self.config = folder / "edge.toml"
        self.log_file = folder.with_suffix(".log")
        self.process = None

    def script(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run its install.sh."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return subprocess.run(
            ["sh", self.source / "install.sh", *words, "--folder", self.folder],
            cwd=self.folder.parent,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), **pip, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )

    def start(self, *words: str) -> Installed:
        with self.log_file.open("ab") as log:
            self.process = processes.start(
                [self.folder / "start.sh", *words],
                cwd=self.folder.parent,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder.parent)},
                stdout=log,
                stderr=log,
            )
        return self
