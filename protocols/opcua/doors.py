"""The listening sockets, and what the kernel knows of the others."""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping, Sequence


def url(listeners: Mapping[str, Sequence[socket.socket]]) -> str:
    """Return the URL that is told to who did not say how it came here."""
    port = next((one.getsockname()[1] for one in listeners.get("tcp", ())), 4840)
    return f"opc.tcp://{socket.gethostname()}:{port}/"


def has_left(descriptor: int) -> bool:
    """Tell whether the peer of a socket has closed it: there may be data before that, which is not read now."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))
