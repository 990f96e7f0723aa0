"""What goes over a Unix socket between two processes: msgpack objects, one after the other, each a list of three.

A question is `[id, action, arguments]`, with the id None where no answer is wanted; its answer is
`[id, {"answer": …} | {"refused": …} | {}]`.  What is pushed without a question is `[0, name, arguments]`.
`portal.worker_client` has the same for web workers.
"""

from __future__ import annotations

import msgpack

LONGEST = 16 * 1024 * 1024  # bytes of a frame
MOST_ELEMENTS = 65_536  # of one list or mapping: room is made for as many as are announced
_ROOM = 64 * 1024  # bytes that there is room for from the start

Frame = list[object]


def packed(*frame: object) -> bytes:
    """Return the bytes of a frame.  Raises TypeError, OverflowError and ValueError for what does not fit into one."""
    data: bytes = msgpack.packb(frame, unicode_errors="surrogatepass")
    if len(data) > LONGEST:
        raise ValueError(f"a frame of {len(data)} bytes, more than {LONGEST}")
    return data


class Frames:
    """Finds frames in what arrives piece by piece; once it has raised ValueError it finds no more."""

    def __init__(self) -> None:
        self._unpacker = _unpacker()
        self._arrived, self._used = 0, 0  # bytes, as the unpacker counts them

    @property
    def held(self) -> int:
        """Return how many bytes have arrived since the last whole frame."""
        return self._arrived - self._used

    def feed(self, data: bytes) -> None:
        """Take in what has arrived."""
        self._arrived += len(data)
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise ValueError("a frame is too long") from None

    def next(self) -> Frame | None:
        """Return the next whole frame."""
        try:
            frame = self._unpacker.unpack()
        except msgpack.OutOfData:
            if self.held > LONGEST:
                raise ValueError("a frame is too long") from None
            return None
        except (msgpack.FormatError, msgpack.StackError) as error:  # without a text
            raise ValueError(f"no msgpack ({type(error).__name__})") from None
        self._used = self._unpacker.tell()
        if not self.held:  # its room may have grown, and goes on holding what has passed: passwords, too
            self._unpacker, self._arrived, self._used = _unpacker(), 0, 0
        if not isinstance(frame, list):
            raise ValueError(f"a frame is a list, not {type(frame).__name__}")
        return frame


def _unpacker() -> msgpack.Unpacker:
    return msgpack.Unpacker(
        unicode_errors="surrogatepass",
        read_size=_ROOM,
        max_buffer_size=LONGEST + _ROOM,
        max_array_len=MOST_ELEMENTS,
        max_map_len=MOST_ELEMENTS,
        max_ext_len=0,
    )
