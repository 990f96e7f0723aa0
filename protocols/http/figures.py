"""What is told about periods and limits."""

from __future__ import annotations

from itertools import chain, islice

from protocols.contract import ConnectionInfo, Usage
from protocols.hits import Hits
from protocols.http.limits import SETTINGS, Limits
from protocols.http.periods import Period

_LISTED = 100  # filters
_SHOWN = 500  # characters of a filter


def describe(period: Period) -> ConnectionInfo:
    """Return what is known of a period, the topics that its streams wait for among it."""
    counts = period.counts
    filters = chain.from_iterable(held.filters for held in period.held)
    return ConnectionInfo(
        period.presence_id,
        period.agent[:_SHOWN],
        counts.messages_in,
        counts.messages_out,
        counts.bytes_in,
        counts.bytes_out,
        queued=0,
        dropped=period.dropped + sum(held.dropped for held in period.held),
        subscription_count=sum(1 for held in period.held if held.filters),
        subscriptions=tuple((one[:_SHOWN], 0) for one in islice(filters, _LISTED)),
    )


def usage(limits: Limits, hits: Hits, streams: int, calls: int) -> list[Usage]:
    """Return the limits that are settings."""
    used = {"streams": streams, "calls": calls}
    return [
        Usage(
            f"HTTP_{name.upper()}",
            used.get(name),
            getattr(limits, name),
            None if name == "online" else hits.counts[name],
        )
        for name in SETTINGS
    ]
