"""Decoding within bounds: asyncua's decoder trusts every length and count that it reads.

A hundred bytes can state an array of two thousand million elements that take no bytes each (Null), elements of
negative length that are read again and again, or dimensions that are filled up with a million empty lists.
`Bounded` counts what is read; `tighten` makes the two elements count that read nothing.
"""

from __future__ import annotations

from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData, ServiceError
from asyncua.ua import ua_binary


class TooManyElements(ua.UaError):
    """A message has more elements than may be decoded."""


class Bounded(Buffer):
    """A Buffer from which only so many elements are read, with all its copies together."""

    _cur_pos: int
    _size: int

    def __init__(self, data: bytes, elements: int, start: int = 0, size: int = -1) -> None:
        super().__init__(data, start, size)
        self._left = [elements]

    def read(self, size: int) -> bytes:
        """Return and skip so many bytes."""
        if not 0 <= size <= self._size:
            raise NotEnoughData(f"{size} bytes to read of {self._size}")
        left = self._left  # as `spend`, in place: this is called for each field of each request
        left[0] -= 1
        if left[0] < 0:
            raise TooManyElements("more elements than may be decoded")
        start = self._cur_pos
        self._size -= size
        self._cur_pos = end = start + size
        data: bytes = self._data[start:end]
        return data

    def skip(self, size: int) -> None:
        """Skip so many bytes."""
        self.read(size)

    def copy(self, size: int = -1) -> Bounded:
        """Return a copy of so many bytes; what is read from it counts too."""
        copied = Bounded(self._data, 0, self._cur_pos, self._size if size == -1 else min(size, self._size))
        copied._left = self._left
        return copied

    def spend(self) -> None:
        """Count one element."""
        self._left[0] -= 1
        if self._left[0] < 0:
            raise TooManyElements("more elements than may be decoded")


class _Null:
    """Takes no bytes, and counts nevertheless."""

    @staticmethod
    def pack(value: Any) -> bytes:
        return b""

    @staticmethod
    def unpack(data: Any) -> None:
        if isinstance(data, Bounded):
            data.spend()


def _reshape(flat: list[Any], dimensions: list[int]) -> list[Any]:
    """Nest a flat array; dimensions that do not fit it are an error (OPC 10000-6, section 5.2.2.16)."""
    count = 1
    for size in dimensions:
        count *= size
    if not dimensions or min(dimensions) < 0 or len(dimensions) > 32 or count != len(flat):
        raise ua.UaError("dimensions that do not fit the array")
    for size in reversed(dimensions[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)] if size else [[] for _ in flat]
    return flat


def decoded(kind: Any, body: Bounded) -> Any:
    """Return the parameters of a request.  Raises ServiceError."""
    try:
        return ua_binary.struct_from_binary(kind, body)
    except TooManyElements:
        raise ServiceError(ua.StatusCodes.BadEncodingLimitsExceeded) from None
    except Exception:
        # asyncua's decoder raises whatever its parts do.
        raise ServiceError(ua.StatusCodes.BadDecodingError) from None


def tighten() -> None:
    """Make asyncua's decoder count what reads nothing, and refuse dimensions that do not fit."""
    ua_binary.Primitives.Null = _Null()
    ua_binary._reshape = _reshape
    ua_binary._create_uatype_deserializer.cache_clear()
    ua_binary._create_uatype_array_deserializer.cache_clear()
