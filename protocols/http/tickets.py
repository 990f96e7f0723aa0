"""Tickets: a stream is checked when it is asked for, and its client's socket comes a moment later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from protocols.http.limits import Limits
from protocols.http.periods import Period


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may open which stream."""

    period: Period
    filters: tuple[str, ...]
    until: float


class Tickets:
    """Gives out tickets, which are good once and for a short time; of too many the oldest is worth nothing."""

    def __init__(self, limits: Limits, new: Callable[[], str]) -> None:
        self._limits = limits
        self._new = new
        self._tickets: dict[str, Ticket] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._tickets)

    def give(self, period: Period, filters: Iterable[str], now: float) -> str:
        """Return a ticket for a stream."""
        if len(self._tickets) >= self._limits.tickets:
            del self._tickets[next(iter(self._tickets))]
        name = self._new()
        self._tickets[name] = Ticket(period, tuple(filters), now + self._limits.ticket)
        return name

    def take(self, name: str, now: float) -> Ticket | None:
        """Return what a ticket is for, once."""
        ticket = self._tickets.pop(name, None)
        return ticket if ticket is not None and now < ticket.until and not ticket.period.is_over else None

    def sweep(self, now: float) -> None:
        """Forget the tickets that nobody has used."""
        for name in [name for name, ticket in self._tickets.items() if ticket.until <= now]:
            del self._tickets[name]
