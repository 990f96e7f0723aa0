"""Bounds the handshakes of TLS and of WebSockets that clients have begun and not finished, all together.

One that is abandoned holds tens of kilobytes until the time for CONNECT is over.
"""

from __future__ import annotations

from typing import Protocol

from protocols.hits import Hits
from protocols.tally import network_of


class Handshake(Protocol):
    def give_way(self) -> None:
        """Close the connection: others need the room."""
        ...


class Handshakes:
    """Those under way, by address.

    When there are too many, the oldest of the address that has the most gives way.  Refusing the newest would keep
    everybody out for as long as somebody leaves that many open.  So, who finishes without delay gets in, whatever one
    address does; and many addresses would have to begin all of them within the time that one handshake takes.
    """

    __slots__ = ("_by_count", "_by_network", "_highest", "_hits", "_most", "_networks")

    def __init__(self, most: int, hits: Hits) -> None:
        self._most = most
        self._hits = hits
        self._networks: dict[Handshake, str] = {}
        # Dictionaries without values are sets that know their order.
        self._by_network: dict[str, dict[Handshake, None]] = {}  # oldest first
        self._by_count: dict[int, dict[str, None]] = {}  # networks with so many; who got there first comes first
        self._highest = 0  # of these counts

    def __len__(self) -> int:
        return len(self._networks)

    def begin(self, one: Handshake, address: str) -> None:
        """Count one that is under way, unless it is counted already."""
        if one in self._networks:
            return
        place = network_of(address)
        self._networks[one] = place
        those = self._by_network.setdefault(place, {})
        those[one] = None
        self._move(place, len(those) - 1, len(those))
        if len(self._networks) > self._most:
            self._hits.add("max_handshakes")
            oldest = next(iter(self._by_network[next(iter(self._by_count[self._highest]))]))
            self.end(oldest)
            oldest.give_way()

    def end(self, one: Handshake) -> None:
        """Count one less, if it was counted: it is finished, or its connection closed."""
        place = self._networks.pop(one, None)
        if place is None:
            return
        those = self._by_network[place]
        del those[one]
        self._move(place, len(those) + 1, len(those))
        if not those:
            del self._by_network[place]

    def _move(self, place: str, before: int, after: int) -> None:
        """Keep in order how many a network has; that changes by one at a time."""
        if after:
            self._by_count.setdefault(after, {})[place] = None
        if before:
            del self._by_count[before][place]
            if not self._by_count[before]:
                del self._by_count[before]
        if after > self._highest or self._highest not in self._by_count:
            self._highest = after
