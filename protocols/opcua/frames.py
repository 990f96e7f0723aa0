"""Bytes in, frames out (OPC 10000-6, section 7.1): nothing is kept that could not become a frame.  No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from asyncua import ua

from protocols.opcua.errors import FrameError

HELLO = b"HEL"
OPEN = b"OPN"
MESSAGE = b"MSG"
CLOSE = b"CLO"

_HEADER = 8  # type, chunk type, size
_SECURE = 12  # and the channel's id
_SMALLEST = {HELLO: _HEADER + 24, OPEN: _SECURE + 20, MESSAGE: _SECURE + 12, CLOSE: _SECURE + 12}
_LARGEST_HELLO = _HEADER + 24 + 4_096  # section 7.1.2.3: the URL has at most 4,096 bytes
_CHUNKS = {HELLO: b"F", OPEN: b"F", MESSAGE: b"FCA", CLOSE: b"F"}


@dataclass(slots=True)
class Frame:
    """One chunk as it came; `kind` is one of the types above."""

    kind: bytes
    chunk: bytes
    channel_id: int
    data: bytes  # all of it, with its header

    @property
    def header_size(self) -> int:
        return _HEADER if self.kind == HELLO else _SECURE


class Frames:
    """Cuts what one client sends into frames."""

    __slots__ = ("_buffer", "_greeted", "_largest")

    def __init__(self, largest: int) -> None:
        self._buffer = bytearray()
        self._greeted = False
        self._largest = largest

    @property
    def waiting(self) -> int:
        """Bytes of a frame that has arrived in part."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete.  Raises FrameError as soon as a header is wrong."""
        if not self._buffer and len(data) >= _HEADER and len(data) == self._check(data):
            self._greeted = True
            return [_cut(data)]
        self._buffer += data
        found: list[Frame] = []
        while len(self._buffer) >= _HEADER:
            size = self._check(self._buffer)
            if len(self._buffer) < size:
                break
            found.append(_cut(bytes(self._buffer[:size])))
            del self._buffer[:size]
            self._greeted = True
        if self._buffer:
            self._check_start()
        return found

    def _check(self, head: bytes | bytearray) -> int:
        """Return the size that a header states, if such a frame may come now."""
        kind, chunk, size = bytes(head[:3]), head[3:4], int.from_bytes(head[4:8], "little")
        if kind not in _SMALLEST or chunk not in _CHUNKS[kind]:
            raise FrameError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{_shown(head[:4])} begins no message")
        if (kind == HELLO) == self._greeted:
            raise FrameError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{kind.decode()} out of turn")
        largest = _LARGEST_HELLO if kind == HELLO else self._largest
        if not _SMALLEST[kind] <= size <= largest:
            limit = "max_chunk" if size > largest else ""
            raise FrameError(ua.StatusCodes.BadTcpMessageTooLarge, f"a chunk that states {size:,} bytes", limit)
        return size

    def _check_start(self) -> None:
        """Refuse at the first byte what is no OPC UA: HTTP, TLS, noise."""
        start = bytes(self._buffer[:3])
        allowed = (OPEN, MESSAGE, CLOSE) if self._greeted else (HELLO,)
        if not any(kind.startswith(start) for kind in allowed):
            raise FrameError(ua.StatusCodes.BadTcpMessageTypeInvalid, f"{_shown(start)} begins no message")


def _cut(data: bytes) -> Frame:
    kind = data[:3]
    channel_id = 0 if kind == HELLO else int.from_bytes(data[8:12], "little")
    return Frame(kind, data[3:4], channel_id, data)


def _shown(data: bytes | bytearray) -> str:
    return f"0x{data.hex()}" if not data.isalnum() else repr(data.decode("ascii"))
