"""What MQTT's hot path notes of what was published, and which of it is looked at later.

A run is equal neighbours: QoS 0 packets of one topic and one size, without a retain flag, in what arrived together; or
a message by itself.  It takes `WIDTH` places in a list, one after the other, and not a tuple: tuples that live on keep
the garbage collector busy.  Of a topic on which much was published only the last messages are looked at, and only these
are copied from what arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

# The topic's entry; the bytes that arrived; where in them the run starts, the payload of its first packet starts, and
# the run ends; how many packets it is; who has published it: the integration's number, or a `Source`.
WIDTH = 7

LARGE = 10_240  # bytes of a message that counts for two
LONG = 16_384  # bytes of a run
FEW = 64  # runs that arrived together, and are looked at at once when they are large

Heard = list[Any]


class Source(NamedTuple):
    """Who has published a single message that is not like those of a run."""

    integration_id: int
    retain: bool = False
    expires_in: float | None = None  # seconds
    origin: object | None = None  # the listener that has, if one has


def pick(turns: list[tuple[Heard, float]]) -> list[tuple[Heard, float]]:
    """Return what is still wanted of what was heard in some turns of the loop, oldest first as it came; let go of it.

    An entry's `room` is how many messages are wanted of it; it is used up, and by large ones sooner.
    """
    picked = []
    while turns:
        heard, time = turns.pop()
        if len(heard) == WIDTH and not heard[0].room:  # hundreds of them, where messages come one by one
            continue
        if found := _pick(heard):
            picked.append((found, time))
    picked.reverse()
    return picked


def _pick(heard: Heard) -> Heard:
    """Return the runs that their entries have room for; the last turn has to be asked about first."""
    places: list[int] = []
    at = len(heard)
    for entry in heard[-WIDTH::-WIDTH]:
        at -= WIDTH
        if entry.room:
            if heard[at + 5] == 1 and heard[at + 4] - heard[at + 2] < LARGE:
                entry.room -= 1
            else:
                _shorten(heard, at)
            places.append(at)
    picked: Heard = []
    for at in reversed(places):
        picked += heard[at : at + WIDTH]
    return picked


def _shorten(heard: Heard, at: int) -> None:
    """Leave as much of a run as its entry has room for, and take that from it."""
    entry, _, start, payload, end, packets, _ = heard[at : at + WIDTH]
    size = (end - start) // packets
    cost = 1 + size // LARGE
    wanted = min(packets, max(entry.room // cost, 1))
    # Nothing before a run of which only a part is wanted: that would leave a gap in between.
    entry.room = max(entry.room - wanted * cost, 0) if wanted == packets else 0
    begin = end - wanted * size
    heard[at + 2 : at + 6] = begin, payload + begin - start, end, wanted


def payloads(data: bytes, start: int, payload: int, end: int, packets: int) -> Iterator[bytes]:
    """Copy the payloads of a run out of what arrived."""
    if packets == 1:
        yield data[payload:end]
        return
    size = (end - start) // packets
    before = payload - start
    for begin in range(start, end, size):
        yield data[begin + before : begin + size]


def trim(heard: Heard, begin: int) -> int:
    """Copy the ends of runs, from a place on, that anything is wanted of; return how many bytes that lets go of.

    What arrived together goes together: all of these runs are copied, if that is not most of it.
    """
    ends: list[tuple[int, int, int]] = []  # where a run is, its wanted packets, and their bytes
    whole = kept = 0
    for at in range(begin, len(heard), WIDTH):
        entry, _, start, _, end, packets, _ = heard[at : at + WIDTH]
        wanted = min(packets, max(entry.room, 1))
        size = (end - start) // packets * wanted
        ends.append((at, wanted, size))
        whole += end - start
        kept += size
    if kept * 2 > whole:
        return 0
    for at, wanted, size in ends:
        _, data, start, payload, end = heard[at : at + 5]
        heard[at + 1 : at + 6] = data[end - size : end], 0, payload - start, size, wanted
    return whole - kept


class Large:
    """The runs of large messages of one topic that are not looked at yet, each alone in what arrived."""

    def __init__(self) -> None:
        self._runs: deque[tuple[Heard, int, int]] = deque()  # where it is, and how much room it takes
        self._taken = 0

    def add(self, heard: Heard, at: int) -> int:
        """Add the last run; let go of what nothing is wanted of any more, and return how many bytes that was."""
        entry, _, start, _, end, packets, _ = heard[at : at + WIDTH]
        takes = packets * (1 + (end - start) // packets // LARGE)
        self._runs.append((heard, at, takes))
        self._taken += takes
        freed = 0
        while len(self._runs) > 1 and self._taken - self._runs[0][2] >= entry.room:
            heard, at, takes = self._runs.popleft()
            self._taken -= takes
            freed += heard[at + 4] - heard[at + 2]
            heard[at + 1] = b""
        return freed
