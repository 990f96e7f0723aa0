"""Bounds what the broker holds of packets in parts: those of strangers, and large ones of others."""

from __future__ import annotations

from protocols.mqtt.broker import Broker
from protocols.mqtt.errors import ProtocolViolation, QuotaExceeded

LARGE_PART = 65_536  # bytes of an unfinished packet


class Unfinished:
    """How much of that one connection has; what all have together is in the broker."""

    __slots__ = ("_broker", "size")

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.size = 0  # bytes that are counted

    def count_stranger(self, size: int) -> None:
        """Count a CONNECT in parts, or one that waits for its answer."""
        broker = self._broker
        broker.unfinished += size - self.size
        self.size = size
        if size and broker.unfinished > broker.limits.unfinished_connects:
            broker.hits.add("unfinished_connects")
            raise ProtocolViolation("a CONNECT in parts, while too many others are unfinished")

    def let_in(self) -> None:
        """Count the connection no more among strangers."""
        self._broker.unfinished -= self.size
        self.size = 0

    def count_client(self, size: int) -> None:
        """Count a packet in parts of a client that was let in, if it is large."""
        broker, size = self._broker, size if size > LARGE_PART else 0
        broker.unfinished_packets += size - self.size
        self.size = size
        if size and broker.unfinished_packets > broker.limits.unfinished_packets:
            broker.hits.add("unfinished_packets")
            raise QuotaExceeded("a large packet in parts, while too many others are unfinished")
