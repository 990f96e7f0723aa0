"""The download of an Edge Connector: one archive with all that it needs, the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from portal.edge import configuration
from portal.edge.choices import AGENT, REQUIREMENTS, SYSTEM
from portal.edge.plan import Plan
from release import VERSION

FILES = Path(__file__).parent / "files"
SUMS = "SHA256SUMS"
CONFIG = "edge.toml"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the first that a zip knows; of all files, so that the same plan makes the same bytes


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content: bytes
    mode: int = 0o644


def build(plan: Plan) -> bytes:
    """Return the archive for a plan: a zip for Windows, a tar.gz otherwise."""
    files = _files(plan)
    sums = "".join(f"{hashlib.sha256(one.content).hexdigest()}  {one.name}\n" for one in files)
    # A person fills edge.toml in before it is installed: its sum would say nothing.
    files += [_File(SUMS, sums.encode()), _File(CONFIG, configuration.text(plan).encode(), 0o600)]
    files.append(_File("files/", b"", 0o755))  # what the example for Files names
    return _zip(plan.label, files) if plan.is_for_windows else _tar(plan.label, files)


def filename(plan: Plan) -> str:
    """Return what the download is called."""
    return f"{plan.label}.zip" if plan.is_for_windows else f"{plan.label}.tar.gz"


def requirements(kinds: list[str]) -> str:
    """Return the packages that an agent with these kinds of connectors needs, each once."""
    lines: dict[str, None] = {}
    for kind in ("agent", *kinds):
        for path in (REQUIREMENTS / f"{kind}.txt", *sorted(REQUIREMENTS.glob(f"{kind}-*.txt"))):
            for line in path.read_text("utf-8").splitlines():
                if line and not line.startswith("#"):
                    lines[line] = None
    return "".join(f"{line}\n" for line in lines)


@cache
def release() -> tuple[str, bytes]:
    """Return the version of this portal's agent, and the archive that updates one."""
    return VERSION, _tar("", _agent())


def mac(password: str, version: str, archive: bytes) -> str:
    """Return what an agent takes an update by: it is from who knows its password."""
    return hmac.new(password.encode(), version.encode() + b"\0" + archive, hashlib.sha256).hexdigest()


def _files(plan: Plan) -> list[_File]:
    """Return what is checked before it is installed, in order of its names."""
    wanted = requirements([SYSTEM, *plan.connectors])
    found = [*_agent(), _File("requirements.txt", wanted.encode())]
    sort = plan.target if plan.target in ("windows", "docker") else "script"
    names = ["run.py", "Dockerfile", "compose.yaml", ".dockerignore"]
    names.append("install.ps1" if plan.is_for_windows else "install.sh")
    found += [_File(name, _filled_in(name, plan), 0o755 if name == "install.sh" else 0o644) for name in names]
    found.append(_File("README.md", _filled_in(f"README.{sort}.md", plan)))
    return sorted(found, key=lambda one: one.name)


def _filled_in(name: str, plan: Plan) -> bytes:
    """Return a file with the names of a plan in it."""
    text = (FILES / name).read_text("utf-8").replace("@LABEL@", plan.label).replace("@PROJECT@", _project(plan))
    return text.replace("\n", "\r\n" if name.endswith(".ps1") else "\n").encode()


def _project(plan: Plan) -> str:
    """Return what Docker calls it: no two names share that, or one would take the other's place and state."""
    plain = plan.label.lower().replace(".", "-")  # it takes neither capitals nor dots
    is_same = plain == f"gatehouse-edge-{plan.name}"
    return plain if is_same else f"{plain}-{hashlib.sha256(plan.name.encode()).hexdigest()[:8]}"


def _agent() -> list[_File]:
    """Return the agent's own files."""
    paths = [one for one in AGENT.rglob("*") if one.is_file() and one.suffix in (".py", ".txt", ".md")]
    return [_File(f"{AGENT.name}/{one.relative_to(AGENT).as_posix()}", one.read_bytes()) for one in sorted(paths)]


def _tar(folder: str, files: list[_File]) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for one in files:
            about = tarfile.TarInfo(f"{folder}/{one.name}" if folder else one.name)
            about.size, about.mode = len(one.content), one.mode
            about.type = tarfile.DIRTYPE if one.name.endswith("/") else tarfile.REGTYPE
            tar.addfile(about, io.BytesIO(one.content))
    return buffer.getvalue()


def _zip(folder: str, files: list[_File]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for one in files:
            about = zipfile.ZipInfo(f"{folder}/{one.name}", _WHEN)
            about.compress_type = zipfile.ZIP_DEFLATED
            about.external_attr = one.mode << 16 | (0x10 if one.name.endswith("/") else 0)
            packed.writestr(about, one.content)
    return buffer.getvalue()
