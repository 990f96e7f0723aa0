"""How much HTTP clients may ask for."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the HTTP side; sizes in bytes, times in seconds.

    The first ones are settings: HTTP_ and the name in capitals.
    """

    online: float = 60.0  # from the last request, or the end of the last stream, to the end of a period
    streams: int = 1_000  # open at once, long polls among them
    streams_per_integration: int = 100
    outbound_bytes: int = 1 * MIB  # what waits for a slow reader; messages beyond it are dropped
    calls: int = 500  # of agents' functions, under way at once
    calls_per_integration: int = 100

    periods_per_integration: int = 1_000  # beyond it the longest idle one ends
    filters: int = 100  # of one stream
    batch: int = 1_000  # messages published by one request
    page: int = 1_000  # values in one answer
    answer_bytes: int = MIB  # of the values in one answer; there is always one
    longest_poll: float = 300.0
    ticket: float = 10.0  # from a checked request to its socket
    tickets: int = 10_000  # that are not used yet
    heartbeat: float = 15.0  # on a stream that has nothing to say
    stalled: float = 60.0  # without taking anything until a slow reader is closed
    unasked: int = 64 * KIB  # bytes that a client may send on a stream, before it is closed
    results: int = 64 * MIB  # bytes of all results that their clients have not taken yet; there may always be one
    missed: int = 1_000  # messages that a stream is resumed with; of more the newest


SETTINGS = (
    "online",
    "streams",
    "streams_per_integration",
    "outbound_bytes",
    "calls",
    "calls_per_integration",
)
