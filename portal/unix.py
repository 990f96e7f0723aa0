"""Unix sockets in DATA_DIR, at which the processes of one installation meet."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BACKLOG = 4096


def listen(folder: Path, name: str, kind: socket.SocketKind) -> socket.socket:
    """Return a listening socket of this name; one that was left behind is replaced."""
    with short(folder, name) as path:
        listener = socket.socket(socket.AF_UNIX, kind)
        (folder / name).unlink(missing_ok=True)
        listener.bind(path)
    (folder / name).chmod(0o600)
    listener.listen(BACKLOG)
    return listener


def connect(folder: Path, name: str, kind: socket.SocketKind, timeout: float) -> socket.socket:
    """Return a socket that is connected to the listening one of this name; 0 seconds do not block.  Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, kind)
    try:
        connection.settimeout(timeout)
        with short(folder, name) as path:
            connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def listen_as(folder: Path, part: str) -> socket.socket:
    """Return the listening socket at which a part of the protocols worker answers."""
    return listen(folder, f"{part}.sock", socket.SOCK_STREAM)


def connect_to(folder: Path, part: str, timeout: float) -> socket.socket:
    """Return a socket that is connected to the one at which a part answers, as `connect` does."""
    return connect(folder, f"{part}.sock", socket.SOCK_STREAM, timeout)


@contextmanager
def short(folder: Path, name: str) -> Iterator[str]:
    """Name a Unix socket in a folder: an address of one has 107 bytes at most, paths of folders may have more."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
