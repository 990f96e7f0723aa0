"""What came after a message, from what is kept of each topic."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from protocols.hub.entries import Entries
from protocols.hub.messages import NUMBER, Fields, Message
from protocols.topics import matches


def since(
    entries: Entries, number: int, filters: Collection[str], limit: int, steps: int, now: float
) -> tuple[list[Message], bool]:
    """Return the last messages after one with this number, on the topics of some filters; and whether some are gone.

    So many topics are held against filters at most, the most recently updated ones, as `steps` says.
    """
    found: list[Fields] = []
    is_gone = number < entries.forgotten
    newest = entries.newest()
    for entry in islice(newest, max(steps // max(len(filters), 1), 1)):
        if entry.newest <= number:
            break
        if any(matches(one, entry.topic) for one in filters):
            living = entry.living(now)
            is_gone = is_gone or entry.lost > number or len(living) < len(entry.messages)
            found += [message for message in living if message[NUMBER] > number]
    else:
        is_gone = is_gone or next(newest, None) is not None
    found.sort()
    return [*map(Message._make, found[-limit:])], is_gone or len(found) > limit
