"""The open connections, and which of them gives way when there are too many."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from protocols.opcua.limits import Limits
from protocols.tally import Networks, network_of

Connection = TypeVar("Connection")


class Crowd(Generic[Connection]):
    """The open connections, by address, and those that are not logged in, the oldest first.

    Whoever comes is let in while there are silent ones to give way: sockets that say nothing keep nobody out.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        self._limits = limits
        self.most = most
        self.all: dict[Connection, str] = {}
        self._networks = Networks()
        self._pending: OrderedDict[Connection, str] = OrderedDict()

    def add(self, connection: Connection, address: str) -> None:
        """Count a connection that has been opened."""
        network = self.all[connection] = self._pending[connection] = network_of(address)
        self._networks.add(network)

    def remove(self, connection: Connection) -> None:
        """Count it no more, if it is still counted."""
        network = self.all.pop(connection, None)
        if network is None:
            return
        self._pending.pop(connection, None)
        self._networks.remove(network)

    def settle(self, connection: Connection) -> None:
        """Count a connection as logged in."""
        self._pending.pop(connection, None)

    def unsettle(self, connection: Connection) -> None:
        """Count it as not logged in again."""
        self._pending[connection] = self.all[connection]

    def excess(self, newest: Connection) -> tuple[str, Connection] | None:
        """Return which limit the newest connection exceeds, if any, and the one that has to go for it."""
        network = self.all[newest]
        if self._networks.counts[network] > self._limits.max_connections_per_address:
            oldest = next((one for one, other in self._pending.items() if other == network), newest)
            return "max_connections_per_address", oldest
        if len(self.all) > self.most:
            return "max_connections", next(iter(self._pending), newest)
        if len(self._pending) > self._limits.pending:
            return "pending", next(iter(self._pending))
        return None
