"""Which topics one session may use."""

from __future__ import annotations

from protocols.access import Access
from protocols.contract import Grant


class Scope:
    """What a grant opens: what its filters match, and in any case what its own folder is."""

    __slots__ = ("_access", "grant", "own")

    def __init__(self, grant: Grant, client_id: str) -> None:
        self.grant = grant
        self.own = f"{grant.username}/"
        self._access = Access(grant, client_id)

    @property
    def filters(self) -> tuple[str, ...]:
        """Return the filters of what may be read, beside its own."""
        return self._access.filters[1]

    def may_read(self, topic: str) -> bool:
        """Say whether a topic may be read."""
        return topic.startswith(self.own) or self._access.may_receive(topic)

    def may_write(self, topic: str) -> bool:
        """Say whether a topic may be published on."""
        return topic.startswith(self.own) or self._access.may_publish(topic)
