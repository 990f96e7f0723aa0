"""What holds for the listening sockets of every server."""

from __future__ import annotations

import logging
import resource
import socket

BACKLOG = 2_048
_OTHER_FILES = 100  # that the process may have open besides its clients


def notice_dead_peers(listener: socket.socket) -> None:
    """Let the kernel probe silent peers; a client that asked for no keep alive may vanish too."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def most_connections(wanted: int, log: logging.Logger) -> int:
    """Return how many clients to let in: where the open files run out, accepting fails in silence."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or files - _OTHER_FILES >= wanted:
        return wanted
    most = max(files - _OTHER_FILES, 1)
    log.info("%d clients can connect, of %d: %d open files are allowed", most, wanted, files)
    return most
