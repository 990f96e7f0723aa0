"""How many connections there are, and from where."""

from __future__ import annotations

from protocols.mqtt.limits import Limits
from protocols.tally import Networks, network_of


class Crowd:
    """Counts the open connections, in all and by address."""

    def __init__(self, limits: Limits) -> None:
        self.connections = 0
        self.sockets = 0  # connections, ever
        self.connects = 0  # clients let in, ever
        self.most = limits.max_connections
        self.networks = Networks()
        self._limits = limits

    def exceeded(self, address: str) -> str:
        """Return the name of the limit that forbids the last connection from an address."""
        if self.connections > self.most:
            return "max_connections"
        if self.networks.counts[network_of(address)] > self._limits.max_connections_per_address:
            return "max_connections_per_address"
        return ""

    def opened(self, address: str) -> None:
        """Count a connection."""
        self.connections += 1
        self.sockets += 1
        self.networks.add(network_of(address))

    def closed(self, address: str) -> None:
        """Count one connection less."""
        self.connections -= 1
        self.networks.remove(network_of(address))
