"""The archive of an update: what is not plain files of the agent is not unpacked, nor is what would fill the disk."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_connector import unpacking
from edge_connector.errors import Refused
from portal.edge import archive

INIT = ("edge_connector/__init__.py", b"")


def packed(*files: tuple[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda one: None) -> bytes:
    """Return an archive; the last of its files is changed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for number, (name, content) in enumerate(files, 1):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            if number == len(files):
                change(about)
            tar.addfile(about, io.BytesIO(content))
    return buffer.getvalue()


def link(kind: bytes, to: str) -> Callable[[tarfile.TarInfo], None]:
    def change(one: tarfile.TarInfo) -> None:
        one.type, one.linkname, one.size = kind, to, 0

    return change


def test_the_release_of_the_portal_is_unpacked(tmp_path: Path) -> None:
    unpacking.unpack(archive.release()[1], tmp_path / "new")
    source = Path(unpacking.__file__).parent
    found = {one.relative_to(tmp_path / "new") for one in (tmp_path / "new").rglob("*.py")}
    assert found == {one.relative_to(source.parent) for one in source.rglob("*.py")}


@pytest.mark.parametrize(
    "name",
    [
        "../edge_connector/a.py",
        "edge_connector/../../a.py",
        "/etc/passwd",
        "edge_connector//a.py",
        "edge_connector/./a.py",
        "other/a.py",
        "run.py",
        "edge_connector",
        "edge_connector/a\\..\\b.py",
        "edge_connector/C:a.py",
        "edge_connector/a\nb.py",
        "edge_connector/ä.py",
        f"edge_connector/{'x' * 300}.py",
    ],
)
def test_what_is_not_below_the_agents_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no plain file of edge_connector"):
        unpacking.unpack(packed(INIT, (name, b"x")), tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "to"),
    [
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.SYMTYPE, "__init__.py"),
        (tarfile.LNKTYPE, "edge_connector/__init__.py"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.DIRTYPE, ""),
    ],
)
def test_links_and_devices_are_refused(kind: bytes, to: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no plain file"):
        unpacking.unpack(packed(INIT, ("edge_connector/a.py", b""), change=link(kind, to)), tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_bomb_is_refused_before_anything_looks_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "BYTES", 100_000)
    monkeypatch.setattr(tarfile, "open", None)
    with pytest.raises(Refused, match="more than 100000 bytes"):
        unpacking.unpack(gzip.compress(bytes(1_000_000)), tmp_path / "new")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no edge_connector|no archive"),
        (b"PK\3\4 a zip", "no archive of an agent"),
        (gzip.compress(b"no tar"), "no archive of an agent"),
        (packed(("edge_connector/a.py", b"x")), "has no edge_connector"),
        (packed(INIT, INIT), "a file twice"),
        (packed(INIT, *((f"edge_connector/{n}.py", b"") for n in range(1000))), "or more than 1000"),
        (archive.release()[1][:-9000], "no archive of an agent"),
        (archive.release()[1][:2000] + b"\0" * 100 + archive.release()[1][2100:], "no archive of an agent"),
    ],
    ids=["nothing", "zip", "no tar", "no package", "twice", "many", "cut", "damaged"],
)
def test_what_is_no_archive_is_refused(data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=why):
        unpacking.unpack(data, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_header_with_an_invented_size_is_refused(tmp_path: Path) -> None:
    def change(one: tarfile.TarInfo) -> None:
        one.pax_headers = {"size": str(2**60)}

    with pytest.raises(Refused, match="no archive of an agent"):
        unpacking.unpack(packed(INIT, ("edge_connector/a.py", b"x"), change=change), tmp_path / "new")


def test_a_file_that_is_mostly_holes_is_refused(tmp_path: Path) -> None:
    def change(one: tarfile.TarInfo) -> None:
        one.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**40)}

    with pytest.raises(Refused, match="no plain file"):
        unpacking.unpack(packed(INIT, ("edge_connector/a.py", b"x"), change=change), tmp_path / "new")
