"""Files below a folder, and nothing else: each step of a path is opened in the one before it, and no link is followed.

A path that was checked first and opened then could be changed in between; here nothing is checked by name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator

from edge_connector.errors import Refused

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)  # Windows has neither
_PART_LENGTH = 255


def steps(path: str) -> list[str]:
    """Return the parts of a relative path.  Raises `Refused` for what could lead out."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > _PART_LENGTH for part in parts):
        raise Refused(f"{path[:200]!r} is no path: folders and names, with / between them, and no . or ..")
    return parts


@contextlib.contextmanager
def folder(root: str, parts: list[str]) -> Iterator[int]:
    """Open a folder below a root."""
    handle = _open(root, _FOLDER, None)
    try:
        for part in parts:
            inner = _open(part, _FOLDER | os.O_NOFOLLOW, handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def file(root: str, parts: list[str], flags: int) -> Iterator[int]:
    """Open a plain file below a root."""
    with folder(root, parts[:-1]) as parent:
        # Without O_NONBLOCK, a named pipe would wait for its other end.
        handle = _open(parts[-1], flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, parent)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Refused(f"{parts[-1]} is no file")
            yield handle
        finally:
            os.close(handle)


def look(root: str, parts: list[str]) -> os.stat_result:
    """Return what is known of a file or folder below a root; of a link, that it is one."""
    if not parts:
        with folder(root, []) as handle:
            return os.fstat(handle)
    with folder(root, parts[:-1]) as parent:
        try:
            return os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            raise _refused(parts[-1], error) from None


def replace(root: str, parts: list[str], content: bytes) -> None:
    """Write a whole file, which is there as it was or as it is to be, and never in between."""
    with folder(root, parts[:-1]) as parent:
        mode = None
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(parts[-1], dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                raise Refused(f"{parts[-1]} is no file")
            mode = stat.S_IMODE(found.st_mode)
        made = f".{secrets.token_hex(8)}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = _open(made, flags, parent)
        try:
            try:
                write(handle, content)
                if mode is not None:
                    os.fchmod(handle, mode)
                os.fsync(handle)
            finally:
                os.close(handle)
            os.rename(made, parts[-1], src_dir_fd=parent, dst_dir_fd=parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(made, dir_fd=parent)
            raise _refused(parts[-1], error) from None


def write(handle: int, content: bytes) -> None:
    """Write all of something."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def _open(name: str, flags: int, parent: int | None) -> int:
    try:
        return os.open(name, flags, 0o666, dir_fd=parent)
    except (OSError, ValueError) as error:
        raise _refused(os.path.basename(name), error) from None


def _refused(name: str, error: Exception) -> Refused:
    if isinstance(error, FileNotFoundError):
        return Refused(f"there is no {name}")
    if isinstance(error, NotADirectoryError) or getattr(error, "errno", None) == errno.ELOOP:
        return Refused(f"{name} is a link or no folder; links are not followed")
    return Refused(f"{name}: {getattr(error, 'strerror', None) or error}")
