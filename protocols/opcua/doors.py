"""The listening sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence

from protocols.listening import BACKLOG, notice_dead_peers


async def open_door(listener: socket.socket, meet: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    """Let clients in on a bound, listening socket."""
    notice_dead_peers(listener)
    return await asyncio.get_running_loop().create_server(meet, sock=listener, backlog=BACKLOG)


def url(listeners: Mapping[str, Sequence[socket.socket]]) -> str:
    """Return the URL that is told to who did not say how it came here."""
    port = next((one.getsockname()[1] for one in listeners.get("tcp", ())), 4840)
    return f"opc.tcp://{socket.gethostname()}:{port}/"
