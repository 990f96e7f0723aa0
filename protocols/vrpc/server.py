"""VRPC beside the protocol servers: its actions and limits, and a clock for it.

Agents and clients are the MQTT server's: there is no listener here, and no connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping, Sequence

from protocols.contract import ConnectionInfo, Grant, Traffic, Usage
from protocols.vrpc.vrpc import Vrpc

SWEEP = 0.1  # seconds


class VrpcServer:
    """Sweeps, and answers pages; see `protocols.contract.Server`.  It is started after the MQTT server."""

    def __init__(self, vrpc: Vrpc) -> None:
        self._vrpc = vrpc
        self._timer: asyncio.TimerHandle | None = None

    async def start(self, listeners: Mapping[str, Sequence[socket.socket]], grants: Mapping[int, Grant]) -> None:
        """Begin to sweep."""
        self._loop = asyncio.get_running_loop()
        self._sweep_later()

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """The connections are the MQTT server's, which tells of their end."""

    def kick(self, connection_ids: Collection[str], reason: str) -> None:
        """The connections are the MQTT server's."""

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """What agents may do is held up by the MQTT server."""

    def connections(self, integration_id: int) -> list[ConnectionInfo]:
        """The connections are the MQTT server's."""
        return []

    def traffic(self) -> dict[int, Traffic]:
        """What the portal sends and gets is nobody's."""
        return {}

    def usage(self) -> list[Usage]:
        """Return the limits."""
        return self._vrpc.usage()

    def switch(self, switches: Mapping[str, bool]) -> None:
        """There is nothing to switch."""

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages ask."""
        return self._vrpc.actions()

    def link_actions(self) -> Mapping[str, Callable[..., object]]:
        """Other processes are told nothing."""
        return {}

    async def stop(self) -> None:
        """Sweep no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _sweep_later(self) -> None:
        self._timer = self._loop.call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._vrpc.sweep()
        self._sweep_later()
