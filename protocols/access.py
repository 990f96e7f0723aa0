"""Which topics a grant opens to one client, whatever it speaks."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.contract import Grant
from protocols.topics import covers, matches, matches_below


class Access:
    """The topics that one client may use.

    A domain of VRPC is closed to whoever is not in it: filters open its topics that name it as their first level.
    """

    __slots__ = ("_closed", "_naming_publish", "_naming_subscribe", "_publish", "_subscribe")

    is_narrow = False  # may subscribe to more than it may receive

    def __init__(self, grant: Grant, client_id: str) -> None:
        self._publish = _expand(grant.publish, grant.username, client_id)
        self._subscribe = _expand(grant.subscribe, grant.username, client_id)
        self._closed = grant.closed
        self._naming_publish = _expand(_naming(grant.publish), grant.username, client_id) if grant.closed else ()
        self._naming_subscribe = _expand(_naming(grant.subscribe), grant.username, client_id) if grant.closed else ()

    @property
    def lasts(self) -> bool:
        """Say whether a session may outlive its connection."""
        return True

    @property
    def filters(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the filters of what may be written to, and of what may be read."""
        return self._publish, self._subscribe

    @property
    def readable(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return the filters of what may be read, those that name their first level, and what only these open."""
        return self._subscribe, self._naming_subscribe, tuple(self._closed)

    def is_ruled(self, topic: str) -> bool:
        """Say whether not filters, but the rules of VRPC decide on a topic name or a topic filter."""
        return False

    def may_share(self, topic_filter: str) -> bool:
        """Say whether a permitted filter may be shared: a group hands on what any member may receive."""
        return True

    def is_call(self, topic: str) -> bool:
        """Say whether what comes on this topic is a call to this client, or an answer to it, and no value."""
        return False

    def may_retain(self, name: str) -> bool:
        """Say whether a permitted message may be retained."""
        return True

    def may_publish(self, name: str) -> bool:
        """Say whether this topic may be written to; `$`-topics are the server's own."""
        return not name.startswith("$") and any(matches(allowed, name) for allowed in self._writing(name))

    def may_subscribe(self, topic_filter: str) -> bool:
        """Say whether everything that this filter matches may be read."""
        return any(covers(allowed, topic_filter) for allowed in self._reading(topic_filter))

    def may_receive(self, name: str) -> bool:
        """Say whether what is on this topic may be read."""
        return any(matches(allowed, name) for allowed in self._reading(name))

    def may_receive_below(self, name: str) -> bool:
        """Say whether there can be anything to read below this topic name."""
        return any(matches_below(allowed, name) for allowed in self._reading(name))

    def _writing(self, topic: str) -> tuple[str, ...]:
        """Return the filters that may open a topic to be written to."""
        return self._naming_publish if is_closed(self._closed, topic) else self._publish

    def _reading(self, topic: str) -> tuple[str, ...]:
        """Return the filters that may open a topic name, or a topic filter, to be read."""
        return self._naming_subscribe if is_closed(self._closed, topic) else self._subscribe


def is_closed(domains: frozenset[str], topic: str) -> bool:
    """Say whether a topic name, or a topic filter, names one of these domains as its first level."""
    return bool(domains) and topic.partition("/")[0] in domains


def _naming(filters: tuple[str, ...]) -> tuple[str, ...]:
    """Return the filters whose first level stands for itself alone, whoever the client is."""
    return tuple(one for one in filters if not {"+", "#", "%"} & set(one.partition("/")[0]))


def _expand(filters: tuple[str, ...], username: str, client_id: str) -> tuple[str, ...]:
    """Replace %u and %c, and leave out each filter that the value would widen."""
    if "%" not in "".join(filters):
        return filters
    return tuple(_expanded(filters, username, client_id))


def _expanded(filters: tuple[str, ...], username: str, client_id: str) -> Iterable[str]:
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
