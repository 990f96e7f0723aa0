"""Values by topic, and the tree that their topics make; each call looks at so many topics at most."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from protocols.hub.entries import Entries
from protocols.hub.index import key, topic_of
from protocols.hub.messages import Child, Children, MayRead, Message, Page

_BEHIND = "\x01"  # behind a key and all that is below it


class Tree:
    """Looks into the entries by the order of their topics."""

    def __init__(self, entries: Entries, steps: int) -> None:
        self._entries = entries
        self._steps = steps

    def page(self, prefix: str, after: str | None, limit: int, may_read: MayRead, now: float) -> Page:
        """Return the values of topics that begin with `prefix`, behind the topic `after`."""
        wanted, begin = key(prefix), key(after or "")
        is_first = after is None or begin < wanted
        walk = self._entries.index.walk(wanted if is_first else begin, behind=not is_first)
        found: list[Message] = []
        topic = ""
        for place in islice(walk, self._steps):
            if not place.startswith(wanted):
                return Page(found, None)
            if len(found) == limit:
                return Page(found, topic)
            topic = topic_of(place)
            if (message := self._value(topic, may_read, now)) is not None:
                found.append(message)
        return Page(found, topic if next(walk, None) is not None else None)

    def find(self, text: str, after: str | None, limit: int, now: float) -> Page:
        """Return the values of topics that contain `text`, in whatever case, behind the topic `after`."""
        wanted = key(text.lower())
        found: list[Message] = []
        steps = self._steps
        place = ""
        for part in self._entries.index.parts(key(after or ""), behind=after is not None):
            if steps <= 0:
                return Page(found, topic_of(place))
            steps -= len(part)
            # Most often none of them is meant, which is quicker seen in one text.
            meant = [one for one in part if wanted in one.lower()] if wanted in "\n".join(part).lower() else []
            for place in meant:
                if (message := self._value(topic_of(place), _anything, now)) is not None:
                    found.append(message)
                if len(found) == limit:
                    return Page(found, topic_of(place))
            place = part[-1]
        return Page(found, None)

    def children(self, levels: Sequence[str], after: str | None, limit: int, may_read: MayRead, now: float) -> Children:
        """Return the places one level below that of `levels`, from the cursor `after` on.

        A place is shown if there, or below, is a value that may be read.  Where there was no time to look for one below
        it, `has_more` is True.
        """
        base = "".join(f"{level}\0" for level in levels)
        places: list[Child] = []
        steps = self._steps
        begin = base + key(after or "")
        while (place := self._entries.index.next(begin)) is not None and place.startswith(base):
            if len(places) == limit or not steps:
                return Children(places, topic_of(place[len(base) :]))
            name = place[len(base) :].partition("\0")[0]
            message, has_more, steps, rest = self._look(base + name, place, steps, may_read, now)
            if message is None and rest is not None:
                return Children(places, topic_of(rest[len(base) :]))
            if message is not None or has_more:
                places.append(Child(name, message, has_more))
            begin = base + name + _BEHIND
        return Children(places, None)

    def _look(
        self, own: str, begin: str, steps: int, may_read: MayRead, now: float
    ) -> tuple[Message | None, bool, int, str | None]:
        """Return the value of a place, if one is below, the steps that are left, and where these ended, if they did."""
        message = None
        for place in self._entries.index.walk(begin):
            if place != own and not place.startswith(f"{own}\0"):
                break
            if not steps:
                return message, True, 0, place
            steps -= 1
            found = self._value(topic_of(place), may_read, now)
            if found is not None and place == own:
                message = found
            elif found is not None:
                return message, True, steps, None
        return message, False, steps, None

    def _value(self, topic: str, may_read: MayRead, now: float) -> Message | None:
        entry = self._entries.get(topic)
        value = entry.value(now) if entry is not None else None
        return value if value is not None and may_read(topic) else None


def _anything(topic: str) -> bool:
    return True
