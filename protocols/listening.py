"""What holds for the listening sockets of every server."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, Sequence

BACKLOG = 2_048
AT_ONCE = 4  # connections that are accepted in a turn of the loop
_OTHER_FILES = 100  # that the process may have open besides its clients


class Doors:
    """Listening sockets that let clients in until they are closed."""

    def __init__(self, servers: Sequence[asyncio.Server]) -> None:
        self._servers = servers

    def close(self) -> None:
        """Let nobody in any more."""
        for server in self._servers:
            server.close()


async def listen(listener: socket.socket, meet: Callable[[], asyncio.Protocol]) -> Doors:
    """Let clients in on a bound, listening socket.

    uvloop accepts one connection from a socket in each turn of its loop.  Where turns are long and clients many, the
    kernel's queue of those to be accepted fills up, and everybody waits for all that are in it.  So the same socket is
    listened on several times; each time more costs a connection that comes alone 3 µs.
    """
    notice_dead_peers(listener)
    loop = asyncio.get_running_loop()
    sockets = [listener, *(listener.dup() for _ in range(AT_ONCE - 1))]
    return Doors([await loop.create_server(meet, sock=one, backlog=BACKLOG) for one in sockets])


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
