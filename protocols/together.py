"""One protocol server made of several that share a loop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple

from protocols.contract import ConnectionInfo, Grant, Server, Traffic, Usage


class Together:
    """Several servers as one; see `protocols.contract.Server`.

    They are started in their order, and stopped in the opposite one.  Each gets the listeners of its transports.
    """

    def __init__(
        self,
        servers: Mapping[Server, Collection[str]],
        link_actions: Mapping[str, Callable[..., object]] | None = None,
    ) -> None:
        """`link_actions` are those that none of the servers has."""
        self._servers = dict(servers)
        self._link_actions = dict(link_actions or {})

    async def start(self, listeners: Mapping[str, Sequence[socket.socket]], grants: Mapping[int, Grant]) -> None:
        """Accept clients, each server by its transports."""
        for server, transports in self._servers.items():
            own = {transport: sockets for transport, sockets in listeners.items() if transport in transports}
            await server.start(own, grants)

    def disconnect(self, integration_ids: Collection[int], reason: str, *, forget: bool) -> None:
        """Close every connection of these integrations now."""
        for server in self._servers:
            server.disconnect(integration_ids, reason, forget=forget)

    def kick(self, connection_ids: Collection[str], reason: str) -> None:
        """Close these connections now, where they are still open."""
        for server in self._servers:
            server.kick(connection_ids, reason)

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold these integrations to other topics from now on."""
        for server in self._servers:
            server.permit(grants)

    def connections(self, integration_id: int) -> list[ConnectionInfo]:
        """Return what is known of the open connections of an integration."""
        return [info for server in self._servers for info in server.connections(integration_id)]

    def traffic(self) -> dict[int, Traffic]:
        """Return the traffic of each integration that had any since the last call."""
        found: dict[int, Traffic] = {}
        for server in self._servers:
            for integration_id, more in server.traffic().items():
                before = found.get(integration_id, Traffic())
                found[integration_id] = Traffic(*map(sum, zip(astuple(before), astuple(more), strict=True)))
        return found

    def usage(self) -> list[Usage]:
        """Return the limits."""
        return [usage for server in self._servers for usage in server.usage()]

    def switch(self, switches: Mapping[str, bool]) -> None:
        """Follow what an operator has switched."""
        for server in self._servers:
            server.switch(switches)

    def actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what pages may ask of any of them."""
        return {name: act for server in self._servers for name, act in server.actions().items()}

    def link_actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what other processes may ask of any of them, and beside them."""
        of_servers = {name: act for server in self._servers for name, act in server.link_actions().items()}
        return {**self._link_actions, **of_servers}

    async def stop(self) -> None:
        """Stop accepting, and close every connection."""
        for server in reversed(self._servers):
            await server.stop()
