"""Which topics a grant opens to one client: as on MQTT, in the words of its topic filters (MQTT 4.7)."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.contract import Grant


class Access:
    """The topics that one client may read and write."""

    __slots__ = ("_publish", "_subscribe")

    def __init__(self, grant: Grant, client_id: str) -> None:
        self._publish = [one.split("/") for one in _expand(grant.publish, grant.username, client_id)]
        self._subscribe = [one.split("/") for one in _expand(grant.subscribe, grant.username, client_id)]

    def may_write(self, topic: str) -> bool:
        """Say whether a value may be published on this topic; `$`-topics are the server's own."""
        return not topic.startswith("$") and _any(self._publish, topic)

    def may_read(self, topic: str) -> bool:
        """Say whether the value of this topic may be read."""
        return _any(self._subscribe, topic)

    def may_read_below(self, topic: str) -> bool:
        """Say whether there can be anything to read below this topic."""
        levels = topic.split("/")
        return any(_reaches_below(wanted, levels) for wanted in self._subscribe)


def _any(filters: list[list[str]], topic: str) -> bool:
    levels = topic.split("/")
    return any(_matches(wanted, levels) for wanted in filters)


def _matches(wanted: list[str], levels: list[str]) -> bool:
    if wanted[0] in ("+", "#") and levels[0].startswith("$"):
        return False
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position == len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def _reaches_below(wanted: list[str], levels: list[str]) -> bool:
    if wanted[0] in ("+", "#") and levels[0].startswith("$"):
        return False
    for position, level in enumerate(wanted):
        if level == "#" or position == len(levels):
            return True
        if level not in ("+", levels[position]):
            return False
    return False


def _expand(filters: tuple[str, ...], username: str, client_id: str) -> Iterable[str]:
    """Replace %u and %c, and leave out each filter that the value would widen."""
    for one in filters:
        # A client chooses its identifier itself: with a / it would reach below its own level.
        if "%c" in one and ("/" in client_id or not _is_plain(client_id)):
            continue
        if "%u" in one and not _is_plain(username):
            continue
        # By parts, so that a username of "%c" stays what it is.
        yield client_id.join(part.replace("%u", username) for part in one.split("%c"))


def _is_plain(value: str) -> bool:
    """Say whether a value stands for itself alone, wherever it is put into a filter."""
    return bool(value) and not value.startswith(("$", "\0")) and "+" not in value and "#" not in value
