"""What is looked at on the page *Live data*, as its address says it; an address has room for less than a topic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from urllib.parse import quote, urlencode

from werkzeug.datastructures import MultiDict

from portal import topics
from portal.topics import Row

# Characters of an address, percent-encoded; together they stay below the 4,094 that a request line may have.
LEVELS = 800  # of the place that the tree begins at
TOPIC = 800  # of a topic; a longer one is named by its beginning and a digest
BEGINNING = 300
OPENED = 1_000  # of all levels that are opened, together
AFTER = 500
SEARCHED = 400
DIGEST = 16  # bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tree begins and what is open in it, what is searched for, where the page begins, and which topic."""

    at: str = ""  # "" or ending with a slash, as each of `opened`
    opened: tuple[str, ...] = ()
    search: str = ""
    after: str = ""
    topic: str | None = None

    def query(self, **changes: object) -> str:
        """Return the address's query string, with these changes; "" or beginning with "?"."""
        place = replace(self, **changes) if changes else self  # type: ignore[arg-type]
        found = [("at", place.at), ("q", place.search), ("after", place.after)]
        found += [("open", prefix) for prefix in place.opened]
        pairs = [(name, value) for name, value in found if value]
        if place.topic is not None:
            pairs += named(place.topic).items()
        return f"?{urlencode(pairs, quote_via=quote, safe='/')}" if pairs else ""

    def toggled(self, row: Row) -> str | None:
        """Return the query that opens or closes a level; None for one that is too long for an address."""
        prefix = f"{row.topic}/"
        if row.is_open:
            return self.query(opened=tuple(one for one in self.opened if one != prefix))
        if width(prefix) > LEVELS:
            return None
        return self.query(opened=_newest((*self.opened, prefix)))


def read(arguments: MultiDict[str, str], topic: str | None = None) -> Place:
    """Return the place that an address names, with this topic; what is too long, or nothing, is left out."""
    at = arguments.get("at", "")
    opened = (prefix for prefix in dict.fromkeys(arguments.getlist("open")) if prefix.endswith("/"))
    return Place(
        at if at.endswith("/") and width(at) <= LEVELS else "",
        _newest(tuple(opened)),
        beginning(arguments.get("q", ""), SEARCHED),
        beginning(arguments.get("after", ""), AFTER),
        topic,
    )


def named(topic: str) -> dict[str, str]:
    """Return what names a topic in an address."""
    if width(topic) <= TOPIC:
        return {"topic": topic}
    digest = blake2b(topic.encode("utf-8", "replace"), digest_size=DIGEST).hexdigest()
    return {"topic": beginning(topic, BEGINNING), "digest": digest}


def topic_of(arguments: MultiDict[str, str]) -> str | None:
    """Return the topic that an address names; of a long one, if there is one."""
    topic, digest = arguments.get("topic", ""), arguments.get("digest", "")
    if not digest:
        return beginning(topic, TOPIC) or None
    try:
        return topics.spelled(topic, bytes.fromhex(digest)[:DIGEST])
    except ValueError:
        return None


def beginning(text: str, most: int) -> str:
    """Return as much of a text as takes so many characters of an address at most."""
    while width(text) > most:
        text = text[: min(len(text) - 1, most)]
    return text


def _newest(opened: tuple[str, ...]) -> tuple[str, ...]:
    """Return the levels that were opened last, as many as an address has room for."""
    kept: list[str] = []
    room = OPENED
    for prefix in reversed(opened):
        room -= width(prefix) + len("&open=")
        if room < 0:
            break
        kept.append(prefix)
    return tuple(reversed(kept))


def width(text: str) -> int:
    """Return how long a text is in an address, as browsers spell it: they encode slashes and tildes, too."""
    return len(quote(text, safe="", errors="replace")) + 2 * text.count("~")
