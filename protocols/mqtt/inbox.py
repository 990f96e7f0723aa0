"""Bytes that have arrived and are not used yet."""

from __future__ import annotations

from protocols.mqtt.packets import packet_end


class Inbox:
    """Collects what arrives until the next packet is complete."""

    __slots__ = ("_rest", "_wanted")

    def __init__(self) -> None:
        self._rest: bytearray | None = None  # grows in place, however small the parts come
        self._wanted = 0

    def add(self, data: bytes) -> bytes:
        """Return everything that is not used yet, or nothing while a packet is incomplete."""
        if self._rest is None:
            return data
        self._rest += data
        if len(self._rest) < self._wanted:
            return b""
        data = bytes(self._rest)
        self._rest = None
        return data

    def keep(self, rest: bytes, limit: int) -> None:
        """Keep the start of a packet whose first byte and length have been checked."""
        if rest:
            self._rest = bytearray(rest)
            self._wanted = packet_end(rest, 0, limit)

    @property
    def size(self) -> int:
        """Return how many bytes wait."""
        return len(self._rest) if self._rest is not None else 0

    @property
    def is_empty(self) -> bool:
        return self._rest is None
