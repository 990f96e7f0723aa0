"""What MQTT's hot path notes of what was published, and which of it is looked at later.

A run is equal neighbours: packets of one topic and one size, without a retain flag, in what arrived together.  It takes
`WIDTH` places in a list, one after the other, and not a tuple: tuples that live on keep the garbage collector busy.  Of
a topic on which much was published only the last messages are looked at, and only these are copied from what arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from protocols.hub.entries import Entry

# The topic's entry; the bytes that arrived; where in them the run starts, the payload of its first packet starts, and
# the run ends; how many packets it is; who has published it: the integration's number, or a `Source`.
WIDTH = 7

LARGE = 10_240  # bytes of a message that counts for two
LONG = 16_384  # bytes of a run
_FEW = 64  # runs that are looked at one by one

Heard = list[Any]


class Source(NamedTuple):
    """Who has published a single message that is not like those of a run."""

    integration_id: int
    retain: bool = False
    expires_in: float | None = None  # seconds
    origin: object | None = None  # the listener that has, if one has


class Picked(NamedTuple):
    """Messages of a run that are looked at: the last `wanted` ones."""

    entry: Entry
    data: bytes
    start: int
    payload: int
    end: int
    packets: int
    source: int | Source
    wanted: int
    time: float

    def payloads(self) -> Iterator[bytes]:
        """Copy the payloads out of what arrived."""
        data = self.data
        if self.packets == 1:
            yield data[self.payload : self.end]
            return
        size = (self.end - self.start) // self.packets
        before = self.payload - self.start
        for begin in range(self.end - self.wanted * size, self.end, size):
            yield data[begin + before : begin + size]


def pick(turns: Iterable[tuple[Heard, float]]) -> list[tuple[Any, ...]]:
    """Return what is still wanted of the runs of some turns of the loop, oldest first, as `Picked` has it.

    An entry's `room` is how many messages are wanted of it; it is used up, and by large ones sooner.
    """
    picked: list[tuple[Any, ...]] = []
    for heard, time in reversed(list(turns)):
        at = len(heard)
        for entry in heard[-WIDTH::-WIDTH]:
            at -= WIDTH
            if entry.room:
                _, data, start, payload, end, packets, source = heard[at : at + WIDTH]
                if packets == 1 and end - start < LARGE:
                    wanted = 1
                    entry.room -= 1
                else:
                    cost = 1 + (end - start) // packets // LARGE
                    wanted = min(packets, max(entry.room // cost, 1))
                    entry.room = max(entry.room - wanted * cost, 0)
                picked.append((entry, data, start, payload, end, packets, source, wanted, time))
    picked.reverse()
    return picked


def trim(heard: Heard, begin: int) -> int:
    """Let go of the beginnings of long runs, from a place on, that nothing is wanted of; return how many bytes."""
    freed = 0
    if len(heard) - begin > _FEW * WIDTH:
        return 0
    for at in range(begin, len(heard), WIDTH):
        entry, data, start, payload, end, packets, _ = heard[at : at + WIDTH]
        if packets > entry.room and end - start > LONG:
            wanted = max(entry.room, 1)
            tail = data[end - wanted * ((end - start) // packets) : end]
            heard[at + 1 : at + 6] = tail, 0, payload - start, len(tail), wanted
            freed += end - start - len(tail)
    return freed
