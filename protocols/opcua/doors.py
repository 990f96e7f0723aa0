"""The listening sockets."""

from __future__ import annotations

import asyncio
import logging
import resource
import select
import socket
from collections.abc import Callable, Mapping, Sequence

from protocols.opcua.limits import Limits

_log = logging.getLogger("protocols.opcua")

BACKLOG = 2_048
_OTHER_FILES = 100  # that the process may have open besides its clients


async def open_door(listener: socket.socket, meet: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    """Let clients in on a bound, listening socket."""
    _notice_dead_peers(listener)
    return await asyncio.get_running_loop().create_server(meet, sock=listener, backlog=BACKLOG)


def url(listeners: Mapping[str, Sequence[socket.socket]]) -> str:
    """Return the URL that is told to who did not say how it came here."""
    port = next((one.getsockname()[1] for one in listeners.get("tcp", ())), 4840)
    return f"opc.tcp://{socket.gethostname()}:{port}/"


def _notice_dead_peers(listener: socket.socket) -> None:
    """Let the kernel probe silent peers."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def has_left(descriptor: int) -> bool:
    """Tell whether the peer of a socket has closed it: there may be data before that, which is not read now."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


def most_connections(limits: Limits) -> int:
    """Return how many clients to let in: where the open files run out, accepting fails in silence."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or files - _OTHER_FILES >= limits.max_connections:
        return limits.max_connections
    most = max(files - _OTHER_FILES, 1)
    _log.info("%d clients can connect, of %d: %d open files are allowed", most, limits.max_connections, files)
    return most
