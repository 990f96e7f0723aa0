"""Which topics one session may use."""

from __future__ import annotations

from protocols.access import Access
from protocols.contract import Grant

Readable = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Scope:
    """What a grant opens: what its filters match, and in any case what its own folder is."""

    __slots__ = ("_access", "grant", "own")

    def __init__(self, grant: Grant, client_id: str) -> None:
        self.grant = grant
        self.own = f"{grant.username}/"
        self._access = Access(grant, client_id)

    @property
    def readable(self) -> Readable:
        """Return what may be read, for the hub: its own, and see `Access.readable`."""
        return self.own, *self._access.readable

    def may_read(self, topic: str) -> bool:
        """Say whether a topic may be read."""
        return topic.startswith(self.own) or self._access.may_receive(topic)

    def may_write(self, topic: str) -> bool:
        """Say whether a topic may be published on."""
        return topic.startswith(self.own) or self._access.may_publish(topic)
