"""Files of named folders, and no others."""

from __future__ import annotations

import itertools
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_connector.connectors import confined
from edge_connector.connectors.files import Files
from edge_connector.errors import Refused
from tests.edge_connector.maker import Maker
from tests.support.processes import wait_until

Make = Maker[Files]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "root" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "deep" / "a.txt").write_text("äpfel")
    return tmp_path / "root"


@pytest.fixture
def make(root: Path) -> Iterator[Make]:
    folders = {"box": {"path": str(root), "write": True}, "fixed": {"path": str(root)}}
    with Maker(Files, "files", folders=folders, watch_seconds=0.05) as made:
        yield made


@pytest.mark.parametrize(
    "path",
    [
        "box/../outside.txt",
        "box/deep/../../outside.txt",
        "../outside.txt",
        "/etc/passwd",
        "box//etc/passwd",
        "box/./deep/a.txt",
        "box/deep/a.txt/",
        "box/\0",
        "",
        "other/a.txt",
        f"box/{'x' * 300}",
    ],
)
def test_paths_that_escape_are_refused(make: Make, path: str, root: Path) -> None:
    files = make()
    for call in (
        files.read,
        files.info,
        files.list,
        lambda one: files.write(one, "x"),
        lambda one: files.append(one, "x"),
    ):
        with pytest.raises(Refused):
            call(path)
    assert (root.parent / "outside.txt").read_text() == "secret"


def test_links_are_not_followed_wherever_they_point(make: Make, root: Path) -> None:
    (root / "out").symlink_to(root.parent)
    (root / "file").symlink_to(root.parent / "outside.txt")
    (root / "inside").symlink_to(root / "deep")
    (root / "dangling").symlink_to(root.parent / "made.txt")
    files = make()
    for path in ("box/out/outside.txt", "box/file", "box/inside/a.txt", "box/dangling"):
        for call in (files.read, lambda one: files.write(one, "x"), lambda one: files.append(one, "x")):
            with pytest.raises(Refused, match="link|no file|is no"):
                call(path)
    assert (root.parent / "outside.txt").read_text() == "secret"
    assert not (root.parent / "made.txt").exists()
    assert {one["name"]: one["type"] for one in files.list("box")} == {
        "dangling": "link",
        "deep": "folder",
        "file": "link",
        "inside": "link",
        "out": "link",
    }


def test_a_folder_that_becomes_a_link_in_between_leads_nowhere(make: Make, root: Path) -> None:
    """Swap a folder for a link to the outside again and again, while a file in it is read."""
    outside = root.parent / "elsewhere"
    outside.mkdir()
    (outside / "a.txt").write_text("secret")
    files, over, seen = make(), threading.Event(), set()

    def swap() -> None:
        while not over.is_set():
            (root / "deep").rename(root / "kept")
            (root / "deep").symlink_to(outside)
            (root / "deep").unlink()
            (root / "kept").rename(root / "deep")

    def try_to_read() -> int:
        try:
            seen.add(files.read("box/deep/a.txt"))
        except Refused:
            seen.add("refused")
        return next(tries)

    tries = itertools.count(1)
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        wait_until(lambda: try_to_read() >= 2000 and len(seen) > 1, what="both to happen", every=0)
    finally:
        over.set()
        thread.join()
    assert seen == {"äpfel", "refused"}


def test_what_is_no_plain_file_is_neither_read_nor_written(make: Make, root: Path) -> None:
    os.mkfifo(root / "pipe")
    files = make()
    for path in ("box/pipe", "box/deep"):
        for call in (files.read, lambda one: files.write(one, "x"), lambda one: files.append(one, "x")):
            with pytest.raises(Refused):
                call(path)
    assert files.info("box/pipe")["type"] == "other"


def test_text_and_bytes_come_back_as_they_were_written(make: Make, root: Path) -> None:
    files = make()
    assert files.write("box/deep/new.bin", "AP8=", "base64") == 2
    assert files.read("box/deep/new.bin", "base64") == "AP8="
    with pytest.raises(Refused, match="no text in UTF-8"):
        files.read("box/deep/new.bin")
    assert files.append("box/log.txt", "one\n") == 4
    assert files.append("box/log.txt", "two\n") == 8
    assert files.read("box/log.txt", offset=4, length=3) == "two"
    assert files.read("box/log.txt", offset=100) == ""
    (root / "log.txt").chmod(0o640)
    files.write("box/log.txt", "new")
    assert stat.S_IMODE((root / "log.txt").stat().st_mode) == 0o640
    assert sorted(one.name for one in root.iterdir()) == ["deep", "log.txt"]
    for call in (
        lambda: files.write("box/x", "a", "latin-1"),
        lambda: files.write("box/x", "no base64", "base64"),
        lambda: files.write("box/x", "\ud800"),
        lambda: files.read("box/log.txt", offset=-1),
        lambda: files.read("box"),
        lambda: files.write("box", "x"),
    ):
        with pytest.raises(Refused):
            call()


def test_sizes_are_bounded_and_so_is_where_to_write(make: Make, root: Path) -> None:
    files = make(read_bytes=10, write_bytes=10, file_bytes=15, entries=3)
    (root / "large").write_text("x" * 100)
    with pytest.raises(Refused, match="100 bytes are more than the 10"):
        files.read("box/large")
    assert files.read("box/large", length=10) == "x" * 10
    with pytest.raises(Refused, match="11 bytes are more than the 10"):
        files.write("box/a", "x" * 11)
    files.append("box/a", "x" * 10)
    with pytest.raises(Refused, match="more than 15 bytes"):
        files.append("box/a", "x" * 6)
    with pytest.raises(Refused, match="nothing may be written to fixed"):
        files.write("fixed/a", "x")
    (root / "b").touch()
    with pytest.raises(Refused, match="4 entries; at most 3"):
        files.list("box")


def test_a_write_that_fails_leaves_the_file_as_it_was(make: Make, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a").write_text("before")

    def full(handle: int, content: bytes) -> None:
        os.write(handle, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(confined, "write", full)
    with pytest.raises(Refused, match="No space left"):
        make().write("box/a", "after")
    assert (root / "a").read_text() == "before"
    assert sorted(one.name for one in root.iterdir()) == ["a", "deep"]


def test_changes_are_told_of_files_folders_and_contents(make: Make, root: Path) -> None:
    files = make()
    folder: list[dict[str, Any]] = []
    texts: list[str] = []
    end = files.watch("box", folder.append)
    files.watch_text("box/live.txt", texts.append)
    (root / "live.txt").write_text("1")
    wait_until(lambda: texts == ["1"] and folder)
    assert (folder[0]["path"], folder[0]["event"], folder[0]["size"]) == ("box/live.txt", "created", 1)
    files.write("box/live.txt", "22")
    wait_until(lambda: texts == ["1", "22"])
    (root / "live.txt").unlink()
    wait_until(lambda: folder[-1]["event"] == "removed")
    end()
    count = len(folder)
    (root / "live.txt").write_text("333")
    wait_until(lambda: texts[-1] == "333")
    assert len(folder) == count
