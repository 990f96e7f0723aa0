"""Bytes that have arrived and are not used yet."""

from __future__ import annotations

from protocols.mqtt.packets import packet_end

_LARGE = 32_768  # bytes of a packet
_SMALL = 1_024  # bytes of a part, which are put together: an object for each would cost more than it holds


class Inbox:
    """Collects what arrives until the next packet is complete."""

    __slots__ = ("_parts", "_wanted", "size")

    def __init__(self) -> None:
        self._parts: list[bytes | bytearray] | None = None
        self._wanted = 0
        self.size = 0  # bytes that wait

    def add(self, data: bytes) -> tuple[bytes, bytes]:
        """Return everything that is not used yet, or nothing while a packet is incomplete.

        A large packet comes by itself, so that it need not be copied again; what came behind it is the second part.
        """
        if self._parts is None:
            return data, b""
        missing = self._wanted - self.size
        if missing > len(data):
            if data:
                self._collect(data)
            return b"", b""
        cut = missing if missing > 0 and self._wanted >= _LARGE else len(data)
        whole = b"".join((*self._parts, data[:cut]))
        self._parts = None
        self.size = 0
        return whole, data[cut:]

    def keep(self, rest: bytes, limit: int) -> None:
        """Keep the start of a packet whose first byte and length have been checked."""
        if rest:
            self._collect(rest)
            self._wanted = packet_end(rest, 0, limit)

    def _collect(self, data: bytes) -> None:
        self.size += len(data)
        parts = self._parts = self._parts or []
        if len(data) >= _SMALL:
            parts.append(data)
        elif parts and isinstance(parts[-1], bytearray):
            parts[-1] += data
        else:
            parts.append(bytearray(data))

    @property
    def is_empty(self) -> bool:
        return self._parts is None
