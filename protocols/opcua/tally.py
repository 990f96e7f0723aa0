"""What is counted of connections and integrations."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Generic, TypeVar

from protocols.contract import Traffic
from protocols.opcua.limits import Limits

Connection = TypeVar("Connection")


@dataclass(slots=True)
class Counts:
    """Requests, answers and bytes of one connection, ever."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def since(self, before: Counts) -> Traffic:
        """Return what came after `before`."""
        return Traffic(
            self.messages_in - before.messages_in,
            self.messages_out - before.messages_out,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )

    def copy(self) -> Counts:
        return Counts(self.messages_in, self.messages_out, self.bytes_in, self.bytes_out)


class Tally:
    """Adds up the traffic of each integration."""

    def __init__(self) -> None:
        self._traffic: dict[int, Traffic] = {}

    def add(self, integration_id: int, more: Traffic) -> None:
        """Add what one connection had."""
        if more == Traffic():
            return
        had = self._traffic.get(integration_id, Traffic())
        self._traffic[integration_id] = Traffic(
            had.messages_in + more.messages_in,
            had.messages_out + more.messages_out,
            had.bytes_in + more.bytes_in,
            had.bytes_out + more.bytes_out,
        )

    def take(self) -> dict[int, Traffic]:
        """Return what was added since the last call."""
        taken, self._traffic = self._traffic, {}
        return taken


class Crowd(Generic[Connection]):
    """The open connections, by address, and those that are not logged in, the oldest first.

    Whoever comes is let in while there are silent ones to give way: sockets that say nothing keep nobody out.
    """

    def __init__(self, limits: Limits, most: int) -> None:
        self._limits = limits
        self.most = most
        self.all: dict[Connection, str] = {}
        self._by_address: Counter[str] = Counter()  # of IPv6 by /64 network, which one customer has to itself
        self._pending: OrderedDict[Connection, str] = OrderedDict()

    def add(self, connection: Connection, address: str) -> None:
        """Count a connection that has been opened."""
        found = network(address)
        self.all[connection] = found
        self._pending[connection] = found
        self._by_address[found] += 1

    def remove(self, connection: Connection) -> None:
        """Count it no more, if it is still counted."""
        network = self.all.pop(connection, None)
        if network is None:
            return
        self._pending.pop(connection, None)
        self._by_address[network] -= 1
        if not self._by_address[network]:
            del self._by_address[network]

    def settle(self, connection: Connection) -> None:
        """Count a connection as logged in."""
        self._pending.pop(connection, None)

    def unsettle(self, connection: Connection) -> None:
        """Count it as not logged in again."""
        self._pending[connection] = self.all[connection]

    def excess(self, newest: Connection) -> tuple[str, Connection] | None:
        """Return which limit the newest connection exceeds, if any, and the one that has to go for it."""
        network = self.all[newest]
        if self._by_address[network] > self._limits.max_connections_per_address:
            oldest = next((one for one, other in self._pending.items() if other == network), newest)
            return "max_connections_per_address", oldest
        if len(self.all) > self.most:
            return "max_connections", next(iter(self._pending), newest)
        if len(self._pending) > self._limits.pending:
            return "pending", next(iter(self._pending))
        return None


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 a /64 network."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    return str(found.ipv4_mapped or found.exploded[:19])
