"""Who is online over HTTP: a period begins with a request, and ends some time after the last one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from protocols.access import Access
from protocols.contract import Grant, Login, Presence
from protocols.http.limits import Limits
from protocols.tally import Counts, Tally

IDLE = "no request for a while"
CROWDED = "too many addresses"


class Held(Protocol):
    """A stream, a long poll or a call, which keeps its period open."""

    filters: Collection[str]  # what it listens to; none of a call
    dropped: int  # messages

    def cut(self) -> None:
        """Close it at once."""
        ...


class Period:
    """The time in which an integration is online from one address."""

    __slots__ = ("access", "address", "agent", "counts", "dropped", "grant", "held", "is_over", "last", "presence_id")

    def __init__(self, grant: Grant, login: Login, presence_id: str, now: float) -> None:
        self.address = login.address
        self.agent = login.client_id
        self.presence_id = presence_id
        self.last = now
        self.counts = Counts()
        self.dropped = 0  # messages for streams that have ended
        self.is_over = False
        self.held: dict[Held, None] = {}  # oldest first
        self.permit(grant)

    @property
    def integration_id(self) -> int:
        return self.grant.integration_id

    def permit(self, grant: Grant) -> None:
        """Hold it, and its streams, to these topics from now on."""
        self.grant = grant
        self.access = Access(grant, "")

    def add(self, more: Counts, tally: Tally) -> None:
        """Count what its client sent or got."""
        self.counts.add(more)
        tally.add(self.integration_id, more)

    def may_read(self, topic: str) -> bool:
        """Say whether a message on this topic may be read now."""
        return self.access.may_receive(topic)


class Periods:
    """All periods, by integration and address."""

    def __init__(self, presence: Presence, limits: Limits) -> None:
        self._presence = presence
        self._limits = limits
        self._open: dict[int, dict[str, Period]] = {}  # the one with the latest request last

    def __iter__(self) -> Iterator[Period]:
        for found in self._open.values():
            yield from found.values()

    def of(self, integration_id: int) -> Collection[Period]:
        """Return the periods of an integration."""
        return self._open.get(integration_id, {}).values()

    def visit(self, grant: Grant, login: Login, now: float) -> Period:
        """Note an accepted request; return its period, which begins now if there was none."""
        found = self._open.setdefault(grant.integration_id, {})
        period = found.pop(login.address, None)
        if period is None:
            self._make_room(found)
            found = self._open.setdefault(grant.integration_id, {})
            period = Period(grant, login, self._presence.connected(grant, login), now)
        elif period.grant != grant:
            period.permit(grant)
        period.last = now
        found[login.address] = period
        return period

    def release(self, period: Period, held: Held, now: float) -> None:
        """Note the end of a stream: the last sign of life of its client."""
        del period.held[held]
        period.dropped += held.dropped
        period.last = now

    def permit(self, grants: Mapping[int, Grant]) -> None:
        """Hold the periods of these integrations to other topics."""
        for integration_id, grant in grants.items():
            for period in self.of(integration_id):
                period.permit(grant)

    def end(self, period: Period, reason: str) -> None:
        """End a period, and cut its streams."""
        found = self._open[period.integration_id]
        del found[period.address]
        if not found:
            del self._open[period.integration_id]
        period.is_over = True
        self._presence.disconnected(period.presence_id, reason)
        for held in list(period.held):
            held.cut()

    def sweep(self, now: float) -> None:
        """End what has been idle for long."""
        limit = now - self._limits.online
        for period in [one for one in self if one.last <= limit and not one.held]:
            self.end(period, IDLE)

    def _make_room(self, found: Mapping[str, Period]) -> None:
        if len(found) >= self._limits.periods_per_integration:
            self.end(next(iter(found.values())), CROWDED)
