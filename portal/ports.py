"""Listening sockets.  They are bound before the worker starts, so that clients wait, not fail, while it restarts."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping

from portal.config import SettingError

BACKLOG = 4096


def bind(host: str, ports: Mapping[str, int]) -> dict[str, socket.socket]:
    """Return a listening socket for each listener.  Raises `SettingError` naming the port that is not to be had."""
    return {name: listen(setting_of(name), host, port) for name, port in ports.items()}


def setting_of(name: str) -> str:
    """Return the setting that holds the port of a listener."""
    return f"{name.upper().replace('-', '_')}_PORT"


def listen(setting: str, host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port, or raise `SettingError` naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL or (error.errno or 0) < 0:  # below 0: no name that resolves
            raise SettingError(f"HOST: {host!r} is no address of this machine") from None
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = "" if setting == "PORT" else "; 'off' turns this listener off"
        raise SettingError(f"{setting}: cannot listen on {host} port {port}: {reason}{hint}") from None
