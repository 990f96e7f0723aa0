"""Small files that must be there as they were or as they are to be, and never in between, also after a power cut."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from edge_connector.errors import EdgeError


class Locked(EdgeError):
    """Another process has the lock."""


def write(path: Path, content: bytes) -> None:
    """Put a whole file in place at once, for its owner only.  Raises `OSError`, with the old one in place."""
    new = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    handle = os.open(new, flags, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system has a way to say so."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_everything() -> None:
    """Have all that was written on the disk: for many files, before one that says that they are whole."""
    if hasattr(os, "sync"):
        os.sync()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, which ends with the process at the latest.  Raises `Locked` or `OSError`."""
    with path.open("ab") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Locked(str(path)) from error
        yield
