"""What is counted of connections, by integration and by address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from protocols.contract import Traffic


@dataclass(slots=True)
class Counts:
    """Messages and bytes of one connection, ever; of OPC UA requests and answers are the messages."""

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

    def copy(self) -> Counts:
        """Return what is counted by now."""
        return Counts(self.messages_in, self.messages_out, self.bytes_in, self.bytes_out)


class Tally:
    """Adds up the traffic of each integration."""

    def __init__(self) -> None:
        self.total = Counts()  # ever
        self._traffic: dict[int, Counts] = {}

    def add(self, integration_id: int, more: Counts) -> None:
        """Add what one connection had."""
        self.total.add(more)
        self._traffic.setdefault(integration_id, Counts()).add(more)

    def take(self) -> dict[int, Traffic]:
        """Return what was added since the last call."""
        taken, self._traffic = self._traffic, {}
        return {
            integration_id: Traffic(counts.messages_in, counts.messages_out, counts.bytes_in, counts.bytes_out)
            for integration_id, counts in taken.items()
            if counts != Counts()
        }


class Networks:
    """How many connections each network has."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, network: str) -> None:
        """Count a connection."""
        self.counts[network] += 1

    def remove(self, network: str) -> None:
        """Count one connection less."""
        self.counts[network] -= 1
        if not self.counts[network]:
            del self.counts[network]


def network_of(address: str) -> str:
    """Return what is counted as one address: of IPv6 a /64 network, which one customer has to itself."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    return str(found.ipv4_mapped or found.exploded[:19])
