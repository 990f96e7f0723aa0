"""What the head of a request says of the rest: how many bytes to wait for, before a thread gets to see it."""

from __future__ import annotations

MOST_HEAD = 16 * 1024  # browsers send some 2 KB; gunicorn would take 4 KB of address and 100 lines of 8 KB
MOST_BODY = 256 * 1024  # what the portal accepts; it refuses what is longer, and reads no more of it


class Refusal(Exception):
    """A request that no thread gets to see; says the status to answer with."""


def wanted(data: bytes | bytearray, searched: int = 0) -> int | None:
    """Return how many bytes to wait for, None while the head is incomplete; skip what was searched before."""
    end = data.find(b"\r\n\r\n", max(searched - 3, 0))
    if end < 0 and data[:1] == b"\x16":
        raise Refusal("400 Bad Request")  # TLS: https:// fails here at once
    if (len(data) if end < 0 else end) > MOST_HEAD:
        raise Refusal("431 Request Header Fields Too Large")
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    if b"\r\ntransfer-encoding:" in head:
        raise Refusal("411 Length Required")  # browsers say the length
    length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0].strip()
    if not length.isdigit():
        return end + 4  # gunicorn refuses it, if there is one
    return end + 4 + min(int(length.lstrip(b"0")[:9] or b"0"), MOST_BODY)
