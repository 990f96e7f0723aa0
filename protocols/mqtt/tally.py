"""What is counted of connections and integrations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from protocols.contract import Traffic
from protocols.mqtt.limits import Limits


@dataclass(slots=True)
class Counts:
    """Messages and bytes of one connection, ever."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, more: Counts) -> None:
        """Add what another one counted."""
        self.messages_in += more.messages_in
        self.messages_out += more.messages_out
        self.bytes_in += more.bytes_in
        self.bytes_out += more.bytes_out

    def since(self, before: Counts) -> Counts:
        """Return what came after `before`."""
        return Counts(
            self.messages_in - before.messages_in,
            self.messages_out - before.messages_out,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )


class Meter:
    """How much one integration may still publish, at a rate, and at most a second's worth at once."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = now

    def wait(self, now: float) -> float:
        """Return for how many seconds nothing should be read."""
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens > 0 else (1 - self._tokens) / self._rate

    def take(self, count: int) -> None:
        """Note that so many messages were published."""
        self._tokens -= count


class Tally:
    """Counts connections by address, and traffic and rates by integration."""

    def __init__(self, limits: Limits) -> None:
        self.connections = 0
        self.sockets = 0  # connections, ever
        self.connects = 0  # clients let in, ever
        self.total = Counts()  # reported, ever
        self.most = limits.max_connections
        self.by_address: Counter[str] = Counter()  # of IPv6 by /64 network, which one customer has to itself
        self._limits = limits
        self._closed: dict[int, Counts] = {}
        self._meters: dict[int, Meter] = {}

    def exceeded(self, address: str) -> str:
        """Return the name of the limit that forbids the last connection from an address."""
        if self.connections > self.most:
            return "max_connections"
        if self.by_address[network_of(address)] > self._limits.max_connections_per_address:
            return "max_connections_per_address"
        return ""

    def opened(self, address: str) -> None:
        """Count a connection."""
        self.connections += 1
        self.sockets += 1
        self.by_address[network_of(address)] += 1

    def closed(self, address: str) -> None:
        """Count one connection less."""
        self.connections -= 1
        network = network_of(address)
        self.by_address[network] -= 1
        if not self.by_address[network]:
            del self.by_address[network]

    def meter(self, integration_id: int, now: float) -> Meter | None:
        """Return what an integration's messages are measured by, if they are."""
        if not self._limits.publish_rate:
            return None
        meter = self._meters.get(integration_id)
        if meter is None:
            meter = self._meters[integration_id] = Meter(self._limits.publish_rate, now)
        return meter

    def add(self, integration_id: int, counts: Counts) -> None:
        """Add the traffic of a connection."""
        self.total.add(counts)
        before = self._closed.get(integration_id)
        if before is None:
            self._closed[integration_id] = counts
        else:
            before.add(counts)

    def take(self) -> dict[int, Traffic]:
        """Return what was added since the last call."""
        closed, self._closed = self._closed, {}
        return {
            integration_id: Traffic(counts.messages_in, counts.messages_out, counts.bytes_in, counts.bytes_out)
            for integration_id, counts in closed.items()
            if counts != Counts()
        }


def network_of(address: str) -> str:
    """Return what is counted as one address."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    return str(found.ipv4_mapped or found.exploded[:19])
